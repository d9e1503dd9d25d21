"""Who is counted as one (V7), and what no message repeats (V10)."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice, product
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adapters.http.context import Headers, TrustedProxies
from adapters.memory.access import MemoryAuditLog
from adapters.sql.address import DatabaseAddress, UnreadableAddress
from adapters.sql.database import connect
from adapters.sql.diagnostics import exposed_files
from adapters.system.audit_filters import PER_WINDOW, RateLimitedAuditLog
from domain.audit import AuditContext, AuditEvent, AuditKind
from domain.identity import UserId
from entrypoints.doctor import as_json, as_text
from entrypoints.origins import check_origin
from entrypoints.settings import Settings
from tests.contracts.audit_logs import NOON
from tests.support.api import InMemory, running
from tests.support.fake_issuer import ManualTime
from tests.support.passwords import MISSPELT, NOBODY, PASSWORDS, WORDS, leaks, refusal, said_by, said_by_doctor
from tests.support.postgres_local import free_port
from tests.support.service import evo_todo
from tests.support.service import running as running_process

GARBAGE, REVOKED = "The token is malformed.", "The token has been revoked."
FLOOD = 10_050


def refused(peer: str, reason: str = GARBAGE) -> AuditEvent:
    return AuditEvent(kind=AuditKind.TOKEN_REFUSED, at=NOON, context=AuditContext("r", peer), reason=reason)


def denied(peer: str, user: str) -> AuditEvent:
    return AuditEvent(kind=AuditKind.ACCESS_DENIED, at=NOON, context=AuditContext("r", peer), user_id=UserId(user))


ATTACKERS = {
    "one address": ["203.0.113.7"] * FLOOD,
    "one /64": [f"2001:db8::{n:x}" for n in range(FLOOD)],
    "one /64 with zones": [f"fe80::{n:x}%eth{n}" for n in range(FLOOD)],
    "one address in two forms": ["::ffff:203.0.113.7", "203.0.113.7"] * (FLOOD // 2),
    "many /64 of a site": [f"2001:db8:0:{n:x}::1" for n in range(FLOOD)],
    "many sites of a provider": [f"2001:db8:{n:x}::1" for n in range(FLOOD)],
    "many addresses of a provider": [f"203.0.{a}.{b}" for a, b in islice(product(range(256), repeat=2), FLOOD)],
    "many providers": [f"{20 + a}.{b}.0.1" for a, b in islice(product(range(100), range(256)), FLOOD)],
    "many providers of IPv6": [f"2001:{n:x}::1" for n in range(FLOOD)],
}
BYSTANDERS = ["198.51.100.1", "2a00:1450:4001:80b::200e", "::ffff:198.51.100.2"]


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_v07_no_flood_of_bad_tokens_hides_what_others_do(attacker: str) -> None:
    kept = MemoryAuditLog()
    log = RateLimitedAuditLog(kept, ManualTime(0))
    for peer in ATTACKERS[attacker]:
        log.record(refused(peer))
    flood = len(kept.events)
    others = [
        *(refused(peer) for peer in BYSTANDERS),
        *(denied(peer, "alice") for peer in BYSTANDERS),
        refused(ATTACKERS[attacker][-1], REVOKED),
        denied(ATTACKERS[attacker][-1], "bob"),
    ]
    for event in others:
        log.record(event)
    assert list(kept.events)[flood:] == others
    assert flood < FLOOD


@pytest.mark.parametrize("peers", [["2001:db8::{:x}"], ["203.0.113.7"]], ids=["one /64", "one address"])
def test_v07_one_identity_leaves_a_fixed_number_of_entries_whatever_its_reasons(peers: list[str]) -> None:
    kept = MemoryAuditLog()
    log = RateLimitedAuditLog(kept, ManualTime(0))
    for reason in range(40):
        for number in range(1000):
            log.record(refused(peers[0].format(number), f"reason {reason}"))
    assert len(kept.events) == 40 * PER_WINDOW
    log.record(refused("198.51.100.1", "reason 7"))
    assert len(kept.events) == 40 * PER_WINDOW + 1


async def test_v07_a_64_has_one_limit_and_an_entry_with_a_port_is_the_clients() -> None:
    settings = {"EVO_TODO_ADDRESS_RATE_LIMIT": "3/day", "EVO_TODO_TRUSTED_PROXIES": "127.0.0.1,::ffff:10.0.0.0/104"}
    async with running(InMemory(), **settings) as api:

        async def status(*forwarded: str) -> int:
            headers = [*(("X-Forwarded-For", one) for one in forwarded), ("Authorization", "Bearer x")]
            return (await api.http.get("/api/alice/tasks", headers=headers)).status_code

        for entry in ("203.0.113.7:1", '"203.0.113.7:51234"', "[::ffff:203.0.113.7]:443"):
            assert await status(entry) == 401
        assert await status("203.0.113.7") == 429
        for entry in ("2001:db8::1", "[2001:db8::2]", "[2001:db8::3]:443"):
            assert await status("1.2.3.4", f"{entry}, 10.0.0.5:8080") == 401
        assert await status("2001:db8::ffff") == 429
        assert await status("2001:db8:0:1::1") == 401
        assert await status("[2001:db8:0:2::1]:443") == 401, "no other client has to wait"


def test_v07_garbage_ends_the_walk_at_the_last_trusted_proxy() -> None:
    proxies = TrustedProxies(Settings.from_env({"EVO_TODO_TRUSTED_PROXIES": "10.0.0.0/8"}).trusted_proxies)

    def client(forwarded: str) -> str | None:
        scope: Any = {"client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", forwarded.encode("latin-1"))]}
        return proxies.client_address(scope, Headers.parse(scope["headers"]))

    for garbage in ("203.0.113.7:", "203.0.113.7:99999", "[2001:db8::1", "[203.0.113.7]", "_hidden:80", '"', "[]:1"):
        assert client(f"198.51.100.9, {garbage}, 10.0.0.2:80") == "10.0.0.2"


@given(PASSWORDS, st.sampled_from(MISSPELT))
@settings(max_examples=80, deadline=None)
async def test_v10_no_command_repeats_a_part_of_a_database_password(
    tmp_path_factory: pytest.TempPathFactory, password: str, form: str
) -> None:
    env = {"DATABASE_URL": form.format(password), "EVO_TODO_JWKS_URL": "http://127.0.0.1:1/jwks"}
    assert not leaks(password, await said_by_doctor(**env))
    if (message := refusal(env)) is not None:
        data = str(tmp_path_factory.getbasetemp() / "data")
        for command in (["migrate"], ["serve"], ["audit"], ["purge"], ["dev", "--data", data], ["token", "me"]):
            assert not leaks(password, message, said_by(*command, **env))
    else:
        address = DatabaseAddress.parse(env["DATABASE_URL"].strip())
        assert not leaks(password, address.name, repr(address), repr(Settings.from_env(env)))
        assert not address.is_sqlite or not leaks(password, said_by("migrate", **env))


@given(PASSWORDS, st.sampled_from(["me:{}@", ":{}@", "me:{}%zz@", "{}@{}:"]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_v10_no_command_repeats_a_part_of_the_password_of_a_server_that_is_not_there(
    password: str, login: str, is_encoded: bool
) -> None:
    login = login.format(*[quote(password, safe="") if is_encoded else password] * 2)
    env = {"DATABASE_URL": f"postgresql://{login}{NOBODY}/tasks"}
    for command in ("migrate", "audit", "purge"):
        said = said_by(command, **env)
        assert not leaks(password, said)
        assert "percent-encode the password" in said or "connections are refused" in said


IN_SETTINGS: Final = {
    "EVO_TODO_LIMITS_STORE": ("redis://:{}@host/x", "valkeys://me:{}@host:1", "redis://host:{}", "{}"),
    "EVO_TODO_JWKS_URL": ("https://me:{}@host/x", "https://m/e:{}@host", "https://me:{}", "http:/{}@host", "{}@host"),
    "BETTER_AUTH_BASE_URL": ("https://me:{}@host", "https://me?{}@host", "https://me:{}/x"),
    "EVO_TODO_CORS_ORIGINS": ("https://me:{}@host", "https://a.example.com,https://{}@host"),
    "EVO_TODO_TRUSTED_PROXIES": ("me:{}@host",),
    "EVO_TODO_SERVICE_PASSWORD": ("{}\u00e9",),
    "EVO_TODO_SERVICE_PASSWROD": ("{}",),
    "EVO_TODO_DATABASE_URL": ("postgresql://me:{}@host/db",),
    "evo_todo_service_password": ("{}",),
}


@given(PASSWORDS, st.sampled_from([(name, form) for name, forms in IN_SETTINGS.items() for form in forms]))
@settings(max_examples=100, deadline=None)
async def test_v10_no_message_about_a_setting_repeats_a_part_of_a_password(
    password: str, setting: tuple[str, str]
) -> None:
    name, form = setting
    env = {name: form.format(password)}
    if (message := refusal(env)) is not None:
        assert message.isprintable()
        assert not leaks(password, message, await said_by_doctor(**env))


@given(PASSWORDS)
@settings(deadline=None)
def test_v10_the_doctor_repeats_no_password_of_an_origin(password: str) -> None:
    finding = check_origin(f"https://me:{password}@app.example.com", ("https://app.example.com",))
    assert not leaks(password, repr(finding), as_text([finding]), as_json([finding]))


@given(PASSWORDS, WORDS, WORDS)
def test_v10_an_encoded_password_is_read_as_it_is_and_named_by_nothing(password: str, user: str, name: str) -> None:
    assume(not leaks(password, f"{user} {name} {NOBODY}"))
    address = DatabaseAddress.parse(f"postgresql://{user}:{quote(password, safe='')}@{NOBODY}/{name}?sslmode=prefer")
    assert (address.user, address.password, address.database) == (user, password, name)
    assert address.name == f'PostgreSQL database "{name}" at "{NOBODY}"'
    assert DatabaseAddress.parse(address.dsn(*address.servers)) == address
    assert not leaks(password, repr(address), str(address))


@pytest.mark.parametrize(
    "address",
    [
        *("postgresql://my:my@hunter2:word@host/db", "postgresql://me:a@b@host/db", "postgresql://me:a/b@host/db"),
        *("postgresql://me:12/b@host/db", "postgresql://me:12?b@host/db", "postgresql://me:12#b@host/db"),
        *("postgresql://me:%zz@host/db", "postgresql://me:%ff@host/db", "postgresql://me:%00@host/db"),
        *("postgresql://me:a b@host/db", "postgresql://me:[a]@host/db", "postgresql://me:a\u200b@host/db"),
        *("postgresql://me:a@host:99999/db", "postgresql://me:a@host:0/db", "postgresql://me:a@host,/db"),
        *("postgresql://me:a@b%40host/db", "postgresql://me:a@host/d/b", "postgresql://me:a@host/db?x"),
        *("postgresql://me:a@host/db?password=a&b", "postgresql://me:a@host/db?x=%zz", "postgresql://me:a@host/db#x"),
        *("sqlite:///", "sqlite:///:memory:", "sqlite:///a%00", "sqlite://a", "mysql://me@host/db", "", "postgresql"),
    ],
)
def test_v10_an_address_that_can_be_read_in_two_ways_is_read_in_none(address: str) -> None:
    with pytest.raises(UnreadableAddress, match="percent-encode the password"):
        DatabaseAddress.parse(address)


@contextmanager
def umask(mode: int) -> Iterator[None]:
    before = os.umask(mode)
    try:
        yield
    finally:
        os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o277])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
def test_v10_the_files_of_a_sqlite_database_are_their_owners_whatever_the_umask(mask: int, tmp_path: Path) -> None:
    folder = tmp_path / "outer" / "data"
    tmp_path.chmod(0o755)
    settings = {"EVO_TODO_JWKS_URL": "http://127.0.0.1:1/jwks"}
    with umask(mask), running_process("dev", "--data", str(folder), folder=tmp_path, settings=settings) as service:
        service.get("/readyz")
        files = modes(folder)
        assert {"tasks.db", "tasks.db-wal", "tasks.db-shm"} <= set(files)
        assert set(files.values()) == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755, "what exists is left as it is"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
async def test_v10_a_file_is_created_private_and_an_existing_one_is_left_to_its_owner(tmp_path: Path) -> None:
    with umask(0):
        database = connect(f"sqlite:///{tmp_path}/tasks.db")
        async with database.writing() as connection:
            await connection.exec_driver_sql("CREATE TABLE notes (text)")
            assert set(modes(tmp_path).values()) == {0o600}
        assert exposed_files(tmp_path / "tasks.db") == []
        await database.dispose()
    (tmp_path / "tasks.db").chmod(0o644)
    database = connect(f"sqlite:///{tmp_path}/tasks.db")
    async with database.writing() as connection:
        await connection.exec_driver_sql("DROP TABLE notes")
    await database.dispose()
    assert modes(tmp_path)["tasks.db"] == 0o644
    assert exposed_files(tmp_path / "tasks.db") == [tmp_path / "tasks.db"]


@pytest.mark.parametrize("password", ["my@hunter2:word", "hunter2/3word?x#y", "hunter2%zzword4", "%68unter2word"])
@pytest.mark.parametrize("command", [("migrate",), ("serve", "--migrate"), ("doctor", "--json"), ("audit",), ("dev",)])
def test_v10_real_processes_repeat_nothing_either(command: tuple[str, ...], password: str, tmp_path: Path) -> None:
    env = {"DATABASE_URL": f"postgresql://my:{password}@{NOBODY}/db", "EVO_TODO_PORT": str(free_port())}
    if command[0] == "serve" and password.startswith("%"):
        command = ("purge",)  # a readable address: serve would start without its database
    ended = evo_todo(*command, folder=tmp_path, settings=env)
    assert ended.returncode != 0
    assert not leaks(password, ended.stdout, ended.stderr)
    assert "Traceback" not in ended.stderr
    assert "word" not in (ended.stdout + ended.stderr).replace("password", "").replace("PASSWORD", "")
