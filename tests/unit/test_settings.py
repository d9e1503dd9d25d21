import re
from ipaddress import ip_network
from pathlib import Path

import pytest

from domain.rate_limit import RateLimit
from entrypoints.settings import SettingError, Settings, wants_traces


def read(**env: str) -> Settings:
    return Settings.from_env(env)


def test_the_defaults_are_those_of_the_contract() -> None:
    assert read() == Settings(
        database_url=None,
        read_url=None,
        prepared_statements=True,
        issuer="http://localhost:3000",
        audience="http://localhost:3000",
        jwks_url="http://localhost:3000/api/auth/jwks",
        jwks_ttl=600,
        jwks_cooldown=30,
        jwks_max_stale=86400,
        max_token_lifetime=604800,
        leeway=30,
        scope=None,
        revocation_max_stale=30,
        audit_retention=7776000,
        tombstone_retention=2592000,
        idempotency_retention=86400,
        max_tasks=100_000,
        streams_per_user=10,
        max_streams=10_000,
        listen_url=None,
        cors_origins=("http://localhost:3000",),
        rate_limit=RateLimit(600, 60),
        address_rate_limit=RateLimit(120, 60, "address"),
        limits_store=None,
        trusted_proxies=(),
        root_path="",
        host="127.0.0.1",
        port=8000,
        workers=1,
        log_format=None,
        log_level="info",
        service_role=None,
        service_password=None,
        allow_rls_bypass=False,
        sharded=False,
        pipeline=True,
    )


@pytest.mark.parametrize("name", ["EVO_TODO_READ_URL", "EVO_TODO_LISTEN_URL"])
def test_an_address_that_sqlite_has_no_use_for_is_refused(name: str) -> None:
    more = {name: "postgresql://user:hunter2@replica/tasks"}
    with pytest.raises(SettingError, match=f"{name}=.*SQLite") as refused:
        read(DATABASE_URL="sqlite:///tasks.db", **more)
    assert "hunter2" not in str(refused.value)
    for other in ({"DATABASE_URL": "postgresql://user:password@host/tasks"}, {}):
        assert read(**more, **other) != read(**other)


def test_the_base_url_determines_the_issuer_and_the_url_of_the_keys() -> None:
    settings = read(BETTER_AUTH_BASE_URL="https://app.example.com:8443/base/")
    assert settings.issuer == settings.audience == "https://app.example.com:8443"
    assert settings.jwks_url == "https://app.example.com:8443/base/api/auth/jwks"


