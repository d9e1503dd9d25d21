"""Spans of OpenTelemetry, and those of statements: without arguments, rows, and the messages of errors."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from functools import cache

from attrs import frozen
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from sqlalchemy import Dialect, Executable

from adapters.sql.compiled_statements import Parameters, Rows
from adapters.sql.executors import Executor, Transaction
from domain.errors import DomainError, Unavailable


@cache
def _text_of(statement: Executable, dialect: Dialect) -> str:
    """The statement with placeholders for its arguments."""
    return str(statement.compile(dialect=dialect))  # type: ignore[attr-defined]  # every executable has it


@contextmanager
def span(
    tracer: Tracer,
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    *,
    parent: Context | None = None,
    attributes: Mapping[str, str] | None = None,
) -> Iterator[Span]:
    """A span that is the current one meanwhile; of an exception it has the type, not the message."""
    started = tracer.start_as_current_span(
        name, parent, kind, attributes, record_exception=False, set_status_on_exception=False
    )
    with started as current:
        try:
            yield current
        except BaseException as error:
            current.set_attribute("error.type", type(error).__name__)
            if isinstance(error, Unavailable) or not isinstance(error, DomainError):
                current.set_status(Status(StatusCode.ERROR))
            raise


@frozen
class TracedExecutor:
    """Runs statements, with a span for each."""

    _inner: Executor
    _tracer: Tracer
    _dialect: Dialect
    _system: str

    async def read(self, statement: Executable, parameters: Parameters) -> Rows:
        """See the protocol."""
        with self.span("read", statement):
            return await self._inner.read(statement, parameters)

    async def read_many(self, statement: Executable, parameters: Parameters) -> Rows:
        """See the protocol."""
        with self.span("read", statement):
            return await self._inner.read_many(statement, parameters)

    async def search(self, statement: Executable, parameters: Parameters) -> Rows:
        """See the protocol."""
        with self.span("search", statement):
            return await self._inner.search(statement, parameters)

    async def write(self, statement: Executable, parameters: Parameters) -> Rows:
        """See the protocol."""
        with self.span("write", statement):
            return await self._inner.write(statement, parameters)

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """See the protocol."""
        return self._transaction()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Transaction]:
        with span(self._tracer, "transaction", SpanKind.CLIENT) as current:
            current.set_attribute("db.system.name", self._system)
            async with self._inner.transaction() as transaction:
                yield TracedTransaction(transaction, self)

    def span(self, name: str, statement: Executable) -> AbstractContextManager[Span]:
        """A span of that statement."""
        attributes = {
            "db.system.name": self._system,
            "db.query.text": _text_of(statement, self._dialect),
        }
        return span(self._tracer, name, SpanKind.CLIENT, attributes=attributes)


@frozen
class TracedTransaction:
    """Runs statements in a transaction, with a span for each."""

    _inner: Transaction
    _executor: TracedExecutor

    async def run(self, statement: Executable, parameters: Parameters) -> Rows:
        """See the protocol."""
        with self._executor.span("statement", statement):
            return await self._inner.run(statement, parameters)

    def abandon(self) -> None:
        """See the protocol."""
        self._inner.abandon()
