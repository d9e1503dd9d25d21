"""With invalid settings the frontend does not start, and prints the reason in one line."""

from pathlib import Path
from secrets import token_urlsafe

import httpx
import pytest

from tests.support.frontend import Frontend, ended_at_start, frontend

SECRET = "Hidden-And-Never-To-Be-Shown"
ELSEWHERE = "https://todo.example.com"


def startup_error(folder: Path, settings: dict[str, str]) -> str:
    """The only line that the process prints to stderr."""
    ended = ended_at_start(folder=folder, settings=settings)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert "SettingError" not in ended.stdout
    assert SECRET not in ended.stdout + ended.stderr
    return str(line)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"BETTER_AUTH_SECRETS": f"1:{SECRET}"}, "at least 32"),
        ({"BETTER_AUTH_SECRETS": f"{SECRET}{SECRET}"}, "a version before each secret"),
        ({"BETTER_AUTH_SECRET": SECRET}, "at least 32"),
        ({"BETTER_AUTH_BASE_URL": f"{ELSEWHERE}/app"}, "without a path"),
        ({"BETTER_AUTH_BASE_URL": f"https://alice:{SECRET}@todo.example.com"}, "http or https URL"),
        ({"DATABASE_URL": "sqlite:///auth.db"}, "must be postgresql://"),
        ({"DATABASE_URL": f"mysql://alice:{SECRET}@db.example.com/auth"}, "must be postgresql://"),
        ({"DATABASE_URL": f"mysql://db.example.com/auth?user=alice&password={SECRET}"}, "must be postgresql://"),
        ({"EVO_TODO_TRUSTED_PROXIES": "10.0.0.0/8,proxy.example.com"}, "addresses and networks"),
        ({"EVO_TODO_TOKEN_LIFETIME": "900"}, "a duration with a unit"),
        ({"EVO_TODO_KEY_GRACE": "14m"}, "must not be shorter than EVO_TODO_TOKEN_LIFETIME"),
        ({"EVO_TODO_ISSUER": ""}, "must not be empty"),
    ],
)
def test_an_invalid_setting_stops_the_start_with_one_line(
    settings: dict[str, str], message: str, tmp_path: Path
) -> None:
    line = startup_error(tmp_path, settings)

    assert line.startswith("SettingError: ")
    assert next(iter(settings)) in line
    assert message in line


def test_no_secret_is_generated_for_a_url_that_is_not_on_this_machine(tmp_path: Path) -> None:
    assert "BETTER_AUTH_SECRETS is not set" in startup_error(tmp_path, {"BETTER_AUTH_BASE_URL": ELSEWHERE})
    assert list(tmp_path.iterdir()) == []


def test_an_unreachable_database_stops_the_start_without_printing_its_password(tmp_path: Path) -> None:
    address = f"postgresql://alice:{SECRET}@127.0.0.1:1/auth"

    assert "ECONNREFUSED" in startup_error(tmp_path, {"DATABASE_URL": address})


@pytest.mark.parametrize("kept", ["in the settings", "in the data folder"])
def test_keys_that_were_encrypted_with_another_secret_stop_the_start_with_what_to_do(
    kept: str, postgres_url: str, tmp_path: Path
) -> None:
    old, new = ({"BETTER_AUTH_SECRETS": f"1:{token_urlsafe(32)}"} for _ in range(2))
    with frontend(folder=tmp_path, settings={"DATABASE_URL": postgres_url} | old):
        pass

    ended = ended_at_start(
        folder=tmp_path, settings={"DATABASE_URL": postgres_url} | (new if kept == "in the settings" else {})
    )

    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert "encrypted with another secret" in line
    assert "BETTER_AUTH_SECRETS=2:<new>,1:<old>" in line
    assert "DELETE FROM auth.jwks" in line


@pytest.mark.parametrize("name", ["127.0.0.1", "[::1]"])
def test_pages_at_another_name_of_this_machine_lead_to_the_base_url(name: str, embedded: Frontend) -> None:
    with httpx.Client(trust_env=False, verify=False) as browser:
        host = {"Host": f"{name}:{embedded.port}"}
        page = browser.get(f"{embedded.address}/login?a=b", headers=host)
        keys = browser.get(f"{embedded.address}/api/auth/jwks", headers=host)
        elsewhere = browser.get(f"{embedded.address}/login", headers={"Host": f"home.test:{embedded.port}"})

    assert page.headers["Refresh"] == f"0; url={embedded.url}/login?a=b"
    assert f"{embedded.url}/login?a=b" in page.text
    assert "Refresh" not in elsewhere.headers
    assert (keys.status_code, elsewhere.status_code) == (200, 200)