def test_each_setting_is_read() -> None:
    settings = read(
        DATABASE_URL=" postgresql://user:password@host/tasks ",
        EVO_TODO_READ_URL="postgresql://user:password@replica/tasks",
        EVO_TODO_PREPARED_STATEMENTS="off",
        EVO_TODO_JWKS_URL="https://keys.example.com/jwks.json",
        EVO_TODO_ISSUER="me",
        EVO_TODO_AUDIENCE="you",
        EVO_TODO_JWKS_TTL="1.5",
        EVO_TODO_JWKS_COOLDOWN="2",
        EVO_TODO_JWKS_MAX_STALE="3",
        EVO_TODO_MAX_TOKEN_LIFETIME="900",
        EVO_TODO_LEEWAY="0",
        EVO_TODO_SCOPE="tasks:write",
        EVO_TODO_REVOCATION_MAX_STALE="4",
        EVO_TODO_AUDIT_RETENTION="5",
        EVO_TODO_TOMBSTONE_RETENTION="6",
        EVO_TODO_IDEMPOTENCY_RETENTION="7",
        EVO_TODO_MAX_TASKS="off",
        EVO_TODO_STREAMS_PER_USER="8",
        EVO_TODO_MAX_STREAMS="9",
        EVO_TODO_LISTEN_URL="postgresql://user:password@direct/tasks",
        EVO_TODO_CORS_ORIGINS="https://a.example.com, http://[::1]:3000",
        EVO_TODO_RATE_LIMIT="1000000000/minute",
        EVO_TODO_ADDRESS_RATE_LIMIT="off",
        EVO_TODO_LIMITS_STORE="valkeys://:password@store.example.com:6380/1",
        EVO_TODO_TRUSTED_PROXIES="10.0.0.0/8, ::1",
        EVO_TODO_ROOT_PATH="/apps/todo/",
        EVO_TODO_HOST="0.0.0.0",
        EVO_TODO_PORT="65535",
        EVO_TODO_WORKERS="4",
        EVO_TODO_LOG_FORMAT="json",
        EVO_TODO_LOG_LEVEL="debug",
        EVO_TODO_SERVICE_ROLE="evo_todo_app",
        EVO_TODO_SERVICE_PASSWORD="it's @ secret",
        EVO_TODO_ALLOW_RLS_BYPASS="true",
        EVO_TODO_SHARDED="true",
        EVO_TODO_PIPELINE="off",
    )
    assert settings == Settings(
        database_url="postgresql://user:password@host/tasks",
        read_url="postgresql://user:password@replica/tasks",
        prepared_statements=False,
        issuer="me",
        audience="you",
        jwks_url="https://keys.example.com/jwks.json",
        jwks_ttl=1.5,
        jwks_cooldown=2,
        jwks_max_stale=3,
        max_token_lifetime=900,
        leeway=0,
        scope="tasks:write",
        revocation_max_stale=4,
        audit_retention=5,
        tombstone_retention=6,
        idempotency_retention=7,
        max_tasks=None,
        streams_per_user=8,
        max_streams=9,
        listen_url="postgresql://user:password@direct/tasks",
        cors_origins=("https://a.example.com", "http://[::1]:3000"),
        rate_limit=RateLimit(1_000_000_000, 60),
        address_rate_limit=None,
        limits_store="valkeys://:password@store.example.com:6380/1",
        trusted_proxies=(ip_network("10.0.0.0/8"), ip_network("::1")),
        root_path="/apps/todo",
        host="0.0.0.0",
        port=65535,
        workers=4,
        log_format="json",
        log_level="debug",
        service_role="evo_todo_app",
        service_password="it's @ secret",
        allow_rls_bypass=True,
        sharded=True,
        pipeline=False,
    )
    assert "secret" not in repr(settings)
    assert "password@" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("DATABASE_URL", "", "postgresql://"),
        ("BETTER_AUTH_BASE_URL", "https://app.example.com/?x=1", "without a query"),
        ("BETTER_AUTH_BASE_URL", "app.example.com", "https://app.example.com"),
        ("BETTER_AUTH_BASE_URL", "ftp://x", "http"),
        ("BETTER_AUTH_BASE_URL", "https://x:99999999", "Port"),
        ("BETTER_AUTH_BASE_URL", "http://app.example.com", "EVO_TODO_ALLOW_HTTP_JWKS"),
        ("EVO_TODO_JWKS_URL", "http://127.0.0.1.example.com/", "EVO_TODO_ALLOW_HTTP_JWKS"),
        ("EVO_TODO_JWKS_URL", "", "http"),
        ("EVO_TODO_ISSUER", "", "must not be empty"),
        ("EVO_TODO_AUDIENCE", " ", "must not be empty"),
        ("EVO_TODO_ALLOW_HTTP_JWKS", "yes", "true or false"),
        ("EVO_TODO_JWKS_TTL", "0", "above 0"),
        ("EVO_TODO_JWKS_TTL", "inf", "seconds"),
        ("EVO_TODO_JWKS_COOLDOWN", "-1", "seconds"),
        ("EVO_TODO_JWKS_MAX_STALE", "x", "seconds"),
        ("EVO_TODO_MAX_TOKEN_LIFETIME", "7d", "seconds"),
        ("EVO_TODO_LEEWAY", "61", "0 to 60"),
        *(("EVO_TODO_SCOPE", value, "one scope") for value in ("", "a b", 'a"b', "a\\b", "a\tb", "\u00fc", "x" * 256)),
        ("EVO_TODO_CORS_ORIGINS", "*", "exact origins"),
        ("EVO_TODO_CORS_ORIGINS", "null", "exact origins"),
        ("EVO_TODO_CORS_ORIGINS", "https://a.example.com/", "exact origins"),
        ("EVO_TODO_CORS_ORIGINS", "https://a.example.com,", "exact origins"),
        ("EVO_TODO_CORS_ORIGINS", "https://a.example.com:443", "no default port"),
        ("EVO_TODO_CORS_ORIGINS", "https://A.example.com", "as browsers send them"),
        ("EVO_TODO_CORS_ORIGINS", "https://a.example.com:99999", "Port"),
        ("EVO_TODO_MAX_TASKS", "0", "from 1 to 999999999, or off"),
        ("EVO_TODO_MAX_TASKS", "many", "from 1 to 999999999, or off"),
        ("EVO_TODO_RATE_LIMIT", "0/minute", "such as 600/minute"),
        ("EVO_TODO_RATE_LIMIT", "600", "such as 600/minute"),
        ("EVO_TODO_RATE_LIMIT", "", "or off"),
        ("EVO_TODO_ADDRESS_RATE_LIMIT", "ten/second", "such as 600/minute"),
        ("EVO_TODO_ADDRESS_RATE_LIMIT", "10 / second", "such as 600/minute"),
        ("EVO_TODO_LIMITS_STORE", "", "memory"),
        ("EVO_TODO_TRUSTED_PROXIES", "10.0.0.0/33", "such as 10.0.0.0/8"),
        ("EVO_TODO_TRUSTED_PROXIES", "10.0.0.0/8,nginx", "such as 10.0.0.0/8"),
        ("EVO_TODO_PORT", "0", "1 to 65535"),
        ("EVO_TODO_PORT", "65536", "1 to 65535"),
        ("EVO_TODO_PORT", "٨", "1 to 65535"),
        ("EVO_TODO_WORKERS", "0", "1 to 64"),
        ("EVO_TODO_HOST", "", "must not be empty"),
        ("EVO_TODO_LOG_FORMAT", "xml", "console or json"),
        ("EVO_TODO_LOG_LEVEL", "loud", "debug, info, warning or error"),
        ("EVO_TODO_SERVICE_ROLE", "", "a role name"),
        ("EVO_TODO_SERVICE_ROLE", "Robert'); DROP", "a role name"),
        ("EVO_TODO_SERVICE_ROLE", "pg_monitor", "a role name"),
        ("EVO_TODO_SERVICE_ROLE", "x" * 64, "at most 63"),
        ("EVO_TODO_ALLOW_RLS_BYPASS", "1", "true or false"),
        ("EVO_TODO_SHARDED", "citus", "true or false"),
        ("EVO_TODO_PIPELINE", "false", "on or off"),
    ],
)
def test_an_invalid_setting_is_named_with_its_value_and_the_accepted_values(
    name: str, value: str, accepted: str
) -> None:
    with pytest.raises(SettingError) as refused:
        read(**{name: value})
    message = str(refused.value)
    assert message.startswith(f"{name}={value!r}: ")
    assert accepted in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "value", "shown", "accepted"),
    [
        ("DATABASE_URL", "mysql://x", "mysql://…", "postgresql://"),
        ("DATABASE_URL", "sqlite:///", "sqlite://…", "of a file"),
        ("EVO_TODO_READ_URL", "sqlite:///tasks.db", "sqlite://…", "must be a PostgreSQL address"),
        ("EVO_TODO_READ_URL", "postgresql://host:port/name", "postgresql://…", "percent-encode"),
        ("DATABASE_URL", "sqlite:///:memory:", "sqlite://…", "of a file"),
        ("DATABASE_URL", "sqlite:///:memory:?x=1", "sqlite://…", "of a file"),
        ("DATABASE_URL", "sqlite:///x%00y", "sqlite://…", "of a file"),
        ("DATABASE_URL", "postgresql://host:port/name", "postgresql://…", "percent-encode"),
        ("DATABASE_URL", "postgresql://host:0/name", "postgresql://…", "percent-encode"),
        ("DATABASE_URL", "postgresql://host:65536/name", "postgresql://…", "percent-encode"),
        ("EVO_TODO_LIMITS_STORE", "memcached://host", "memcached://…", "memory"),
        ("EVO_TODO_LIMITS_STORE", "redis://", "redis://…", "memory"),
        ("EVO_TODO_LIMITS_STORE", "redis://host:port", "redis://…", "Port"),
        ("EVO_TODO_LIMITS_STORE", "redis://host:65536", "redis://…", "Port"),
        ("EVO_TODO_LIMITS_STORE", "redis://a,b", "redis://…", "memory"),
        ("EVO_TODO_LIMITS_STORE", "redis://host/name", "redis://…", "a database number"),
        ("EVO_TODO_LIMITS_STORE", "redis://host/0?socket_timeout=9", "redis://…", "a database number"),
        ("EVO_TODO_JWKS_URL", "https://user:word", "https://…", "Port"),
        ("EVO_TODO_JWKS_URL", "https:user:word", "…", "http"),
        ("EVO_TODO_JWKS_URL", "http://host/x?token=hunter2&a=b", "http://host/x?token=…&a=b", "ALLOW_HTTP"),
    ],
)
def test_what_may_be_a_password_is_not_shown(name: str, value: str, shown: str, accepted: str) -> None:
    with pytest.raises(SettingError) as refused:
        read(**{name: value})
    message = str(refused.value)
    assert message.startswith(f"{name}={shown!r}: ")
    assert accepted in message
    assert refused.value.__suppress_context__, "a traceback would repeat the parser's message"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("EVO_TODO_PROT", "EVO_TODO_PORT"),
        ("EVO_TODO_JWKS_URI", "EVO_TODO_JWKS_URL"),
        ("EVO_TODO_SERVICE_PASSWROD", "EVO_TODO_SERVICE_PASSWORD"),
        ("EVO_TODO_TOKEN_LIFETIM", "EVO_TODO_TOKEN_LIFETIME"),
        ("EVO_TODO_DATABASE_URL", "DATABASE_URL"),
        ("EVO_TODO_BETTER_AUTH_BASE_URL", "BETTER_AUTH_BASE_URL"),
        ("evo_todo_port", "EVO_TODO_PORT"),
        ("EVO_TODO_", "EVO_TODO_"),
        ("EVO_TODO_\n\x1b[2J", "EVO_TODO_"),
    ],
)
def test_a_name_that_is_no_setting_is_refused_with_the_nearest_one(name: str, nearest: str) -> None:
    with pytest.raises(SettingError) as refused:
        read(**{name: "hunter2hunter2"})
    message = str(refused.value)
    assert f"the nearest one is {nearest}" in message
    assert message.startswith("EVO_TODO_" if name.isupper() else name[:9])
    assert message.isprintable()
    assert "hunter2" not in message


