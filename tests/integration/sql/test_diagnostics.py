import os
import socket
import sqlite3
import ssl
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from sqlalchemy import URL

from adapters.sql.admin import known_revisions, migrate
from adapters.sql.database import Database, connect
from adapters.sql.diagnostics import check_database, check_revisions
from adapters.sql.errors import explain
from adapters.sql.sqlstates import UNAVAILABLE, find_state
from application.health import Finding, Status
from tests.integration.sql.test_database import driver_threads_end
from tests.support.postgres import OWNER, PostgresServer, as_role, execute
from tests.support.postgres_local import free_port

PASSWORD = "hunter2"


async def found(url: str, *, allows_bypass: bool = False) -> tuple[Finding, Finding, Finding]:
    database, tables, row_security = await check_database(url, allows_bypass=allows_bypass)
    assert (database.name, tables.name, row_security.name) == ("database", "tables", "row-security")
    assert PASSWORD not in f"{database}{tables}{row_security}"
    return database, tables, row_security


async def no_database(url: str, what: str, advice: str) -> None:
    database, tables, row_security = await found(url)
    assert database.status is Status.FAILED
    assert what in database.detail
    assert advice in str(database.advice)
    assert tables == Finding.skipped("tables", "the database can't be read")
    assert row_security == Finding.skipped("row-security", "the database can't be read")


