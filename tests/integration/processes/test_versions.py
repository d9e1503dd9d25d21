"""Two versions on one database: this one on the tables of the one before, and the one before on the tables of this one.

The version before is the code as it was when the newest migration was added, from this repository's history: so it
knows every migration but that one. Where there is no such history, as in a packed source, its tests do not exist.
"""

import asyncio
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from adapters.sql.admin import grant_to, known_revisions, migrate
from adapters.sql.database import connect
from tests.support.loopback_issuer import LoopbackIssuer
from tests.support.postgres import SERVICE, as_role
from tests.support.service import Service, running

ROOT = Path(__file__).parents[3]
NEWEST, BEFORE, *_ = known_revisions()
TASKS = "/api/alice/tasks"


def git(*arguments: str) -> bytes | None:
    """What git says of this repository; `None` if it is none, or not with its whole history."""
    if (program := shutil.which("git")) is None:
        return None
    ended = subprocess.run([program, "-C", ROOT, *arguments], capture_output=True, timeout=60, check=False)
    return ended.stdout if ended.returncode == 0 else None


def version_before() -> str | None:
    """The commit before the one that added the newest migration."""
    added = git("log", "--diff-filter=A", "--format=%H", "-1", "--", f"src/adapters/sql/migrations/versions/{NEWEST}_*")
    commit = (added or b"").decode().strip()
    found = git("rev-parse", "--verify", "--quiet", f"{commit}^") if commit else None
    return None if found is None else found.decode().strip()


COMMIT = version_before()


async def upgrade(url: str, revision: str) -> None:
    database = connect(url)
    await migrate(database, revision)
    if database.dialect == "postgresql":
        async with database.writes.begin() as connection:
            await grant_to(connection, SERVICE)
    await database.dispose()


def service_url(url: str) -> str:
    return as_role(url, SERVICE) if url.startswith("postgresql") else url


def every_call(client: httpx.Client, title: str) -> None:
    """The calls that read or change tasks, and that both versions know; each of them works."""
    created = client.post(TASKS, json={"title": title}, headers={"Idempotency-Key": title}).raise_for_status()
    again = client.post(TASKS, json={"title": title}, headers={"Idempotency-Key": title})
    assert (again.content, again.headers["Idempotency-Replayed"]) == (created.content, "true")
    path = f"{TASKS}/{created.json()['id']}"
    client.put(path, json={"description": "x"}, headers={"If-Match": created.headers["ETag"]}).raise_for_status()
    client.patch(f"{path}/complete").raise_for_status()
    client.delete(path).raise_for_status()
    client.post(f"{path}/restore").raise_for_status()
    assert client.get(path).raise_for_status().json()["title"] == title
    for query in ("", "?completed=true&sort=-updated_at", "?q=x", "?limit=1"):
        client.get(f"{TASKS}{query}").raise_for_status()
    assert title in {task["title"] for task in client.get(TASKS, params={"q": title}).json()["data"]}
    changed = client.get(f"{TASKS}/changes").raise_for_status().json()
    assert client.get(f"{TASKS}/changes", params={"since": changed["sync_token"]}).json()["count"] == 0


def titles(client: httpx.Client) -> set[str]:
    return {task["title"] for task in client.get(TASKS).raise_for_status().json()["data"]}


def revoke(service: Service, issuer: LoopbackIssuer) -> None:
    event, kind = issuer.security_event("bob", session=None), {"Content-Type": "application/secevent+jwt"}
    with service.client() as client:
        assert client.post("/api/security-events", content=event, headers=kind).status_code == 202


@pytest.mark.parametrize("database_url", ["postgresql", "sqlite"], indirect=True)
def test_this_version_serves_on_the_tables_of_the_one_before(
    database_url: str, own_issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    asyncio.run(upgrade(database_url, BEFORE))
    settings = {"DATABASE_URL": service_url(database_url)} | own_issuer.settings
    with running("serve", folder=tmp_path, settings=settings) as service:
        with service.client(own_issuer.token("alice")) as client:
            assert service.get("/readyz").status_code == 200
            every_call(client, "before")
            asyncio.run(upgrade(database_url, NEWEST))
            every_call(client, "after")
            assert titles(client) == {"before", "after"}
        revoke(service, own_issuer)


if COMMIT is not None:

    @pytest.fixture
    def sources(tmp_path: Path) -> Path:
        """The sources of the version before."""
        archive = git("archive", "--format=tar", str(COMMIT), "src")
        subprocess.run(["tar", "-x", "-C", tmp_path], input=archive, timeout=60, check=True)
        assert not [*tmp_path.glob(f"src/**/{NEWEST}_*")]
        return tmp_path / "src"

    @pytest.mark.parametrize("database_url", ["postgresql", "sqlite"], indirect=True)
    def test_the_version_before_serves_on_the_tables_of_this_one_and_beside_it(
        database_url: str, sources: Path, own_issuer: LoopbackIssuer, tmp_path: Path
    ) -> None:
        asyncio.run(upgrade(database_url, NEWEST))
        now = {"DATABASE_URL": service_url(database_url)} | own_issuer.settings
        before = now | {"PYTHONPATH": str(sources)}
        with (
            running("serve", folder=tmp_path, settings=before) as old,
            running("serve", folder=tmp_path, settings=now) as new,
            old.client(own_issuer.token("alice")) as of_old,
            new.client(own_issuer.token("alice")) as of_new,
        ):
            assert (old.get("/readyz").status_code, new.get("/readyz").status_code) == (200, 200)
            for round_ in range(2):
                every_call(of_old, f"old-{round_}")
                every_call(of_new, f"new-{round_}")
            assert titles(of_old) == titles(of_new) == {"old-0", "old-1", "new-0", "new-1"}
            revoke(old, own_issuer)
            revoke(new, own_issuer)
