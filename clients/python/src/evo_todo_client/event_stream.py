"""An incremental parser of `text/event-stream` (WHATWG HTML §9.2.6)."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_LENGTH: Final = 1024 * 1024
"""Characters; longer events are refused: the longest of the API is some 20 KiB."""

_LINE_END: Final = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """An event. `id` is the last event id of the stream, as of this event."""

    name: str
    data: str
    id: str


class EventStreamParser:
    """Takes chunks that may be cut anywhere."""

    def __init__(self) -> None:
        self.last_id = ""
        """The id in the last complete event, also if that had no data; empty before the first."""
        self.retry: float | None = None
        """The last `retry` field, in seconds."""
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._rest = ""
        self._id = ""
        self._name = ""
        self._data: list[str] = []

    def parse(self, chunk: bytes) -> Iterator[ServerEvent]:
        """The events that this chunk completes. Raises ValueError for an event that is too long."""
        text = self._rest + self._decoder.decode(chunk)
        # A CR at the end may be the first half of a CRLF, whose other half comes with the next chunk.
        ready, held = (text[:-1], "\r") if text.endswith("\r") else (text, "")
        *lines, rest = _LINE_END.split(ready)
        self._rest = rest + held
        for line in lines:
            if line:
                self._field(line)
            elif (event := self._dispatch()) is not None:
                yield event
        if len(self._rest) + sum(map(len, self._data)) > MAX_LENGTH:
            raise ValueError("the event is too long")

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._name = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                self.retry = int(value) / 1000

    def _dispatch(self) -> ServerEvent | None:
        self.last_id = self._id
        name, data = self._name or "message", self._data
        self._name, self._data = "", []
        return ServerEvent(name, "\n".join(data), self.last_id) if data else None
