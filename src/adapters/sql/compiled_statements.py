"""Statements compiled once: their SQL, and how values are converted for a driver."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from attrs import frozen
from sqlalchemy import Dialect, Executable
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect

Parameters = Mapping[str, Any]
Rows = Sequence[Any]
"""Rows whose columns are read by position."""


Processor = Callable[[Any], Any] | None
"""Converts a value between Python's type and the driver's; `None` where they are the same."""


@frozen
class CompiledStatement:
    """A statement as a driver takes it: its SQL, and how its arguments and rows are converted."""

    sql: str
    _names: tuple[str, ...]
    """Of the parameters, in the driver's order."""
    _constants: Parameters
    """Parameters that the dialect has added, such as an OFFSET of 0."""
    _binds: tuple[Processor, ...] | None = None
    """For each parameter; `None` if the driver takes Python's types."""
    _columns: tuple[Processor, ...] | None = None
    """For each column; `None` if the driver returns Python's types."""

    def arguments(self, parameters: Parameters) -> list[Any]:
        """The parameters' values, in the driver's order and types."""
        if self._constants:
            parameters = {**self._constants, **parameters}
        if self._binds is None:
            return [*map(parameters.__getitem__, self._names)]
        return [
            bind(parameters[name]) if bind else parameters[name]
            for name, bind in zip(self._names, self._binds, strict=True)
        ]

    def row(self, values: Sequence[Any]) -> Sequence[Any]:
        """A row in Python's types."""
        if self._columns is None:
            return values
        return tuple(
            [convert(value) if convert else value for convert, value in zip(self._columns, values, strict=True)]
        )


Compile = Callable[[Executable, Dialect], CompiledStatement]


@cache
def compile_statement(statement: Executable, dialect: Dialect) -> CompiledStatement:
    """Compile a statement, once for each dialect."""
    compiled: Any = statement.compile(dialect=dialect)  # type: ignore[attr-defined]  # every executable has it
    names = tuple(compiled.positiontup or ())
    constants = {name: value for name, value in compiled.params.items() if value is not None}
    if dialect.driver == "asyncpg":
        return CompiledStatement(str(compiled), names, constants)

    def processor(typed: Any, kind: str, *arguments: Any) -> Processor:
        made: Processor = getattr(typed.type.dialect_impl(dialect), kind)(dialect, *arguments)
        return made

    return CompiledStatement(
        str(compiled),
        names,
        constants,
        tuple(processor(compiled.binds[name], "bind_processor") for name in names),
        tuple(processor(column, "result_processor", None) for column in compiled.statement.selected_columns),
    )


ASYNCPG: Final[Dialect] = asyncpg_dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy has no annotations there
