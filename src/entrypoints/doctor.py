"""Diagnosis of a deployment: checks the settings against the issuer, a token, the CORS origin and the database."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen

from adapters.sql.address import shown
from adapters.sql.diagnostics import DATABASE, ROW_SECURITY, TABLES, check_database
from adapters.tokens.doctor.issuer_check import CLOCK, KEY_SET, KEYS, check_issuer
from adapters.tokens.doctor.token_check import TOKEN, check_token
from adapters.tokens.jwks import HttpJwks, key_set_client
from application.health import Finding, quoted
from entrypoints.providers import token_rules
from entrypoints.settings import SettingError, Settings
from entrypoints.settings_parsers import is_origin, origin_of

SETTINGS, EXPECTED, KEY_SET_ORIGIN, CORS = "settings", "expected-claims", "key-set-origin", "cors"
CHECKS: Final = (SETTINGS, KEY_SET, KEYS, CLOCK, EXPECTED, KEY_SET_ORIGIN, TOKEN, CORS, DATABASE, TABLES, ROW_SECURITY)
"""All checks, in the order of the report."""
DEADLINE: Final = 8.0
"""Seconds after which a check is reported to hang; each check has shorter timeouts of its own."""

_BASE: Final = ("BETTER_AUTH_BASE_URL", "EVO_TODO_JWKS_URL", "EVO_TODO_ALLOW_HTTP_JWKS")
_LOOPBACK: Final = ("//localhost", "//127.0.0.1", "//[::1]")

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
        *keys, token = of_issuer
        return (
            Finding.ok(SETTINGS, "all are valid"),
            *keys,
            *_expectations(settings),
            token,
            check_origin(origin, settings.cors_origins),
            *of_database,
        )

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
            checked = await check_token(self.token, probed.keys, token_rules(settings), self.now)
        return (*probed.findings, checked)


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


def check_origin(origin: str, allowed: tuple[str, ...]) -> Finding:
    """Check whether CORS allows an origin, and how it is spelled: browsers use one spelling, compared byte by byte."""
    if origin in allowed:
        return Finding.ok(CORS, f"requests from {quoted(origin)} are allowed")
    if (normal := _normal_origin(origin)) is None:
        return Finding.failed(CORS, *_no_origin(origin))
    if normal != origin:
        return _misspelled(origin, normal, allowed)
    return Finding.failed(
        CORS,
        f"requests from {quoted(origin)} are not allowed; allowed: {', '.join(allowed)}{_similar(origin, allowed)}",
        f"add it to EVO_TODO_CORS_ORIGINS: {','.join((*allowed, origin))}",
    )


def _normal_origin(origin: str) -> str | None:
    try:
        normal = origin_of(origin)
        return normal if is_origin(normal) and urlsplit(origin).hostname else None
    except (KeyError, ValueError):
        return None


def _quoted(origin: str) -> str:
    """Quote an origin that may hold a password by mistake: then its scheme only."""
    return quoted(shown(origin) if "@" in origin else origin)


def _no_origin(origin: str) -> tuple[str, str]:
    if origin == "null":
        return "null is what browsers send for pages from a file or a sandbox", "open the page over http or https"
    if not origin.isascii():
        return (
            f"{_quoted(origin)} is not an origin as browsers send it: its host contains non-ASCII characters",
            "write the host in Punycode (xn--...), here and in EVO_TODO_CORS_ORIGINS",
        )
    return (
        f"{_quoted(origin)} is not an origin: an origin begins with http:// or https:// and names one host",
        "copy --origin from the browser's developer tools, such as https://app.example.com",
    )


def _misspelled(origin: str, normal: str, allowed: tuple[str, ...]) -> Finding:
    detail = (
        f"{_quoted(origin)} is not an origin as browsers send it: {', '.join(_mistakes(origin))}; "
        f"they send {quoted(normal)}, which is"
    )
    if normal in allowed:
        return Finding.note(CORS, f"{detail} allowed", f"write {quoted(normal)} wherever an origin is configured")
    return Finding.failed(
        CORS, f"{detail} not allowed", f"add {quoted(normal)}, without the rest, to EVO_TODO_CORS_ORIGINS"
    )


def _mistakes(origin: str) -> Iterator[str]:
    parts = urlsplit(origin)
    before_path = origin[: len(origin) - len(parts._replace(scheme="", netloc="").geturl())]
    mistakes = {
        "it has a slash at the end": parts.path == "/",
        "it has a path": parts.path not in {"", "/"},
        "it has a query or a fragment": parts.query or parts.fragment,
        "it has a user name or a password": "@" in parts.netloc,
        f"it has the default port :{parts.port}": parts.port == {"http": 80, "https": 443}[parts.scheme],
        "it has upper-case letters": before_path != before_path.lower(),
        "it has white space": any(character.isspace() for character in origin),
    }
    yield from (mistake for mistake, is_made in mistakes.items() if is_made)


def _similar(origin: str, allowed: tuple[str, ...]) -> str:
    for other in allowed:
        if other != origin and _on_localhost(other) == _on_localhost(origin):
            return f" (browsers treat {quoted(other)} as another origin)"
        if other.partition("://")[2] == origin.partition("://")[2]:
            return " (http and https are different origins)"
    return ""


def _on_localhost(origin: str) -> str:
    for host in _LOOPBACK:
        origin = origin.replace(host, _LOOPBACK[0])
    return origin


def examine(doctor: Doctor) -> Findings:
    """Run the doctor. The event loop is not closed, because that would wait for threads that may hang."""
    return asyncio.new_event_loop().run_until_complete(doctor())
