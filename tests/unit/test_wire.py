"""PostgreSQL's messages: answers are the same however the network cuts them, and nothing else is read."""

import struct
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sql.wire import Answer, AnswerParser, PreparedStatement, ProtocolError, error_of
from adapters.sql.wire_values import UnsupportedType, encoders, row_decoder

IGNORED = b"12CnINSA"
TEXT, INT8, INSTANT, NUMBERS, JSON = 25, 20, 1184, 1016, 114


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def row(*values: bytes | None) -> bytes:
    fields = (struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value for value in values)
    return b"".join(fields)


def described(parameters: list[int], columns: list[int]) -> dict[int, bytes]:
    described = b"".join(
        b"%b\0" % name.encode() + struct.pack("!ihihih", 0, 0, number, -1, -1, 0)
        for name, number in zip("abcdefgh", columns, strict=False)
    )
    return {
        ord("t"): struct.pack(f"!h{len(parameters)}i", len(parameters), *parameters),
        ord("T"): struct.pack("!h", len(columns)) + described,
    }


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, Answer]:
    """What a server sends to one Sync, and what is to be read from it."""
    ignored = st.sampled_from([bytes((kind,)) for kind in IGNORED]).flatmap(
        lambda kind: st.binary(max_size=20).map(lambda body: message(kind, body))
    )
    rows = draw(st.lists(st.binary(max_size=300), max_size=4))
    error = draw(st.none() | st.binary(max_size=40))
    descriptions = draw(st.dictionaries(st.sampled_from([ord("t"), ord("T")]), st.binary(max_size=30)))
    parts = [message(b"D", b"\0\1" + one) for one in rows]
    parts += [message(bytes((kind,)), body) for kind, body in descriptions.items()]
    parts += [] if error is None else [message(b"E", error)]
    sent = b"".join(draw(ignored) + part for part in parts) + draw(ignored) + message(b"Z", b"I")
    return sent, (rows, error, descriptions)


@given(st.lists(answers(), max_size=4), st.data())
def test_answers_are_the_same_wherever_the_network_cuts_them(
    sent: list[tuple[bytes, Answer]], data: st.DataObject
) -> None:
    text, expected = b"".join(part for part, _ in sent), [answer for _, answer in sent]
    assert AnswerParser().feed(text) == expected
    places = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=12)))
    parser, found = AnswerParser(), []
    for start, end in zip([0, *places], [*places, len(text)], strict=True):
        found += parser.feed(text[start:end])
    assert found == expected


@given(answers(), answers())
def test_answers_are_the_same_when_they_are_cut_at_any_one_place(
    first: tuple[bytes, Answer], second: tuple[bytes, Answer]
) -> None:
    text = first[0] + second[0]
    for place in range(len(text) + 1):
        parser = AnswerParser()
        assert parser.feed(text[:place]) + parser.feed(text[place:]) == [first[1], second[1]]


def test_answers_are_the_same_byte_by_byte() -> None:
    text = message(b"2") + message(b"D", b"\0\1" + row(b"x")) + message(b"C", b"SELECT 1\0") + message(b"Z", b"I")
    parser = AnswerParser()
    found = [answer for place in range(len(text)) for answer in parser.feed(text[place : place + 1])]
    assert found == [([row(b"x")], None, {})]


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_anything_else_is_an_error_or_not_complete(parts: list[bytes]) -> None:
    parser = AnswerParser()
    try:
        for part in parts:
            parser.feed(part)
    except ProtocolError:
        pass


@pytest.mark.parametrize(
    "sent",
    [
        message(b"Z", b"T"),
        message(b"Z", b"E"),
        message(b"Z", b""),
        message(b"G", b"\0\0\0"),
        message(b"R", b"\0\0\0\0"),
        b"D\0\0\0\3",
        b"D\xff\xff\xff\xff",
        b"HTTP/1.1 400",
    ],
    ids=["in a transaction", "in a failed one", "no status", "COPY", "authentication", "too short", "negative", "HTTP"],
)
def test_what_no_answer_has_is_refused(sent: bytes) -> None:
    with pytest.raises(ProtocolError):
        AnswerParser().feed(sent)


INSTANTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001  (a bound)
BIGINTS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TASK: dict[int, st.SearchStrategy[Any]] = {2950: st.uuids(), 1043: TEXTS, TEXT: TEXTS, 16: st.booleans()}
TASK_TYPES = [2950, 1043, TEXT, 16, INSTANT, INSTANT, INSTANT, INT8]


@st.composite
def task_rows(draw: st.DrawFn) -> tuple[list[int], list[Any]]:
    """The types of some numbers and the columns of a task, and values of them, some of them null."""
    types = [INT8] * draw(st.integers(0, 2)) + TASK_TYPES
    values = [draw(TASK.get(number, INSTANTS if number == INSTANT else BIGINTS)) for number in types]
    values[-2] = draw(st.none() | INSTANTS)
    for place in draw(st.sets(st.integers(0, len(types) - 1), max_size=2) | st.just(range(len(types) - 8, len(types)))):
        values[place] = None
    if draw(st.booleans()):
        values[-3] = values[-4]
    return types, values


@given(task_rows())
def test_tasks_are_read_as_their_columns_are(given_row: tuple[list[int], list[Any]]) -> None:
    types, values = given_row
    parts = [
        b"\xff\xff\xff\xff" if value is None else write(value)
        for write, value in zip(encoders(types), values, strict=True)
    ]
    assert row_decoder(types)(b"".join(parts)) == tuple(values)


def test_values_are_read_by_their_types() -> None:
    at = datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    statement = PreparedStatement("s", described([], [TEXT, INT8, INSTANT, 2950, 16, 17, 23]))
    found = row(
        "ü".encode(), struct.pack("!q", -5), struct.pack("!q", -1), b"\1" * 16, b"\1", b"\0", struct.pack("!i", 7)
    )
    nothing = row(None, None, None, None, None, None, None)
    assert statement.rows([found, nothing]) == [("ü", -5, at, UUID(bytes=b"\1" * 16), True, b"\0", 7), (None,) * 7]


@pytest.mark.parametrize(("parameters", "columns"), [([JSON], []), ([], [JSON]), ([], [NUMBERS])])
def test_a_type_that_is_not_known_is_refused(parameters: list[int], columns: list[int]) -> None:
    with pytest.raises(UnsupportedType):
        PreparedStatement("s", described(parameters, columns))


@pytest.mark.parametrize(
    ("number", "value"),
    [(TEXT, 1), (TEXT, "\ud800"), (INT8, 2**63), (INT8, "1"), (INSTANT, datetime(2026, 1, 1)), (NUMBERS, [2**63])],  # noqa: DTZ001
)
def test_an_argument_of_another_type_is_refused(number: int, value: Any) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError, struct.error)):
        PreparedStatement("s", described([number], [])).bind([value])


@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_there_are_as_many_arguments_as_parameters(arguments: list[str]) -> None:
    with pytest.raises(ValueError, match="zip"):
        PreparedStatement("s", described([TEXT], [])).bind(arguments)


def test_an_error_is_the_drivers_exception() -> None:
    error = error_of(b"SFATAL\0C57P01\0Mterminating connection\xff\0\0")
    assert isinstance(error, asyncpg.AdminShutdownError)
    assert error.sqlstate == "57P01"
    assert isinstance(error_of(b"C99999\0Mx\0\0"), asyncpg.PostgresError)
    assert isinstance(error_of(b""), asyncpg.PostgresError)
