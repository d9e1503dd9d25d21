"""The documents match the code: settings, defaults, links, make targets, file names."""

import re
from pathlib import Path

import pytest
from attrs import fields

from entrypoints.settings import SettingError, Settings

ROOT = Path(__file__).parents[2]
REQUESTS = (ROOT / "docs" / "reference" / "api.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
ENV_EXAMPLE = (ROOT / ".env.example").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
DOCUMENTS = sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SOURCES = [
    f"/{path.relative_to(ROOT)}" for folder in ("src", "tests", "docs") for path in (ROOT / folder).rglob("*.py")
]

SETTINGS = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \|", OPERATIONS, re.MULTILINE))


def is_read(name: str) -> bool:
    """Whether the settings read this variable."""
    try:
        Settings.from_env({name: "\0"})
    except SettingError as error:
        return str(error).startswith(f"{name}=")
    return Settings.from_env({name: "\0"}) != Settings.from_env({})


def test_every_documented_setting_is_read_and_no_other_exists() -> None:
    assert all(is_read(name) for name in SETTINGS)
    source = (ROOT / "src" / "entrypoints" / "settings.py").read_text()
    assert set(re.findall(r'(?:read|setting)\(\s*"([A-Z_]+)"', source)) == set(SETTINGS)
    assert len(SETTINGS) == len(fields(Settings)) + 2, "the base URL and the permission for plain http are not stored"


def test_the_documented_defaults_are_the_defaults() -> None:
    described_in_words = {
        "DATABASE_URL",
        "EVO_TODO_AUDIENCE",
        "EVO_TODO_ISSUER",
        "EVO_TODO_JWKS_URL",
        "EVO_TODO_LISTEN_URL",
        "EVO_TODO_LOG_FORMAT",
        "EVO_TODO_READ_URL",
        "EVO_TODO_ROOT_PATH",
        "EVO_TODO_SCOPE",
        "EVO_TODO_SERVICE_PASSWORD",
        "EVO_TODO_SERVICE_ROLE",
        "EVO_TODO_TRUSTED_PROXIES",
    }
    literal = {name: default.strip("` ") for name, default in SETTINGS.items() if name not in described_in_words}
    assert Settings.from_env(literal) == Settings.from_env({})


def test_the_example_env_file_has_every_setting() -> None:
    named = set(re.findall(r"^#? ?([A-Z][A-Z_]+)=", ENV_EXAMPLE, re.MULTILINE))
    assert set(SETTINGS) <= named


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_and_make_targets_exist(document: str) -> None:
    text = (ROOT / document).read_text()
    code = "\n".join(re.findall(r"```[a-z]*\n.*?```|`[^`]+`", text, re.DOTALL))
    for target in re.findall(r"\bmake ([a-z0-9]+)\b", code):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target
    for link in re.findall(r"\]\((?!https?://)([^)#]+)\)", text) + re.findall(r'src(?:set)?="([^"]+)"', text):
        assert ((ROOT / document).parent / link).exists(), link


@pytest.mark.parametrize("document", DOCUMENTS)
def test_source_files_named_in_a_document_exist(document: str) -> None:
    for name in re.findall(r"`([a-z0-9_/]+\.py)`", (ROOT / document).read_text()):
        assert any(source.endswith(f"/{name}") for source in SOURCES), name


def test_the_table_of_requests_names_every_path() -> None:
    for path in (
        "/api/{user_id}/tasks`",
        "/api/{user_id}/tasks/{task_id}`",
        "/api/{user_id}/tasks/{task_id}/complete`",
        "/api/{user_id}/tasks/{task_id}/restore`",
    ):
        assert path in REQUESTS
