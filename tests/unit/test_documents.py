"""What the documents say is so."""

import re
from pathlib import Path

import pytest
from attrs import fields

from entrypoints.settings import SettingError, Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
ENV_EXAMPLE = (ROOT / ".env.example").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()

SETTINGS = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \|", OPERATIONS, re.MULTILINE))


def is_read(name: str) -> bool:
    """Whether the settings mind what this one is."""
    try:
        Settings.from_env({name: "\0"})
    except SettingError as error:
        return str(error).startswith(f"{name}=")
    return Settings.from_env({name: "\0"}) != Settings.from_env({})


def test_every_documented_setting_is_read_and_no_other_exists() -> None:
    assert all(is_read(name) for name in SETTINGS)
    source = (ROOT / "src" / "entrypoints" / "settings.py").read_text()
    assert set(re.findall(r'read\("([A-Z_]+)"', source)) == set(SETTINGS)
    assert len(SETTINGS) == len(fields(Settings)) + 2, "the base and the leave for plain http are not kept"


def test_the_documented_defaults_are_the_defaults() -> None:
    spoken = {"DATABASE_URL", "EVO_TODO_JWKS_URL", "EVO_TODO_ISSUER", "EVO_TODO_AUDIENCE", "EVO_TODO_LOG_FORMAT"}
    spoken |= {"EVO_TODO_SERVICE_ROLE", "EVO_TODO_SERVICE_PASSWORD"}
    spoken |= {"EVO_TODO_TRUSTED_PROXIES"}
    given = {name: default.strip("` ") for name, default in SETTINGS.items() if name not in spoken}
    assert Settings.from_env(given) == Settings.from_env({})


def test_the_example_of_an_env_file_has_every_setting() -> None:
    named = set(re.findall(r"^#? ?([A-Z][A-Z_]+)=", ENV_EXAMPLE, re.MULTILINE))
    assert set(SETTINGS) <= named


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        "CONTRIBUTING.md",
        "docs/frontend.md",
        "docs/operations.md",
        "docs/performance.md",
        "docs/security.md",
        "SECURITY.md",
    ],
)
def test_links_and_make_targets_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text()
    for target in re.findall(r"\bmake ([a-z0-9]+)\b", text):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target
    for link in re.findall(r"\]\((?!https?://)([^)#]+)\)", text) + re.findall(r'src(?:set)?="([^"]+)"', text):
        assert ((ROOT / document).parent / link).exists(), link


def test_the_table_of_calls_names_every_path() -> None:
    for path in (
        "/api/{user_id}/tasks`",
        "/api/{user_id}/tasks/{task_id}`",
        "/api/{user_id}/tasks/{task_id}/complete`",
        "/api/{user_id}/tasks/{task_id}/restore`",
    ):
        assert path in README
