"""Everything one can set, read once from the environment, and refused in words where it can't be read."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Final, NoReturn, TypeVar
from urllib.parse import urlsplit

from attrs import field, frozen

from domain.rate_limit import RateLimit
from entrypoints.settings_parsers import Network, address_limit, limits_store, networks

T = TypeVar("T")

_ORIGIN: Final = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?")
_DATABASES: Final = ("postgresql://", "postgres://", "postgresql+asyncpg://", "sqlite:///", "sqlite+aiosqlite:///")
LOG_FORMATS: Final = ("console", "json")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")


class SettingError(Exception):
    """A setting can't be read; the message is one line that names it, its value, and what it takes."""


@frozen(kw_only=True)
class Settings:
    """See docs/operations.md for what each means. Times are in seconds."""

    database_url: str | None
    issuer: str
    audience: str
    jwks_url: str
    jwks_ttl: float
    jwks_cooldown: float
    jwks_max_stale: float
    max_token_lifetime: float
    leeway: float
    revocation_max_stale: float
    audit_retention: float
    tombstone_retention: float
    cors_origins: tuple[str, ...]
    rate_limit: RateLimit | None
    """Per user; `None`: off."""
    address_rate_limit: RateLimit | None
    """Per address, for what nobody vouches for; `None`: off."""
    limits_store: str | None
    """`None`: each worker's own memory."""
    trusted_proxies: tuple[Network, ...]
    host: str
    port: int
    workers: int
    log_format: str | None
    """`None`: console on a terminal, else json."""
    log_level: str
    service_role: str | None
    """Whom `migrate` makes for `serve`; `None`: nobody."""
    service_password: str | None = field(repr=False)
    allow_rls_bypass: bool

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Settings":
        """Read the settings.

        Raises:
            SettingError: one can't be read.
        """
        read = _Reader(env)
        base = read("BETTER_AUTH_BASE_URL", "http://localhost:3000", _base_url)
        origin = origin_of(base)
        jwks_url = read("EVO_TODO_JWKS_URL", f"{base}/api/auth/jwks", _url)
        allow_http = read("EVO_TODO_ALLOW_HTTP_JWKS", "false", _boolean)
        if not (allow_http or jwks_url.startswith("https://") or _is_loopback(jwks_url)):
            name = "EVO_TODO_JWKS_URL" if "EVO_TODO_JWKS_URL" in env else "BETTER_AUTH_BASE_URL"
            read.refuse(
                name,
                "plain http outside this machine lets others forge keys: use https, or set "
                "EVO_TODO_ALLOW_HTTP_JWKS=true where the network is yours alone",
            )
        return cls(
            database_url=read("DATABASE_URL", None, _database_url),
            issuer=read("EVO_TODO_ISSUER", origin, _text),
            audience=read("EVO_TODO_AUDIENCE", origin, _text),
            jwks_url=jwks_url,
            jwks_ttl=read("EVO_TODO_JWKS_TTL", "600", _seconds),
            jwks_cooldown=read("EVO_TODO_JWKS_COOLDOWN", "30", _seconds),
            jwks_max_stale=read("EVO_TODO_JWKS_MAX_STALE", "86400", _seconds),
            max_token_lifetime=read("EVO_TODO_MAX_TOKEN_LIFETIME", "604800", _seconds),
            leeway=read("EVO_TODO_LEEWAY", "30", _leeway),
            revocation_max_stale=read("EVO_TODO_REVOCATION_MAX_STALE", "30", _seconds),
            audit_retention=read("EVO_TODO_AUDIT_RETENTION", "7776000", _seconds),
            tombstone_retention=read("EVO_TODO_TOMBSTONE_RETENTION", "2592000", _seconds),
            cors_origins=read("EVO_TODO_CORS_ORIGINS", "http://localhost:3000", _origins),
            rate_limit=read("EVO_TODO_RATE_LIMIT", "600/minute", RateLimit.parse),
            address_rate_limit=read("EVO_TODO_ADDRESS_RATE_LIMIT", "120/minute", address_limit),
            limits_store=read("EVO_TODO_LIMITS_STORE", "memory", limits_store),
            trusted_proxies=read("EVO_TODO_TRUSTED_PROXIES", "", networks),
            host=read("EVO_TODO_HOST", "127.0.0.1", _text),
            port=read("EVO_TODO_PORT", "8000", _whole_number(1, 65535)),
            workers=read("EVO_TODO_WORKERS", "1", _whole_number(1, 64)),
            log_format=read("EVO_TODO_LOG_FORMAT", None, _one_of(*LOG_FORMATS)),
            log_level=read("EVO_TODO_LOG_LEVEL", "info", _one_of(*LOG_LEVELS)),
            service_role=read("EVO_TODO_SERVICE_ROLE", None, _role),
            service_password=read("EVO_TODO_SERVICE_PASSWORD", None, _password),
            allow_rls_bypass=read("EVO_TODO_ALLOW_RLS_BYPASS", "false", _boolean),
        )


