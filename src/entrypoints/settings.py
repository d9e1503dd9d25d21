"""The settings, read once from the environment."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any, Final, NoReturn, TypeVar

from attrs import field, fields, frozen

from adapters.http.open_streams import MAX_STREAMS, STREAMS_PER_USER
from adapters.sql.address import DatabaseAddress
from adapters.tokens.claims import ClaimRules
from application.health import quoted
from domain.rate_limit import RateLimit
from domain.task_list import MAX_TASKS
from entrypoints import settings_parsers as parse
from entrypoints.origins import is_loopback, origin_of

T = TypeVar("T")

_SETTING: Final = "setting"
"""The key of a field's metadata."""


class SettingError(Exception):
    """A setting is invalid. The message is one line: its name, its value without passwords, and the accepted values."""


def setting(name: str, default: str | None, parser: Callable[[str], T], *, is_secret: bool = False) -> T:
    """A field that is read from a variable; the default is what would be written there, `None` for an optional one.

    In a default, `{base}` stands for the base URL of Better Auth, and `{origin}` for its origin.
    """
    declared: Any = field(repr=not is_secret, metadata={_SETTING: (name, default, parser)})
    value: T = declared
    return value


@frozen(kw_only=True)
class Settings:
    """All settings; docs/operations.md describes each. Durations are in seconds."""

    database_url: str | None = setting("DATABASE_URL", None, parse.database_url, is_secret=True)
    read_url: str | None = setting("EVO_TODO_READ_URL", None, parse.postgresql_url, is_secret=True)
    """Of a replica; `None`: every read goes to the database itself."""
    prepared_statements: bool = setting("EVO_TODO_PREPARED_STATEMENTS", "on", parse.switch)
    """`False` behind a pooler that knows none."""
    issuer: str = setting("EVO_TODO_ISSUER", "{origin}", parse.text)
    audience: str = setting("EVO_TODO_AUDIENCE", "{origin}", parse.text)
    jwks_url: str = setting("EVO_TODO_JWKS_URL", "{base}/api/auth/jwks", parse.url)
    jwks_ttl: float = setting("EVO_TODO_JWKS_TTL", "600", parse.seconds)
    jwks_cooldown: float = setting("EVO_TODO_JWKS_COOLDOWN", "30", parse.seconds)
    jwks_max_stale: float = setting("EVO_TODO_JWKS_MAX_STALE", "86400", parse.seconds)
    max_token_lifetime: float = setting("EVO_TODO_MAX_TOKEN_LIFETIME", "604800", parse.seconds)
    leeway: float = setting("EVO_TODO_LEEWAY", "30", parse.leeway)
    scope: str | None = setting("EVO_TODO_SCOPE", None, parse.scope)
    """Of a token that was issued to an application; `None`: no such token is accepted."""
    revocation_max_stale: float = setting("EVO_TODO_REVOCATION_MAX_STALE", "30", parse.seconds)
    audit_retention: float = setting("EVO_TODO_AUDIT_RETENTION", "7776000", parse.seconds)
    tombstone_retention: float = setting("EVO_TODO_TOMBSTONE_RETENTION", "2592000", parse.seconds)
    idempotency_retention: float = setting("EVO_TODO_IDEMPOTENCY_RETENTION", "86400", parse.seconds)
    max_tasks: int | None = setting("EVO_TODO_MAX_TASKS", str(MAX_TASKS), parse.max_tasks)
    """Of a list, tombstones included; `None`: off."""
    streams_per_user: int = setting("EVO_TODO_STREAMS_PER_USER", str(STREAMS_PER_USER), parse.whole_number(1, 1000))
    """Open event streams in each worker."""
    max_streams: int = setting("EVO_TODO_MAX_STREAMS", str(MAX_STREAMS), parse.whole_number(1, 1_000_000))
    """The same of all users."""
    listen_url: str | None = setting("EVO_TODO_LISTEN_URL", None, parse.postgresql_url, is_secret=True)
    """A direct address for notifications; `None`: the database's."""
    cors_origins: tuple[str, ...] = setting("EVO_TODO_CORS_ORIGINS", "http://localhost:3000", parse.origins)
    rate_limit: RateLimit | None = setting("EVO_TODO_RATE_LIMIT", "600/minute", RateLimit.parse)
    """Per user; `None`: off."""
    address_rate_limit: RateLimit | None = setting("EVO_TODO_ADDRESS_RATE_LIMIT", "120/minute", parse.address_limit)
    """Per address, for unauthenticated requests; `None`: off."""
    limits_store: str | None = setting("EVO_TODO_LIMITS_STORE", "memory", parse.limits_store, is_secret=True)
    """`None`: the memory of each worker."""
    trusted_proxies: tuple[parse.Network, ...] = setting("EVO_TODO_TRUSTED_PROXIES", "", parse.networks)
    root_path: str = setting("EVO_TODO_ROOT_PATH", "", parse.root_path)
    """The prefix under which a proxy serves the API, without a slash at its end; empty if there is none."""
    host: str = setting("EVO_TODO_HOST", "127.0.0.1", parse.text)
    port: int = setting("EVO_TODO_PORT", "8000", parse.whole_number(1, 65535))
    workers: int = setting("EVO_TODO_WORKERS", "1", parse.whole_number(1, 64))
    log_format: str | None = setting("EVO_TODO_LOG_FORMAT", None, parse.one_of("console", "json"))
    """`None`: console on a terminal, else JSON."""
    log_level: str = setting("EVO_TODO_LOG_LEVEL", "info", parse.one_of("debug", "info", "warning", "error"))
    service_role: str | None = setting("EVO_TODO_SERVICE_ROLE", None, parse.role)
    """The role that `migrate` creates for `serve`; `None`: none."""
    service_password: str | None = setting("EVO_TODO_SERVICE_PASSWORD", None, parse.password, is_secret=True)
    allow_rls_bypass: bool = setting("EVO_TODO_ALLOW_RLS_BYPASS", "false", parse.boolean)
    sharded: bool = setting("EVO_TODO_SHARDED", "false", parse.boolean)
    """Whether the owners' rows are on several servers."""
    pipeline: bool = setting("EVO_TODO_PIPELINE", "on", parse.switch)
    """PostgreSQL: whether brief statements share connections."""

    @property
    def token_rules(self) -> ClaimRules:
        """The rules for the claims of an access token."""
        return ClaimRules(
            issuer=self.issuer,
            audience=self.audience,
            leeway=self.leeway,
            max_lifetime=self.max_token_lifetime,
            scope=self.scope,
        )

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Settings":
        """Read the settings.

        Raises:
            SettingError: a setting is invalid.
        """
        read = _Reader(env)
        base = read("BETTER_AUTH_BASE_URL", "http://localhost:3000", parse.base_url)
        places = {"base": base, "origin": origin_of(base)}
        settings = cls(**{one.name: read.declared(one.metadata[_SETTING], places) for one in fields(cls)})
        allow_http = read("EVO_TODO_ALLOW_HTTP_JWKS", "false", parse.boolean)
        if not (allow_http or settings.jwks_url.startswith("https://") or is_loopback(settings.jwks_url)):
            read.refuse(
                "EVO_TODO_JWKS_URL" if "EVO_TODO_JWKS_URL" in env else "BETTER_AUTH_BASE_URL",
                "plain http to another machine lets attackers forge keys: use https, or set "
                "EVO_TODO_ALLOW_HTTP_JWKS=true if the network is private",
            )
        if settings.database_url is not None and DatabaseAddress.parse(settings.database_url).is_sqlite:
            for name in ("EVO_TODO_READ_URL", "EVO_TODO_LISTEN_URL"):
                if name in env:
                    read.refuse(name, "DATABASE_URL is a SQLite file, which has neither replicas nor notifications")
        read.refuse_unknown()
        return settings


