"""A frontend that cannot do what its settings say does not start, and says why in one line."""

from pathlib import Path

import pytest

from tests.support.frontend import ended_at_start

SECRET = "Hidden-And-Never-To-Be-Shown"
ELSEWHERE = "https://todo.example.com"


def refusal_of_start(folder: Path, settings: dict[str, str]) -> str:
    """The line that the process ends with."""
    ended = ended_at_start(folder=folder, settings=settings)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert "SettingError" not in ended.stdout
    assert SECRET not in ended.stdout + ended.stderr
    return str(line)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"BETTER_AUTH_SECRETS": f"1:{SECRET}"}, "at least 32"),
        ({"BETTER_AUTH_SECRETS": f"{SECRET}{SECRET}"}, "a version before each secret"),
        ({"BETTER_AUTH_SECRET": SECRET}, "at least 32"),
        ({"BETTER_AUTH_BASE_URL": f"{ELSEWHERE}/app"}, "without a path"),
        ({"BETTER_AUTH_BASE_URL": f"https://alice:{SECRET}@todo.example.com"}, "http or https address"),
        ({"DATABASE_URL": "sqlite:///auth.db"}, "takes postgresql://"),
        ({"DATABASE_URL": f"mysql://alice:{SECRET}@db.example.com/auth"}, "takes postgresql://"),
        ({"DATABASE_URL": f"mysql://db.example.com/auth?user=alice&password={SECRET}"}, "takes postgresql://"),
        ({"EVO_TODO_TRUSTED_PROXIES": "10.0.0.0/8,proxy.example.com"}, "addresses and networks"),
        ({"EVO_TODO_TOKEN_LIFETIME": "900"}, "a time with its unit"),
        ({"EVO_TODO_KEY_GRACE": "14m"}, "for as long token lives"),
        ({"EVO_TODO_ISSUER": ""}, "not empty"),
    ],
)
def test_a_setting_that_cannot_be_read_stops_the_start_with_one_line_about_it(
    settings: dict[str, str], says: str, tmp_path: Path
) -> None:
    line = refusal_of_start(tmp_path, settings)

    assert line.startswith("SettingError: ")
    assert next(iter(settings)) in line
    assert says in line


def test_away_from_this_machine_it_makes_no_secret_of_its_own(tmp_path: Path) -> None:
    assert "BETTER_AUTH_SECRETS is not set" in refusal_of_start(tmp_path, {"BETTER_AUTH_BASE_URL": ELSEWHERE})
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_does_not_answer_stops_the_start_without_a_word_of_its_password(tmp_path: Path) -> None:
    address = f"postgresql://alice:{SECRET}@127.0.0.1:1/auth"

    assert "ECONNREFUSED" in refusal_of_start(tmp_path, {"DATABASE_URL": address})
