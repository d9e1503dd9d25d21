"""The benchmark's own PostgreSQL server with the same data for all servers, and an issuer of tokens."""

import asyncio
import hashlib
import json
import sqlite3
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
from attrs import frozen

from tests.support.postgres_local import PostgresServer, free_port, installation
from tests.support.tokens import Issuer

USERS: Final = 2000
TASKS_EACH: Final = 100
OWNER, SERVICE, PASSWORD = "bench_owner", "bench_service", "for-this-run-only"

_PEERS: Final = """
CREATE TABLE guide_tasks (
    id uuid PRIMARY KEY, user_id text NOT NULL, title varchar(255) NOT NULL, description text,
    completed boolean NOT NULL DEFAULT false, created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX guide_tasks_by_user ON guide_tasks (user_id, id);
"""
_FILL_OURS: Final = """
INSERT INTO task_lists SELECT 'u' || u, $2::int FROM generate_series(0, $1::int - 1) u;
"""
_FILL_TASKS: Final = """
INSERT INTO tasks (owner_id, id, title, description, completed, created_at, updated_at, revision, search_text)
SELECT 'u' || u, md5(u || '-' || n)::uuid, 'Task ' || n, 'Something to do', n % 3 = 0, now(), now(), n + 1,
       'task ' || n || chr(10) || 'something to do'
FROM generate_series(0, $1::int - 1) u, generate_series(0, $2::int - 1) n;
"""
_FILL_PEERS: Final = """
INSERT INTO guide_tasks (id, user_id, title, description, completed)
SELECT id, owner_id, title, description, completed FROM tasks;
"""


def user(number: int) -> str:
    """A user's id."""
    return f"u{number}"


def task_id(of: int, number: int) -> UUID:
    """The id of a user's task, as the database computes it."""
    return UUID(hashlib.md5(f"{of}-{number}".encode(), usedforsecurity=False).hexdigest())


@frozen
class World:
    """What every server under comparison uses."""

    server: PostgresServer
    issuer: Issuer
    issuer_url: str

    def database(self, role: str, name: str = "bench") -> str:
        """The database URL for a role."""
        return f"postgresql://{role}:{PASSWORD}@127.0.0.1:{self.server.port}/{name}"

    def token(self, number: int) -> str:
        """A token that is valid until after the run."""
        now = int(self.issuer.now())
        return self.issuer.token(user(number), iat=now, exp=now + 6 * 86400, sid=f"s{number}")

    @property
    def administration(self) -> str:
        """The database URL for the administrator."""
        return f"{self.server.url.rpartition('/')[0]}/bench"

    async def execute(self, statement: str, *arguments: object, database: str = "bench") -> str:
        """Run a statement as the administrator."""
        connection = await asyncpg.connect(f"{self.server.url.rpartition('/')[0]}/{database}")
        try:
            return str(await connection.execute(statement, *arguments, timeout=600))
        finally:
            await connection.close()


@contextmanager
def world(*, is_durable: bool = False) -> Generator[World]:
    """Start the server and the issuer; there are no tables yet.

    Unless it is durable, the server does not wait for the disk, which would decide all results on a shared machine.
    """
    with installation() as programs, programs.server(durable=is_durable) as server, _issuer() as (issuer, url):
        made = World(server, issuer, url)
        asyncio.run(_make(made))
        yield made


async def _make(made: World) -> None:
    await made.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{PASSWORD}'", database="postgres")
    await made.execute(f"CREATE DATABASE bench OWNER {OWNER}", database="postgres")


def fill(made: World) -> None:
    """Insert the same tasks for the service and its peers."""

    async def run() -> None:
        await made.execute(_PEERS)
        await made.execute(f"GRANT ALL ON guide_tasks TO {SERVICE}")
        await made.execute(_FILL_OURS, USERS, TASKS_EACH)
        await made.execute(_FILL_TASKS, USERS, TASKS_EACH)
        await made.execute(_FILL_PEERS)

    asyncio.run(run())
    settle(made)


def settle(made: World) -> None:
    """Vacuum and checkpoint now, not while latency is measured."""

    async def run() -> None:
        await made.execute("VACUUM ANALYZE")
        await made.execute("CHECKPOINT")

    asyncio.run(run())


def fill_sqlite(file: Path) -> None:
    """Insert the same tasks into a migrated SQLite file."""
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    tasks = (
        (user(u), task_id(u, n).hex, f"Task {n}", "Something to do", n % 3 == 0, now, now, n + 1, f"task {n}")
        for u in range(USERS)
        for n in range(TASKS_EACH)
    )
    with closing(sqlite3.connect(file)) as connection, connection:
        lists = ((user(number), TASKS_EACH) for number in range(USERS))
        connection.executemany("INSERT INTO task_lists (owner_id, revision) VALUES (?, ?)", lists)
        connection.executemany(
            "INSERT INTO tasks (owner_id, id, title, description, completed, created_at, updated_at, revision,"
            " search_text) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            tasks,
        )


@contextmanager
def _issuer() -> Generator[tuple[Issuer, str]]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    issuer = Issuer.new("bench", name=url, audience=url)
    keys = json.dumps(issuer.jwks()).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(keys)))
            self.end_headers()
            self.wfile.write(keys)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield issuer, url
    finally:
        server.shutdown()
        server.server_close()
