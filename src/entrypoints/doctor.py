"""Diagnosis of a deployment: checks the settings against the issuer, a token, the CORS origin and the database.

Also how the command `doctor` reads a token, and writes its report as text and as JSON.
"""

import asyncio
import json
import os
import re
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import click
from attrs import frozen

from adapters.sql.address import DatabaseAddress
from adapters.sql.diagnostics import DATABASE, ROW_SECURITY, TABLES, check_database
from adapters.sql.other_addresses import NOTIFICATIONS, REPLICA, check_notifications, check_replica
from adapters.tokens.doctor.issuer_check import CLOCK, KEY_SET, KEYS, check_issuer
from adapters.tokens.doctor.token_check import TOKEN, check_token
from adapters.tokens.jwks import HttpJwks, key_set_client
from adapters.tokens.jws import MAX_LENGTH
from application.health import Finding, Status, all_passed, quoted
from entrypoints.origins import CORS, check_origin, origin_of
from entrypoints.settings import SettingError, Settings

SETTINGS, EXPECTED, KEY_SET_ORIGIN = "settings", "expected-claims", "key-set-origin"
CHECKS: Final = (SETTINGS, KEY_SET, KEYS, CLOCK, EXPECTED, KEY_SET_ORIGIN, TOKEN, CORS, DATABASE, TABLES, ROW_SECURITY)
"""All checks of every deployment, in the order of the report; then those of a replica and of notifications, if any."""
DEADLINE: Final = 8.0
"""Seconds after which a check is reported to hang; each check has shorter timeouts of its own."""

_MARKS: Final = {
    Status.OK: ("ok", "green"),
    Status.NOTE: ("note", "yellow"),
    Status.FAILED: ("FAIL", "red"),
    Status.SKIPPED: ("--", None),
}
_WIDTH: Final = max(len(mark) for mark, _ in _MARKS.values())

STDIN_TIMEOUT: Final = 5.0
"""Seconds to wait for a line on standard input."""
_STDIN: Final = 0  # not sys.stdin: a thread that waits would hold its lock at the interpreter's exit
_BASE: Final = ("BETTER_AUTH_BASE_URL", "EVO_TODO_JWKS_URL", "EVO_TODO_ALLOW_HTTP_JWKS")

Findings = tuple[Finding, ...]


@frozen(kw_only=True)
class Doctor:
    """Checks an environment. Changes nothing, and connects only to the issuer and the database."""

    env: Mapping[str, str]
    token: str | None = None
    origin: str | None = None
    """`None`: the origin of the base URL."""
    now: Callable[[], float] = time.time
    deadline: float = DEADLINE

    async def __call__(self) -> Findings:
        """Return the findings of all checks, in order. Never raises, and takes no longer than the deadline."""
        try:
            settings = Settings.from_env(self.env)
        except SettingError as error:
            failed = Finding.failed(SETTINGS, str(error), "correct it: docs/operations.md describes all settings")
            return (failed, *(Finding.skipped(name, "the settings are invalid") for name in CHECKS[1:]))
        of_issuer, of_database = await asyncio.gather(
            self._in_time(self._check_issuer(settings), KEY_SET, KEYS, CLOCK, TOKEN),
            self._in_time(_check_database(settings), DATABASE, TABLES, ROW_SECURITY),
        )
        origin = _base_origin(self.env) if self.origin is None else self.origin
        of_others = await self._check_others(settings, of_database)
        *keys, token = of_issuer
        return (
            Finding.ok(SETTINGS, "all are valid"),
            *keys,
            *_expectations(settings),
            token,
            check_origin(origin, settings.cors_origins),
            *of_database,
            *of_others,
        )

    async def _check_others(self, settings: Settings, of_database: Findings) -> Findings:
        """The replica, and the notifications where they have an address or do not arrive; nothing on SQLite."""
        url, read_url, listen_url = settings.database_url, settings.read_url, settings.listen_url
        if url is None or DatabaseAddress.parse(url).is_sqlite:
            return ()
        named = [*([REPLICA] if read_url else []), *([NOTIFICATIONS] if listen_url else [])]
        if of_database[0].status is Status.FAILED:
            return tuple(Finding.skipped(name, "the database can't be read") for name in named)
        knows = {"prepared_statements": settings.prepared_statements}
        found: list[Finding] = []
        if read_url is not None:
            check = check_replica(url, read_url, allows_bypass=settings.allow_rls_bypass, **knows)
            found += await self._in_time(_only(check), REPLICA)
        found += await self._in_time(_only(check_notifications(url, listen_url, **knows)), NOTIFICATIONS)
        return tuple(found)

    async def _in_time(self, checks: Awaitable[Findings], *names: str) -> Findings:
        """Await the findings. On a timeout or an unexpected error, the first check fails; the others are skipped."""
        first, *others = names
        try:
            async with asyncio.timeout(self.deadline):
                return await checks
        except TimeoutError:
            failed = Finding.failed(first, f"no response within {self.deadline:g} s", "find out what hangs there")
        except Exception as error:  # noqa: BLE001  (reported as a finding; its text may contain a secret)
            failed = Finding.failed(first, f"unexpected error: {type(error).__name__}", "check the address")
        return (failed, *(Finding.skipped(name, f"{first} failed") for name in others))

    async def _check_issuer(self, settings: Settings) -> Findings:
        async with key_set_client() as client:
            probed = await check_issuer(HttpJwks(client, settings.jwks_url), leeway=settings.leeway, now=self.now)
        if self.token is None:
            checked = Finding.skipped(TOKEN, "no token was given", "evo-todo doctor --token - reads one")
        else:
            checked = await check_token(self.token, probed.keys, settings.token_rules, self.now)
        return (*probed.findings, checked)


