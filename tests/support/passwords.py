"""Passwords that are hard to keep out of messages, the addresses they are in, and what commands say about those."""

import os
from typing import Final
from urllib.parse import quote

from click.testing import CliRunner
from hypothesis import strategies as st

from entrypoints.cli import main
from entrypoints.doctor import Doctor, as_json, as_text
from entrypoints.settings import SettingError, Settings
from tests.support.postgres_local import free_port

WORDS: Final = st.text("bcdfghjkmnqvwxz0123456789", min_size=8, max_size=12)
_RESERVED: Final = "@:/?#[]%&=+\\ '\"$,;~\t\u00e9\u2100\uff20\u200b"
_ODD: Final = st.text(st.sampled_from(_RESERVED) | st.characters(codec="utf-8", min_codepoint=0x80), max_size=6)
PART: Final = 8
"""Consecutive characters of a password that nothing may repeat."""
PASSWORDS: Final = (
    st.lists(WORDS | _ODD, min_size=1, max_size=5)
    .map(lambda parts: "".join(parts).replace("\0", ""))
    .filter(lambda password: len(password) >= PART)
)
"""Long enough to be recognised, with what an address reserves in between."""

NOBODY: Final = f"127.0.0.1:{free_port()}"
"""Where nothing listens."""
MISSPELT: Final = (
    f"postgresql://me:{{}}@{NOBODY}/tasks",
    f"postgresql://me:{{}}@{NOBODY}",
    f"postgres://:{{}}@{NOBODY}/tasks",
    "postgresql://me:{}",
    "postgresql://me:12/{}@127.0.0.1/tasks",
    "postgresql://me:12?x={}@127.0.0.1/tasks",
    "postgresql://me:{}%40127.0.0.1/tasks",
    f"postgresql://{NOBODY}/tasks?user=me&password={{}}",
    f"postgresql+asyncpg://me:{{}}@{NOBODY}/tasks?sslmode=nonsense",
    f"postgresql:/me:{{}}@{NOBODY}/tasks",
    f"POSTGRESQL://me:{{}}@{NOBODY}/tasks",
    f"mysql://me:{{}}@{NOBODY}/tasks",
    "sqlite:///me:{}@no-host/tasks",
    "sqlite://me:{}@no-host/tasks",
    "host=127.0.0.1 user=me password={} dbname=tasks",
    "{}",
)
"""Addresses of databases with a password in them, well or badly."""


def leaks(password: str, *outputs: str) -> list[str]:
    """The parts of a password that an output repeats, in any spelling; not those that any output may have by chance."""
    parts = {password[begin : begin + PART] for begin in range(len(password) - PART + 1)}
    telling = {part for part in parts if len(set(part)) > PART // 2}
    spelt = {form for part in telling for form in (part, quote(part), quote(part, safe=""), ascii(part)[1:-1])}
    said = {form for output in outputs for form in (output, output.replace("\\\\", "\\"))}
    return [part for part in spelt if any(part in one for one in said)]


def refusal(env: dict[str, str]) -> str | None:
    """What is said of invalid settings, in a message or a traceback; `None` if they are valid."""
    try:
        Settings.from_env(env)
    except SettingError as error:
        return f"{error} {error!r}{'' if error.__suppress_context__ else repr(error.__context__)}"
    return None


def said_by(*arguments: str, **env: str) -> str:
    """Everything that a failing command says, run in this process."""
    without: dict[str, str | None] = {name: None for name in os.environ if name.startswith(("EVO_TODO", "PG"))}
    result = CliRunner().invoke(main, arguments, env=without | env)
    assert isinstance(result.exception, SystemExit), f"{arguments}: {result.exception!r}"
    assert result.exit_code != 0
    return result.output


async def said_by_doctor(**env: str) -> str:
    """Everything that the doctor says, in both formats."""
    findings = await Doctor(env=env, deadline=1.5)()
    return as_text(findings) + as_json(findings)
