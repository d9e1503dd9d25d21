"""Rules and folding for all text that users and clients send."""

import re
import unicodedata
from json.encoder import encode_basestring
from typing import Final

INVISIBLE: Final = (
    (0x0000, 0x0020), (0x007F, 0x00A0), (0x00AD, 0x00AD), (0x034F, 0x034F), (0x0600, 0x0605), (0x061C, 0x061C),
    (0x06DD, 0x06DD), (0x070F, 0x070F), (0x0890, 0x0891), (0x08E2, 0x08E2), (0x115F, 0x1160), (0x1680, 0x1680),
    (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2000, 0x200F), (0x2028, 0x202F), (0x205F, 0x206F), (0x2800, 0x2800),
    (0x3000, 0x3000), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB),
    (0x110BD, 0x110BD), (0x110CD, 0x110CD), (0x13430, 0x1343F), (0x13441, 0x13442), (0x16FE4, 0x16FE4),
    (0x1BCA0, 0x1BCA3), (0x1D159, 0x1D159), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
"""First and last code points of the characters that render as nothing: the categories Cc, Cf, Zl, Zp and Zs, those that
Unicode calls default-ignorable, and blank letters and symbols such as U+2800 and U+3164.
"""

_VISIBLE: Final = re.compile("[^{}]".format("".join(f"{chr(first)}-{chr(last)}" for first, last in INVISIBLE)))
_PART: Final = re.compile(r'"([^"]*)"|(\S+)')


def fold(text: str) -> str:
    """Normalize text for searching: ignore case, Unicode composition (NFC) and the dot that İ has in lower case."""
    return unicodedata.normalize("NFC", text.casefold().replace("i\u0307", "i"))


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


def has_visible_character(text: str) -> bool:
    """Whether the text has a character that is not in INVISIBLE."""
    return _VISIBLE.search(text) is not None


def search_parts(text: str) -> list[str]:
    """The words of a search, in its order; what is between two quotation marks is one part, as it stands.

    A quotation mark without a partner, or in the midst of a word, is a character like any other.
    """
    return [quoted or word for quoted, word in _PART.findall(text) if quoted or word]


def json_size(text: str) -> int:
    """Bytes of the text as a JSON string in UTF-8 (RFC 8259 §7), without its quotation marks."""
    if text.isascii() and text.isprintable():
        return len(text) + text.count('"') + text.count("\\")
    return len(encode_basestring(text).encode()) - 2
