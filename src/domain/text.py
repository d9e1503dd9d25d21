"""Rules and folding for all text that users and clients send."""

import unicodedata


def fold(text: str) -> str:
    """Normalize text for searching: ignore case and Unicode composition (NFC)."""
    return unicodedata.normalize("NFC", text.casefold())


def is_storable(text: str) -> bool:
    """Whether databases and JSON can represent the text: no NUL, no lone surrogates."""
    if text.isascii():
        return "\0" not in text
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def has_control_characters(text: str) -> bool:
    """Whether the text contains control characters (Cc) or lone surrogates (Cs)."""
    return any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)