@frozen
class _Reader:
    env: Mapping[str, str]

    def __call__(self, name: str, default: str | None, parse: Callable[[str], T]) -> T:
        text = self.env.get(name, default)
        if text is None:
            return None  # type: ignore[return-value]  # the settings without a default are optional
        try:
            return parse(text.strip())
        except ValueError as error:
            self.refuse(name, str(error))

    def refuse(self, name: str, takes: str) -> NoReturn:
        value = re.sub(r"//.*@|(?<=password=)[^&]*", "…", self.env.get(name, ""))  # not the password
        if name.endswith("_PASSWORD"):
            value = "…"
        raise SettingError(f"{name}={value!r}: {takes}")


def _text(text: str) -> str:
    if not text:
        raise ValueError("takes a value that is not empty")
    return text


def _boolean(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError("takes true or false")
    return text == "true"


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", text) or float(text) == 0:
        raise ValueError("takes a number of seconds above 0, such as 30")
    return float(text)


def _leeway(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]+)?", text) or not 0 <= float(text) <= 60:  # noqa: PLR2004
        raise ValueError("takes a number of seconds from 0 to 60")
    return float(text)


def _whole_number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"takes a whole number from {least} to {most}")
        return int(text)

    return parse


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"takes {', '.join(words[:-1])} or {words[-1]}")
        return text

    return parse


def _role(text: str) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", text) or text.startswith("pg_"):
        raise ValueError("takes a role's name: small letters, digits and underscores, 63 at most, such as evo_todo_app")
    return text


def _password(text: str) -> str:
    # Others would have to be normalised (RFC 4013) as every client does it.
    if not text or not text.isascii() or not text.isprintable():
        raise ValueError("takes printable ASCII characters")
    return text


def _database_url(text: str) -> str:
    if not text.startswith(_DATABASES) or urlsplit(text).path in {"/", "/:memory:"}:
        raise ValueError("takes postgresql://user:password@host/name or sqlite:///path of a file")
    if not text.startswith("sqlite"):
        _ = urlsplit(text).port  # raises ValueError where it is no port
    return text


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment:
        raise ValueError("takes an http or https address, such as https://app.example.com")
    if "@" in parts.netloc:
        raise ValueError("takes an address without a name or password in it")
    _ = parts.port  # raises ValueError where it is no port
    return text


def _base_url(text: str) -> str:
    if urlsplit(_url(text)).query:
        raise ValueError("takes an address without a query, such as https://app.example.com")
    return text.rstrip("/")


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(origin.strip() for origin in text.split(","))
    if not all(is_origin(origin) for origin in origins):
        raise ValueError(
            "takes exact origins as browsers send them, separated by commas, such as https://app.example.com "
            "(no path, no default port, no *)"
        )
    return origins


def is_origin(text: str) -> bool:
    """Whether a browser would send this as a page's origin, to the letter."""
    return _ORIGIN.fullmatch(text) is not None and origin_of(text) == text


def origin_of(url: str) -> str:
    """The URL's origin as it is compared: in lower case, without a default port (RFC 6454 §6.2)."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in {None, default} else "")


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