def everything_in(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


class TestTables:
    async def test_a_migrated_database_is_ok(self, migrated_url: str) -> None:
        database, tables, _ = await found(migrated_url)
        assert database.status is Status.OK
        assert tables == Finding.ok("tables", f"up to date (revision {known_revisions()[0]})")

    async def test_a_database_in_use_is_ok(self, database: Database, migrated_url: str) -> None:
        async with database.writing():
            assert {finding.status for finding in await found(migrated_url)} == {Status.OK}

    async def test_a_database_without_tables_is_to_be_migrated(self, postgres_url: str) -> None:
        database, tables, _ = await found(postgres_url)
        assert database.status is Status.OK
        assert tables == Finding.failed("tables", "absent: this database was never migrated", "run evo-todo migrate")

    async def test_tables_of_a_newer_version_are_reported(self, migrated_postgres_url: str) -> None:
        execute(migrated_postgres_url, "UPDATE alembic_version SET version_num = '9999'")
        _, tables, _ = await found(migrated_postgres_url)
        assert tables.status is Status.FAILED
        assert 'from a newer version of the service: at revision "9999"' in tables.detail
        assert "install that newer version" in str(tables.advice)

    async def test_a_missing_column_is_reported(self, migrated_postgres_url: str) -> None:
        execute(migrated_postgres_url, "ALTER TABLE tasks DROP COLUMN search_text")
        _, tables, _ = await found(migrated_postgres_url)
        assert tables.status is Status.FAILED
        assert "missing or of another version" in tables.detail

    def test_tables_at_an_older_revision_are_behind(self) -> None:
        tables = check_revisions(["0001"], ["0003", "0002", "0001"])
        assert tables is not None
        assert tables.detail == 'behind: at revision "0001", this version needs "0003"'
        assert tables.advice == "run evo-todo migrate"
        assert check_revisions(["0003"], ["0003", "0002", "0001"]) is None
        newer = check_revisions(["0001", "0004"], ["0003", "0002", "0001"])
        assert newer is not None
        assert "from a newer version" in newer.detail

    def test_the_newest_revision_is_first(self) -> None:
        assert known_revisions()[-1] == "0001"
        assert list(known_revisions()) == sorted(known_revisions(), reverse=True)


class TestRowSecurity:
    async def test_a_role_that_bypasses_row_level_security_is_reported_and_allowed_only_explicitly(
        self, migrated_postgres_url: str, postgres_server: str
    ) -> None:
        admin = urlsplit(postgres_server)._replace(path=urlsplit(migrated_postgres_url).path).geturl()
        _, tables, row_security = await found(admin)
        assert (tables.status, row_security.status) == (Status.OK, Status.FAILED)
        assert "superuser" in row_security.detail
        assert "EVO_TODO_SERVICE_ROLE" in str(row_security.advice)
        _, _, row_security = await found(admin, allows_bypass=True)
        assert row_security.status is Status.NOTE
        assert "EVO_TODO_ALLOW_RLS_BYPASS allows that" in row_security.detail

    async def test_tables_without_row_level_security_are_reported(self, migrated_postgres_url: str) -> None:
        execute(migrated_postgres_url, "ALTER TABLE tasks DISABLE ROW LEVEL SECURITY")
        _, _, row_security = await found(migrated_postgres_url, allows_bypass=True)
        assert row_security.status is Status.FAILED
        assert "run evo-todo migrate" in str(row_security.advice)

    async def test_without_tables_the_check_is_skipped(self, postgres_url: str) -> None:
        _, _, row_security = await found(postgres_url)
        assert row_security.status is Status.SKIPPED


class TestPostgres:
    async def test_a_refused_connection_is_reported(self) -> None:
        for host in ("127.0.0.1", "localhost"):
            url = f"postgresql://alice:{PASSWORD}@{host}:{free_port()}/tasks"
            await no_database(url, "connections are refused: nothing listens there", "start PostgreSQL")

    async def test_an_unknown_database_is_reported(self, postgres_url: str) -> None:
        url = urlsplit(postgres_url)._replace(path="/nowhere").geturl()
        await no_database(url, '"nowhere"', "create it (createdb), then run evo-todo migrate")

    async def test_an_unknown_role_is_reported(self, postgres_url: str) -> None:
        address = urlsplit(postgres_url)
        where = address.netloc.rpartition("@")[2]
        await no_database(
            address._replace(netloc=f"stranger:{PASSWORD}@{where}").geturl(), "role", "correct DATABASE_URL"
        )

    async def test_a_silent_server_is_reported(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"postgresql://alice:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/tasks"
            await no_database(url, "it does not respond within 2.5 s", "a firewall may be in between")

    async def test_a_missing_socket_is_reported(self, tmp_path: Path) -> None:
        url = f"postgresql://alice:{PASSWORD}@/tasks?host={tmp_path}"
        await no_database(url, "there is no such socket", "check that PostgreSQL runs")

    async def test_a_parameter_that_the_server_does_not_know_is_reported(self, postgres_url: str) -> None:
        await no_database(f"{postgres_url}?no_such_setting={PASSWORD}", "does not know a parameter", "DATABASE_URL")

    async def test_a_wrong_password_and_a_rejected_role_are_reported(self, own_postgres: PostgresServer) -> None:
        execute(own_postgres.url, "ALTER ROLE postgres PASSWORD 'right'")
        await no_database(f"{own_postgres.url}?sslmode=require", "TLS is not what DATABASE_URL asks for", "sslmode")
        own_postgres.stop()
        (own_postgres.data / "pg_hba.conf").write_text("host all postgres 127.0.0.1/32 scram-sha-256\n")
        own_postgres.start()

        right = own_postgres.url.replace("postgres@", "postgres:right@")
        assert (await found(right))[0].status is Status.OK
        wrong = own_postgres.url.replace("postgres@", f"postgres:{PASSWORD}@")
        await no_database(wrong, "the password is wrong", "its password and role")
        stranger = own_postgres.url.replace("postgres@", f"stranger:{PASSWORD}@")
        await no_database(stranger, "rejects connections of this role from here", "pg_hba.conf")

    async def test_missing_rights_are_reported(self, own_postgres: PostgresServer) -> None:
        url = own_postgres.url.replace("postgres@", "service@")
        execute(own_postgres.url, "CREATE ROLE service LOGIN")
        database = connect(as_role(own_postgres.url, OWNER))
        await migrate(database)
        await database.dispose()

        _, tables, _ = await found(url)
        assert tables.status is Status.FAILED
        assert "grant it SELECT" in str(tables.advice)

        execute(own_postgres.url, "GRANT SELECT ON tasks, task_lists TO service")
        _, tables, _ = await found(url)
        assert tables.status is Status.NOTE
        assert "may not read alembic_version" in tables.detail

    @pytest.mark.parametrize(
        ("sqlstate", "what"),
        [
            ("28P01", "the password is wrong"),
            ("28000", "rejects connections of this role"),
            ("3D000", "no database of that name"),
            ("53300", "no free connection"),
            ("57P03", "starting or stopping"),
            ("42501", "may not use the database"),
            ("XX000", "a server that has a part of the rows does not respond"),
            ("XX001", "it can't be used (PostgresError), SQLSTATE XX001"),
        ],
    )
    def test_each_sqlstate_has_its_own_explanation(self, sqlstate: str, what: str) -> None:
        error = asyncpg.PostgresError(PASSWORD)
        error.sqlstate = sqlstate
        meaning, advice = explain(error)
        assert what in meaning
        assert advice
        assert PASSWORD not in meaning

    @pytest.mark.parametrize(
        ("error", "what"),
        [
            (socket.gaierror(-2, PASSWORD), "its host can't be found"),
            (ssl.SSLError(1, PASSWORD), "TLS is not what"),
            (OSError(113, PASSWORD), "it can't be used (OSError)"),
        ],
    )
    def test_each_connection_error_has_its_own_explanation(self, error: Exception, what: str) -> None:
        meaning, _ = explain(error)
        assert what in meaning
        assert PASSWORD not in meaning

    def test_no_row_of_the_sqlstates_is_hidden_by_an_earlier_one(self) -> None:
        assert [find_state(state.prefix) for state in UNAVAILABLE] == list(UNAVAILABLE)

    @pytest.mark.parametrize("code", ["", "22021", "23505", "25001", "42601", "55006", "XX001"])
    def test_other_sqlstates_are_no_unavailability(self, code: str) -> None:
        assert find_state(code) is None


class TestSqlite:
    """Nothing is created and nothing is changed: a reader's log might lock the service out of the database."""

    async def test_a_missing_file_is_not_created(self, tmp_path: Path) -> None:
        await no_database(f"sqlite:///{tmp_path}/tasks.db", "there is no such file", "run evo-todo migrate")
        assert everything_in(tmp_path) == {}

    async def test_a_missing_folder_is_to_be_created(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/data/tasks.db"
        await no_database(url, "its folder does not exist", "create the folder, then run evo-todo migrate")
        assert everything_in(tmp_path) == {}

    async def test_a_path_that_is_no_file_is_reported(self, tmp_path: Path) -> None:
        await no_database(f"sqlite:///{tmp_path}", "that is not a file", "correct DATABASE_URL")
        os.mkfifo(tmp_path / "pipe")
        await no_database(f"sqlite:///{tmp_path}/pipe", "that is not a file", "correct DATABASE_URL")

    async def test_another_kind_of_file_is_reported(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("These are notes.\n" * 100)
        await no_database(f"sqlite:///{tmp_path}/notes.txt", "not a SQLite database", "correct DATABASE_URL")

    async def test_a_path_that_the_system_rejects_is_reported(self, tmp_path: Path) -> None:
        await no_database(f"sqlite:///{tmp_path}/{'x' * 300}", "the file can't be read", "let this user read")

    async def test_a_damaged_database_is_reported(self, tmp_path: Path) -> None:
        (tmp_path / "tasks.db").write_bytes(b"SQLite format 3\0" + b"x" * 8000)
        await no_database(f"sqlite:///{tmp_path}/tasks.db", "it can't be used (DatabaseError)", "from a backup")

    @pytest.mark.parametrize("name", ["tasks.db", "my tasks?.db", "50%25#.db", "caf\u00e9.db"])
    async def test_a_check_leaves_no_trace(self, name: str, tmp_path: Path) -> None:
        with closing(sqlite3.connect(tmp_path / "tasks.db")) as other:
            other.execute("CREATE TABLE notes (text)")
        (tmp_path / "tasks.db").rename(file := tmp_path / name)
        file.chmod(0o600)
        before = everything_in(tmp_path)

        database, tables, _ = await found(str(URL.create("sqlite", database=str(file))))

        assert database.status is Status.OK
        assert "never migrated" in tables.detail
        assert everything_in(tmp_path) == before

    async def test_a_check_of_a_migrated_database_leaves_no_trace(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/tasks.db"
        database = connect(url)
        await migrate(database)
        await database.dispose()
        before = everything_in(tmp_path)
        assert list(before) == [f"{tmp_path}/tasks.db"]

        assert {finding.status for finding in await found(url)} == {Status.OK}

        assert everything_in(tmp_path) == before

    async def test_the_last_changes_of_a_running_service_are_read(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/tasks.db"
        service = connect(url)
        await migrate(service)  # which is in the log beside the file while the service runs
        assert (tmp_path / "tasks.db-wal").stat().st_size > 0
        assert {finding.status for finding in await found(url)} == {Status.OK}
        await service.dispose()

    async def test_an_empty_file_is_to_be_migrated(self, tmp_path: Path) -> None:
        (tmp_path / "tasks.db").touch(0o600)
        database, tables, _ = await found(f"sqlite:///{tmp_path}/tasks.db")
        assert database.status is Status.OK
        assert tables.advice == "run evo-todo migrate"
        assert (tmp_path / "tasks.db").stat().st_size == 0

    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o666])
    async def test_files_that_others_have_rights_on_are_a_note(self, mode: int, tmp_path: Path) -> None:
        (tmp_path / "tasks.db").touch(0o600)
        (tmp_path / "tasks.db").chmod(mode)
        database, _, _ = await found(f"sqlite:///{tmp_path}/tasks.db")
        assert database.status is Status.NOTE
        assert database.advice == "chmod 600 the file"
        (tmp_path / "tasks.db-shm").touch(0o600)
        (tmp_path / "tasks.db-shm").chmod(mode)
        database, _, _ = await found(f"sqlite:///{tmp_path}/tasks.db")
        assert "-wal and -shm" in str(database.advice)

    async def test_a_locked_file_is_reported(self, tmp_path: Path) -> None:
        with closing(sqlite3.connect(tmp_path / "tasks.db", isolation_level=None)) as other:
            other.execute("CREATE TABLE notes (text)")
            (tmp_path / "tasks.db-wal").touch()
            other.execute("BEGIN EXCLUSIVE")
            url = f"sqlite:///{tmp_path}/tasks.db"
            await no_database(url, "another program keeps it locked", "wait until it is done")
            await driver_threads_end()