def wants_traces(env: Mapping[str, str]) -> bool:
    """Whether OpenTelemetry's own variables ask for traces, which are an optional part of this program.

    Raises:
        SettingError: they do, but it is not installed, or they ask for another protocol.
    """
    is_off = env.get("OTEL_SDK_DISABLED", "").lower() == "true" or env.get("OTEL_TRACES_EXPORTER") == "none"
    name = next((name for name in _COLLECTORS if env.get(name)), None)
    if is_off or name is None:
        return False
    for option in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"):
        if env.get(option, "http/protobuf") != "http/protobuf":
            raise SettingError(f"{option}={env[option]!r}: must be http/protobuf")
    if find_spec("opentelemetry") is None:
        raise SettingError(f"{name}: to send traces, install evo-todo[tracing], or unset it")
    return True


_COLLECTORS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PREFIX: Final = "EVO_TODO_"
_OF_THE_FRONTEND: Final = frozenset(
    f"{_PREFIX}{name}"
    for name in (
        "AUTH_SCHEMA",
        "COOKIE_PREFIX",
        "DATA",
        "KEY_GRACE",
        "KEY_ROTATION",
        "MAIL_FROM",
        "SECURITY_EVENTS_URL",
        "SMTP_URL",
        "TOKEN_LIFETIME",
        "TOKEN_STORE",
        "WEB_HOST",
        "WEB_PORT",
    )
)
"""Settings of the frontend, which may share the environment."""


@frozen
class _Reader:
    env: Mapping[str, str]
    known: set[str] = field(init=False, factory=lambda: {*_OF_THE_FRONTEND})
    """The names of all settings that were read."""

    def __call__(self, name: str, default: str | None, parser: Callable[[str], T]) -> T:
        self.known.add(name)
        value = self.env.get(name, default)
        if value is None:
            return None  # type: ignore[return-value]  # the settings without a default are optional
        try:
            return parser(value.strip())
        except ValueError as error:
            self.refuse(name, str(error))

    def declared(self, setting_of_field: tuple[str, str | None, Callable[[str], T]], places: Mapping[str, str]) -> T:
        """The value of a `setting`."""
        name, default, parser = setting_of_field
        return self(name, None if default is None else default.format(**places), parser)

    def refuse(self, name: str, reason: str) -> NoReturn:
        # Without its causes: their messages may quote the value.
        raise SettingError(f"{name}={parse.shown_value(name, self.env.get(name, ''))!r}: {reason}") from None

    def refuse_unknown(self) -> None:
        """Refuse a name that looks like a setting and is none: its value would be ignored in silence."""
        for name in sorted(self.env):
            if name.upper().startswith(_PREFIX) and name not in self.known:
                # Without the prefix, which all have; and so DATABASE_URL is near, too.
                known = {one.removeprefix(_PREFIX): one for one in sorted(self.known)}
                given = name.upper().removeprefix(_PREFIX)
                [nearest] = get_close_matches(given, known, n=1, cutoff=0)
                raise SettingError(f"{quoted(name)[1:-1]} is no setting; the nearest one is {known[nearest]}")
