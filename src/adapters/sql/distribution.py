"""Distributing the owners' tables over the servers of a Citus cluster, as the role that owns them.

All tables are distributed by `owner_id` and each owner's rows of all of them are on one server, so that every statement
of the service needs that server alone. The other tables are small, and stay on the coordinator.
"""

from collections.abc import Iterator
from typing import Any, Final

from attrs import frozen
from sqlalchemy import text

from adapters.sql.database import Database
from adapters.sql.statements import PLANNER

OWNED: Final = ("task_lists", "tasks", "idempotency_keys")
"""The owners' tables; the first one is distributed first, the others beside it."""

SETTINGS: Final = {"citus.propagate_set_commands": "local", "citus.override_table_visibility": "off"}
"""The database's: `SET LOCAL` holds on every server of a transaction, as row-level security goes by it there.

The other: reads of the catalog, of which the driver makes one for each connection, take milliseconds and not seconds.
"""

PLANS: Final = "plan_cache_mode"
"""The service's role must not have statements planned once for all owners: such a plan names no server."""

_SET_USER: Final = (
    "CREATE OR REPLACE FUNCTION set_user(u text) RETURNS text LANGUAGE plpgsql VOLATILE AS"
    " $$ BEGIN EXECUTE format('SET LOCAL app.user_id = %L', u); RETURN u; END $$"
)
"""Citus passes SET LOCAL on to every server of a transaction, but not what `set_config()` does."""

_STATE: Final = text(
    "SELECT quote_ident(current_database()) AS name,"
    " EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') AS has_citus,"
    " ARRAY (SELECT setting FROM unnest(CAST(:settings AS text[])) AS setting WHERE NOT EXISTS"
    "  (SELECT FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase"
    "   WHERE datname = current_database() AND setrole = 0 AND setting = ANY (setconfig))) AS unset,"
    " (SELECT quote_ident(rolname) FROM pg_roles WHERE rolname = :role AND :plans = ANY (rolconfig) AND NOT EXISTS"
    "  (SELECT FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase"
    "   WHERE datname = current_database() AND setrole = pg_roles.oid AND setconfig::text LIKE :has_plans)) AS generic,"
    " EXISTS (SELECT FROM pg_proc JOIN pg_language ON pg_language.oid = prolang"
    "  WHERE pg_proc.oid = to_regprocedure('set_user(text)') AND lanname = 'sql') AS sets_here,"
    " ARRAY (SELECT relname::text FROM pg_class WHERE relforcerowsecurity AND oid IN"
    "  (SELECT to_regclass(name) FROM unnest(CAST(:tables AS text[])) AS name)) AS forced,"
    " ARRAY (SELECT name FROM unnest(CAST(:tables AS text[])) AS name WHERE to_regclass(name) IS NULL) AS missing"
)
_DISTRIBUTED: Final = text("SELECT logicalrelid::text FROM pg_dist_partition WHERE partmethod = 'h'")
_HAS_CATALOG: Final = text("SELECT to_regclass('pg_dist_partition') IS NOT NULL")


class CannotDistribute(Exception):
    """The tables can't be distributed here; the message says why."""


@frozen
class Cluster:
    """What is known of a cluster's coordinator."""

    name: str
    """The database's, quoted."""
    unset: tuple[str, ...]
    """Those of SETTINGS that the database has not, as `name=value`."""
    generic: str | None
    """The service's role, quoted, if its statements are planned once for all owners."""
    forced: frozenset[str]
    """The tables whose policies apply to their owner, too."""
    distributed: frozenset[str]
    sets_here: bool
    """Whether `set_user` sets the user on this server alone."""

    def statements(self, *, keeps_force: bool) -> Iterator[str]:
        """What remains to be done, in this order; each statement is a transaction of its own.

        The rows can't be copied while policies apply to the tables' owner, nor moved between servers later. So in the
        end they do only if `keeps_force`: where the service logs in as the owner.
        """
        yield from self._preparations()
        first, *others = OWNED
        copied = [table for table in OWNED if table not in self.distributed]
        for table in OWNED:
            if table in self.forced and (table in copied or not keeps_force):
                yield f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY"
        if first in copied:
            yield f"SELECT create_distributed_table('{first}', 'owner_id')"
        for table in others:
            if table in copied:
                yield f"SELECT create_distributed_table('{table}', 'owner_id', colocate_with => '{first}')"
        for table in OWNED:
            if keeps_force and (table in copied or table not in self.forced):
                yield f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY"

    def _preparations(self) -> Iterator[str]:
        for setting in self.unset:
            name, _, value = setting.partition("=")
            yield f"ALTER DATABASE {self.name} SET {name} = '{value}'"
        if self.generic:
            yield f"ALTER ROLE {self.generic} IN DATABASE {self.name} SET {PLANS} = 'auto'"
        if self.sets_here:
            yield _SET_USER


async def is_distributed(database: Database) -> bool:
    """Whether tasks are on several servers.

    Raises:
        StorageUnavailable: the database does not respond.
    """
    if database.dialect != "postgresql" or not (await database.read(_HAS_CATALOG)).scalar_one():
        return False
    return "tasks" in (await database.read(_DISTRIBUTED)).scalars().all()


async def read_cluster(database: Database, role: str | None = None) -> Cluster:
    """The state of the cluster whose coordinator this database is on; `role` is the service's.

    Raises:
        CannotDistribute: it is none, or has not the tables of this version.
        OSError or sqlalchemy.exc.SQLAlchemyError: the database can't be reached or rejects a statement.
    """
    if database.dialect != "postgresql":
        raise CannotDistribute("SQLite has one server")
    async with database.writes.begin() as connection:
        parameters: dict[str, Any] = {
            "settings": [f"{name}={value}" for name, value in SETTINGS.items()],
            "role": role,
            "plans": f"{PLANS}={PLANNER[PLANS]}",
            "has_plans": f"%{PLANS}=%",
            "tables": list(OWNED),
        }
        found = (await connection.execute(_STATE, parameters)).one()
        if not found.has_citus:
            raise CannotDistribute("this database has no extension citus: run CREATE EXTENSION citus on every server")
        if found.missing:
            raise CannotDistribute(f"there is no table {found.missing[0]}: run evo-todo migrate first")
        distributed = (await connection.execute(_DISTRIBUTED)).scalars().all()
    return Cluster(
        found.name,
        tuple(found.unset),
        found.generic,
        frozenset(found.forced),
        frozenset(distributed) & {*OWNED},
        found.sets_here,
    )


async def distribute(database: Database, statement: str) -> None:
    """Run one of `Cluster.statements`; to copy a table takes as long as its rows need.

    Raises:
        OSError or sqlalchemy.exc.SQLAlchemyError: the database can't be reached or rejects the statement.
    """
    async with database.writes.connect() as connection:
        autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await autocommit.exec_driver_sql("SET statement_timeout = 0")
        await autocommit.exec_driver_sql(statement)
        await autocommit.exec_driver_sql("RESET statement_timeout")
