"""What is the same in all text that people or clients write."""

import unicodedata


def fold(text: str) -> str:
    """The text without what a search overlooks: case, and the ways Unicode spells one letter."""
    return unicodedata.normalize("NFC", text.casefold())


def is_storable(text: str) -> bool:
    """Whether every store and every wire can hold it: no NUL, no lone surrogate."""
    if text.isascii():
        return "\0" not in text
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def has_control_characters(text: str) -> bool:
    """Whether it has what nobody types into a line: control characters (Cc) or lone surrogates (Cs)."""
    return any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)