async def _only(check: Awaitable[Finding | None]) -> Findings:
    finding = await check
    return () if finding is None else (finding,)


async def _check_database(settings: Settings) -> Findings:
    if settings.database_url is None:
        return (
            Finding.failed(
                DATABASE,
                "DATABASE_URL is not set",
                "set it to postgresql://user:password@host/name or sqlite:///path; evo-todo dev creates a database",
            ),
            *(Finding.skipped(name, "there is no database") for name in (TABLES, ROW_SECURITY)),
        )
    return await check_database(
        settings.database_url,
        allows_bypass=settings.allow_rls_bypass,
        prepared_statements=settings.prepared_statements,
        is_sharded=settings.sharded,
    )


def _expectations(settings: Settings) -> Findings:
    expected = Finding.ok(
        EXPECTED,
        f"tokens must have `iss` {quoted(settings.issuer)}, and {quoted(settings.audience)} in `aud`",
    )
    source = origin_of(settings.jwks_url)
    if source == settings.issuer:
        return expected, Finding.ok(KEY_SET_ORIGIN, "the keys are from the issuer's own origin")
    return expected, Finding.note(
        KEY_SET_ORIGIN,
        f"the keys are from {quoted(source)}, the issuer is {quoted(settings.issuer)}",
        "this is fine if both are your Better Auth; else set EVO_TODO_JWKS_URL or EVO_TODO_ISSUER",
    )


def _base_origin(env: Mapping[str, str]) -> str:
    """Return the origin of the base URL, which is the default issuer."""
    return Settings.from_env({name: env[name] for name in _BASE if name in env}).issuer


def examine(doctor: Doctor) -> Findings:
    """Run the doctor. The event loop is not closed, because that would wait for threads that may hang."""
    return asyncio.new_event_loop().run_until_complete(doctor())


def as_text(findings: Sequence[Finding]) -> str:
    """Format the findings as one line each: mark, name of the check, detail, and advice after an arrow."""
    longest = max(len(finding.name) for finding in findings)
    return "".join(f"{_line(finding, longest)}\n" for finding in findings)


def as_json(findings: Sequence[Finding]) -> str:
    """Format the findings as one JSON document: whether no check failed, and each finding."""
    checks = [
        {"name": one.name, "status": one.status.value, "detail": one.detail, "advice": one.advice} for one in findings
    ]
    return json.dumps({"ok": all_passed(findings), "checks": checks}, indent=2) + "\n"


def _line(finding: Finding, longest: int) -> str:
    mark, colour = _MARKS[finding.status]
    advice = f" -> {finding.advice}" if finding.advice else ""
    text = _escaped(f"{finding.name:{longest}}  {finding.detail}{advice}")
    return f"{click.style(f'{mark:{_WIDTH}}', fg=colour)}  {text}"


def _escaped(text: str) -> str:
    """Escape everything but printable ASCII, so that the text fits on one line and cannot control the terminal."""
    return re.sub(r"[^ -~]", lambda character: ascii(character[0])[1:-1], text)


def read_token(timeout: float = STDIN_TIMEOUT) -> str:
    """Read the first line of standard input without its line break; prompt for it on a terminal.

    Raises:
        ClickException: no line arrives in time.
    """
    if os.isatty(_STDIN):
        return str(click.prompt("Token", hide_input=True, err=True))
    received = bytearray()
    reader = threading.Thread(target=_read_line, args=(received,), daemon=True)
    reader.start()
    reader.join(timeout)
    if reader.is_alive():
        raise click.ClickException(f"no line on standard input within {timeout:g} s: close it, or use --token T")
    return received.decode("utf-8", "replace").partition("\n")[0].removesuffix("\r")


def _read_line(received: bytearray) -> None:
    # A token of more than MAX_LENGTH is rejected anyway, so there is no need to read further.
    with suppress(OSError):
        while len(received) <= MAX_LENGTH and b"\n" not in received and (chunk := os.read(_STDIN, MAX_LENGTH)):
            received += chunk