def test_the_frontends_settings_and_other_programs_variables_are_no_concern_of_the_service() -> None:
    frontend = Path(__file__).parents[2] / "frontend"
    sources = [frontend / "src/auth/settings.ts", frontend / "scripts/start.mjs"]
    names = {name for source in sources for name in re.findall(r"EVO_TODO_[A-Z_]+", source.read_text())}
    assert {"EVO_TODO_DATA", "EVO_TODO_WEB_PORT", "EVO_TODO_KEY_GRACE"} <= names
    ours = {"EVO_TODO_ISSUER", "EVO_TODO_AUDIENCE", "EVO_TODO_TRUSTED_PROXIES"}
    read(**dict.fromkeys(names - ours, "anything"), EVO_TODOS="x", EVO="x", PGPASSWORD="x")


@pytest.mark.parametrize("url", ["http://localhost:3000/x", "http://127.0.0.1/x", "http://[::1]:1/x", "https://x/x"])
def test_keys_may_come_over_https_or_from_this_machine(url: str) -> None:
    assert read(EVO_TODO_JWKS_URL=url).jwks_url == url


def test_plain_http_to_another_machine_must_be_allowed_explicitly() -> None:
    env = {"EVO_TODO_JWKS_URL": "http://auth:3000/jwks", "EVO_TODO_ALLOW_HTTP_JWKS": "true"}
    assert read(**env).jwks_url == "http://auth:3000/jwks"


