"""A look at everything between a sign-in and a task: what the settings say, held against the world."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from attrs import frozen

from adapters.sql.diagnostics import DATABASE, ROW_SECURITY, TABLES, check_database
from adapters.tokens.doctor.issuer_check import CLOCK, KEY_SET, KEYS, check_issuer
from adapters.tokens.doctor.token_check import TOKEN, check_token
from adapters.tokens.jwks import HttpJwks, key_set_client
from application.health import Finding, quoted
from entrypoints.cors_check import CORS, check_origin
from entrypoints.providers import token_rules
from entrypoints.settings import SettingError, Settings, origin_of

SETTINGS, EXPECTED, KEY_SET_ORIGIN = "settings", "expected-claims", "key-set-origin"
CHECKS: Final = (SETTINGS, KEY_SET, KEYS, CLOCK, EXPECTED, KEY_SET_ORIGIN, TOKEN, CORS, DATABASE, TABLES, ROW_SECURITY)
"""Every check, in the order in which they are told."""
DEADLINE: Final = 8.0
"""Seconds after which what has not answered is told to hang; each check has shorter ones of its own."""

_BASE: Final = ("BETTER_AUTH_BASE_URL", "EVO_TODO_JWKS_URL", "EVO_TODO_ALLOW_HTTP_JWKS")

Findings = tuple[Finding, ...]


@frozen(kw_only=True)
class Doctor:
    """Judges an environment; it changes nothing, and asks only the issuer and the database."""

    env: Mapping[str, str]
    token: str | None = None
    origin: str | None = None
    """`None`: the base's."""
    now: Callable[[], float] = time.time
    deadline: float = DEADLINE

    async def __call__(self) -> Findings:
        """Every check's finding, in order; none raises, none takes longer than the deadline."""
        try:
            settings = Settings.from_env(self.env)
        except SettingError as error:
            failed = Finding.failed(SETTINGS, str(error), "correct it: docs/operations.md says what each takes")
            return (failed, *(Finding.skipped(name, "the settings can't be read") for name in CHECKS[1:]))
        about_issuer, about_database = await asyncio.gather(
            self._in_time(self._ask_issuer(settings), KEY_SET, KEYS, CLOCK, TOKEN),
            self._in_time(_ask_database(settings), DATABASE, TABLES, ROW_SECURITY),
        )
        origin = _base_origin(self.env) if self.origin is None else self.origin
        *keys, token = about_issuer
        return (
            Finding.ok(SETTINGS, "all can be read"),
            *keys,
            *_expectations(settings),
            token,
            check_origin(origin, settings.cors_origins),
            *about_database,
        )

    async def _in_time(self, asking: Awaitable[Findings], *names: str) -> Findings:
        """What it finds; where it hangs or fails in a way nobody foresaw, the first of its checks has failed."""
        first, *others = names
        try:
            async with asyncio.timeout(self.deadline):
                return await asking
        except TimeoutError:
            failed = Finding.failed(first, f"no answer within {self.deadline:g} s", "see what hangs there")
        except Exception as error:  # noqa: BLE001  (a traceback helps nobody here, and its text may hold a secret)
            failed = Finding.failed(first, f"unforeseen: {type(error).__name__}", "see that its address is right")
        return (failed, *(Finding.skipped(name, f"{first} was not answered") for name in others))

    async def _ask_issuer(self, settings: Settings) -> Findings:
        async with key_set_client() as client:
            probed = await check_issuer(HttpJwks(client, settings.jwks_url), leeway=settings.leeway, now=self.now)
        if self.token is None:
            judged = Finding.skipped(TOKEN, "none was given", "evo-todo doctor --token - reads one")
        else:
            judged = await check_token(self.token, probed.keys, token_rules(settings), self.now)
        return (*probed.findings, judged)


async def _ask_database(settings: Settings) -> Findings:
    if settings.database_url is None:
        return (
            Finding.failed(
                DATABASE,
                "DATABASE_URL is not set",
                "set it to postgresql://user:password@host/name or sqlite:///path; evo-todo dev brings its own",
            ),
            *(Finding.skipped(name, "there is no database") for name in (TABLES, ROW_SECURITY)),
        )
    return await check_database(settings.database_url, allows_bypass=settings.allow_rls_bypass)


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
        "fine if both are your Better Auth; else set EVO_TODO_JWKS_URL or EVO_TODO_ISSUER",
    )


def _base_origin(env: Mapping[str, str]) -> str:
    """The base's origin, which is the issuer where nothing else is said."""
    return Settings.from_env({name: env[name] for name in _BASE if name in env}).issuer


def examine(doctor: Doctor) -> Findings:
    """What the doctor finds. The loop is left as it is, for closing it waits for threads that may hang."""
    return asyncio.new_event_loop().run_until_complete(doctor())
