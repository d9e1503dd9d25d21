"""What operators can measure besides requests and streams; docs/operations.md says what each number is for."""

from collections.abc import Iterator

from dishka import Provider, Scope, provide

from adapters.sql.audit import SqlAuditLog
from adapters.sql.database import Database
from adapters.sql.errors import COUNTS
from adapters.sql.replica import Replicated
from adapters.sql.retention import AuditRetention, ListRetention, PurgeProgress
from adapters.sql.revocations import SqlRevocations
from adapters.system.audit_filters import RateLimitedAuditLog
from adapters.tokens.jwks_cache import JwksCache
from adapters.tokens.jwt_verifier import JwtVerifier
from application.background import BackgroundWork
from application.health import Labels, Measurement, Measurements
from application.ports import AuditLog, TokenVerifier


class Measured(Provider):
    """Numbers that the adapters keep."""

    scope = Scope.APP

    @provide
    def measurements(
        self,
        database: Database,
        keys: JwksCache,
        verifier: TokenVerifier,
        revocations: SqlRevocations,
        audit: AuditLog,
        audit_table: SqlAuditLog,
        background: BackgroundWork,
        replicated: Replicated | None,
    ) -> Measurements:
        """All of them."""
        return Measurements(
            (
                *_of_database(database),
                *_of_tokens(keys, verifier, revocations),
                *_of_audit(audit, audit_table),
                *_of_purges(background),
                *(() if replicated is None else _of_replica(replicated)),
            )
        )


def _of_database(database: Database) -> Iterator[Measurement]:
    executor = database.asyncpg_executor
    if executor is not None:
        pipelined = database.pipelined_executor
        shared = {} if pipelined is None else {"shared reads": pipelined.reads, "shared writes": pipelined.writes}
        pools = {"reads": executor.reads, "writes": executor.writes, "searches": executor.searches}

        def each(name: str) -> dict[Labels, float]:
            return {(pool,): getattr(of, name) for pool, of in pools.items()}

        def each_waiting() -> dict[Labels, float]:
            return each("waiting") | {(name,): of.waiting for name, of in shared.items()}

        of_pools = ("pool",)
        yield Measurement("evo_todo_pool_size", "Connections that a pool may open.", lambda: each("size"), of_pools)
        yield Measurement("evo_todo_pool_in_use", "Connections in use.", lambda: each("in_use"), of_pools)
        yield Measurement(
            "evo_todo_pool_waiting",
            "Statements that wait for a connection; of shared ones, for their answer.",
            each_waiting,
            of_pools,
        )
        yield Measurement(
            "evo_todo_pool_waits",
            "Statements that had to wait for a connection.",
            lambda: each("waits"),
            of_pools,
            is_total=True,
        )
        yield Measurement(
            "evo_todo_statement_timeouts",
            "Statements that took too long and were cancelled.",
            lambda: each("timeouts"),
            of_pools,
            is_total=True,
        )
    yield Measurement(
        "evo_todo_database_errors",
        "Uses of the database that found it unavailable, by SQLSTATE or type of error.",
        lambda: {(error,): count for error, count in COUNTS.items()},
        ("error",),
        is_total=True,
    )


def _of_tokens(keys: JwksCache, verifier: TokenVerifier, revocations: SqlRevocations) -> Iterator[Measurement]:
    yield Measurement("evo_todo_keys", "Keys of the issuer that are known.", lambda: keys.count)
    yield Measurement("evo_todo_keys_age_seconds", "Time since the keys were fetched.", lambda: keys.age)
    if isinstance(verifier, JwtVerifier):
        yield Measurement(
            "evo_todo_verifications_waiting", "New tokens that wait for verification.", lambda: verifier.waiting
        )
    yield Measurement("evo_todo_revocations", "Revocations that are known.", lambda: revocations.count)
    yield Measurement(
        "evo_todo_revocations_age_seconds", "Time since the revocations were read.", lambda: revocations.age
    )


def _of_audit(audit: AuditLog, table: SqlAuditLog) -> Iterator[Measurement]:
    yield Measurement("evo_todo_audit_waiting", "Audit events that wait to be stored.", lambda: table.waiting)
    yield Measurement(
        "evo_todo_audit_dropped",
        "Audit events that were lost, because the queue was full.",
        lambda: table.dropped,
        is_total=True,
    )
    if isinstance(audit, RateLimitedAuditLog):
        yield Measurement(
            "evo_todo_audit_left_out",
            "Audit events that were only counted, because there were too many of their kind and source.",
            lambda: audit.left_out,
            is_total=True,
        )


def _of_purges(background: BackgroundWork) -> Iterator[Measurement]:
    purges: dict[Labels, PurgeProgress] = {}
    for task in background:
        if isinstance(task, AuditRetention):
            purges["audit events",] = task.progress
        elif isinstance(task, ListRetention):
            purges["deleted tasks",], purges["idempotency keys",] = task.tombstones, task.keys
    yield Measurement(
        "evo_todo_purged_rows",
        "Rows deleted because their retention period had ended.",
        lambda: {what: purge.rows for what, purge in purges.items()},
        ("what",),
        is_total=True,
    )
    yield Measurement(
        "evo_todo_purge_finished_timestamp_seconds",
        "When everything old was last deleted; at first, the start of the process.",
        lambda: {what: purge.finished_at for what, purge in purges.items()},
        ("what",),
    )


def _of_replica(replicated: Replicated) -> Iterator[Measurement]:
    replica = replicated.replica
    yield Measurement("evo_todo_replica_in_use", "Whether the replica is read.", lambda: replica.problem is None)
    yield Measurement(
        "evo_todo_replica_behind_seconds", "How far the replica is behind, at most about.", lambda: replica.behind
    )
