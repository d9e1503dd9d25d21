"""Creating a task once for each idempotency key, with SQL."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import asyncpg
from sqlalchemy import (
    CTE,
    ColumnElement,
    Executable,
    Select,
    String,
    bindparam,
    case,
    exists,
    false,
    insert,
    literal_column,
    null,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects import postgresql, sqlite

from adapters.sql.compiled_statements import Rows
from adapters.sql.executors import Executor
from adapters.sql.statements import OWNER, SHARDED, is_owned, set_user, set_user_cte
from adapters.sql.tables import idempotency_keys, tasks
from adapters.sql.write_statements import INSERT_TASK, NEW_TASK, bumped, next_revision

ATTEMPTS: Final = 3
"""How often a create is tried that finds, when it has the list's lock, that another request has used its key."""

_KEYS: Final = idempotency_keys.c
_KEY: Final = bindparam("key", type_=_KEYS.key.type)
_REQUEST: Final = bindparam("request", type_=_KEYS.request.type)
_EXPIRED_AT: Final = bindparam("expired_at", type_=_KEYS.created_at.type)
_FIRST: Final = (_KEYS.request, _KEYS.task_id, _KEYS.created_at, _KEYS.updated_at, _KEYS.revision)
"""What is remembered of the first request, in the order of FirstCreation."""


def _first(owner: ColumnElement[str]) -> Select[Any]:
    """What is remembered of the first request with the key, unless it has expired."""
    is_wanted = (is_owned(_KEYS.owner_id, owner), _KEYS.key == _KEY, _KEYS.created_at > _EXPIRED_AT)
    return select(*_FIRST).where(*is_wanted)


@cache
def new_task_once() -> Executable:
    """Return what is known of the key, else store a task and the key: one statement of PostgreSQL.

    One row: whether the key was known, then the columns of _FIRST; no row, and no change, if the list refuses the task.

    Its snapshot is older than its wait for the list's lock. A key that another request has stored meanwhile is not
    known to it, but conflicts: then the statement fails (23502), changes nothing, and has to be repeated.
    """
    me = set_user_cte()
    known = _first(literal_column("me.id", String)).offset(literal_column("0")).lateral("first")
    known_cte = select(known).select_from(me.join(known, true())).cte("known")
    raised = bumped("postgresql", grows=True, me=me, unless=exists(select(known_cte.c.revision)))
    task = {**NEW_TASK, "owner_id": raised.c.owner_id, "revision": raised.c.revision, "updated_at": raised.c.changed_at}
    stored = insert(tasks).from_select(list(task), select(*task.values())).returning(tasks.c.id).cte("stored")
    kept = _keep_key(raised)
    row = (true(), *known_cte.c)
    new = (false(), kept.c.request, kept.c.task_id, kept.c.created_at, kept.c.updated_at, kept.c.revision)
    return union_all(select(*row), select(*new)).add_cte(stored)


def _keep_key(raised: CTE) -> CTE:
    values = {
        "owner_id": raised.c.owner_id,
        "key": _KEY,
        "request": _REQUEST,
        "task_id": NEW_TASK["id"],
        "created_at": NEW_TASK["created_at"],
        "updated_at": raised.c.changed_at,
        "revision": raised.c.revision,
    }
    made = postgresql.insert(idempotency_keys).from_select(list(values), select(*values.values()))
    renewed: dict[str, ColumnElement[Any]] = {column.name: made.excluded[column.name] for column in _FIRST}
    # An expired key is used anew. One that has not expired can't be null: see above.
    renewed["request"] = case((_KEYS.created_at <= _EXPIRED_AT, made.excluded.request), else_=null())
    made = made.on_conflict_do_update(index_elements=[_KEYS.owner_id, _KEYS.key], set_=renewed)
    return made.returning(*_FIRST).cte("kept")


_FIND: Final = _first(OWNER)
_KEPT: Final = {
    "owner_id": OWNER,
    "key": _KEY,
    "request": _REQUEST,
    "task_id": NEW_TASK["id"],
    "created_at": NEW_TASK["created_at"],
    "updated_at": NEW_TASK["updated_at"],
    "revision": NEW_TASK["revision"],
}
_KEEP: Final = sqlite.insert(idempotency_keys).prefix_with("OR REPLACE").values(_KEPT)
_KEEP_SHARDED: Final = (
    postgresql.insert(idempotency_keys)
    .values(_KEPT)
    .on_conflict_do_update(
        index_elements=[_KEYS.owner_id, _KEYS.key],
        set_={name: value for name, value in _KEPT.items() if name not in {"owner_id", "key"}},
    )
)


async def add_once(executor: Executor, writes: str, parameters: Mapping[str, Any]) -> Rows:
    """Run `new_task_once`, or the same in steps: on SQLite and on SHARDED.

    Raises:
        StorageUnavailable: see Executor.
    """
    if writes == SHARDED:
        return await _add_sharded(executor, parameters)
    if writes != "postgresql":
        return await _add_in_steps(executor, parameters)
    for _ in range(ATTEMPTS - 1):
        try:
            return await executor.write(new_task_once(), parameters)
        except asyncpg.NotNullViolationError:  # another request with this key was first
            continue
    return await executor.write(new_task_once(), parameters)


async def _add_in_steps(executor: Executor, parameters: Mapping[str, Any]) -> Rows:
    async with executor.transaction() as transaction:
        for first in await transaction.run(_FIND, parameters):
            transaction.abandon()
            return [(True, *first)]
        for revision, at in await transaction.run(next_revision("sqlite", grows=True), parameters):
            values = {**parameters, "new_revision": revision, "new_updated_at": at}
            await transaction.run(INSERT_TASK, values)
            await transaction.run(_KEEP, values)
            return [(False, values["request"], values["new_id"], values["new_created_at"], at, revision)]
    return []


async def _add_sharded(executor: Executor, parameters: Mapping[str, Any]) -> Rows:
    async with executor.transaction() as transaction:
        await transaction.run(set_user(), parameters)
        if known := await transaction.run(_FIND, parameters):  # also where the list is full
            transaction.abandon()
            return [(True, *known[0])]
        raised = await transaction.run(next_revision(SHARDED, grows=True), parameters)
        if not raised:
            return []
        if known := await transaction.run(_FIND, parameters):  # another request, which had the list's lock before
            transaction.abandon()
            return [(True, *known[0])]
        revision, at = raised[0]
        values = {**parameters, "new_revision": revision, "new_updated_at": at}
        await transaction.run(INSERT_TASK, values)
        await transaction.run(_KEEP_SHARDED, values)
        return [(False, values["request"], values["new_id"], values["new_created_at"], at, revision)]
