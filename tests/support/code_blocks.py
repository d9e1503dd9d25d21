"""The code blocks of a document that name a file: their language, title and text."""

import re
import textwrap
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def titled_blocks(page: str) -> dict[str, str]:
    """The blocks with `title="…"` of a page in docs/, by their title."""
    return dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', (DOCS / page).read_text(), re.DOTALL | re.MULTILINE))


def shell_blocks(page: str) -> list[str]:
    """The shell commands of a page in docs/, one text per block."""
    return blocks(page, "sh")


def blocks(page: str, language: str) -> list[str]:
    """The blocks in this language without a title, also of a list's item."""
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```$", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(text) for text in found]