@pytest.mark.parametrize(
    ("base", "origin"),
    [
        ("https://App.Example.com:443/", "https://app.example.com"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("https://app.example.com:80", "https://app.example.com:80"),
    ],
)
def test_the_issuer_is_the_origin_as_better_auth_writes_it(base: str, origin: str) -> None:
    assert read(BETTER_AUTH_BASE_URL=base).issuer == origin


def test_the_url_of_the_keys_is_used_unchanged() -> None:
    url = "https://keys.example.com/jwks/?tenant=1"
    assert read(EVO_TODO_JWKS_URL=url).jwks_url == url


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://user:hunter2@host/x"),
        ("DATABASE_URL", "mysql://user:hun/hunter2@more@host/x"),
        ("DATABASE_URL", "mysql://host/x?user=me&password=hunter2"),
        ("EVO_TODO_JWKS_URL", "https://user:hunter2@host/x"),
        ("EVO_TODO_LIMITS_STORE", "redis://:hunter2@host/name"),
        ("BETTER_AUTH_BASE_URL", "https://user:hunter2@host/x"),
        ("EVO_TODO_SERVICE_PASSWORD", "hunter2\u00fc"),
        ("EVO_TODO_SERVICE_PASSWORD", "hunter2\n2"),
    ],
)
def test_a_password_is_not_in_the_message(name: str, value: str) -> None:
    with pytest.raises(SettingError) as refused:
        read(**{name: value})
    assert "hunter2" not in str(refused.value)


COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("env", "wanted"),
    [
        ({}, False),
        (COLLECTOR, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        (COLLECTOR | {"OTEL_SDK_DISABLED": "TRUE"}, False),
        (COLLECTOR | {"OTEL_TRACES_EXPORTER": "none"}, False),
        (COLLECTOR | {"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_SERVICE_NAME": "tasks"}, False),
    ],
)
def test_opentelemetrys_own_variables_ask_for_traces(env: dict[str, str], *, wanted: bool) -> None:
    assert wants_traces(env) == wanted


def test_traces_that_are_asked_for_and_not_installed_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entrypoints.settings.find_spec", lambda _: None)
    with pytest.raises(SettingError, match=r"install evo-todo\[tracing\]"):
        wants_traces(COLLECTOR)
    assert not wants_traces({})
