"""Test cases for JSON parsing, above all what is not one strict JSON object (R4, R12), and hypothesis strategies."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

NOT_ONE_OBJECT = [
    b"",
    b" ",
    b"null",
    b"true",
    b"5",
    b'"text"',
    b"[]",
    b'[{"alg":"EdDSA","kid":"key-1"}]',
    b'["alg","kid"]',
    b"{",
    b"{}{}",
    b'{"a":1,}',
    b"{'a':1}",
    b'{"a":1}//',
    b'{"a":1}\0',
    b"[" * 5000,
    b'{"a":' * 1100,
]
BAD_MEMBERS = [
    b'"typ":"JWT","typ":"JWT"',
    b'"x":1,"\\u0078":1',
    b'"x":{"a":1,"a":1}',
    b'"x":[{"a":1},{"b":{"c":[],"c":{}}}]',
    b'"x":NaN',
    b'"x":Infinity',
    b'"x":-Infinity',
    b'"x":[NaN]',
    b'"x":{"y":Infinity}',
    b'"x":' + b"9" * 5000,
    b'"x":' + b"[" * 5000,
    b'"x":"\xe9"',
    b'"x":"\xc0\xaf"',
    b'"x":"\xed\xa0\x80"',
    b'"x":"\xf4\x90\x80\x80"',
    b'"x":"\xff\xfe"',
    b'"x":"a\nb"',
    b'"x":"\0"',
    b'"x":01',
    b'"x":+1',
    b'"x":.5',
    b'"x":0x10',
    b'"x":"\\x41"',
    b'"x":True',
    b"x:1",
    b'"x":1,',
    b"/**/",
]
WRONG_ENCODINGS = ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"]
"""For text with a non-ASCII letter."""


def short(value: object) -> str:
    """A test ID for the value."""
    return ascii(value)[:32]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=5), SCALARS, max_size=3)
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Without a deadline, so that a busy machine changes no outcome."""
