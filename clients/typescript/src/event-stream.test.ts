import { describe, expect, test } from "vitest"
import { EventStreamParser, type ServerEvent } from "./event-stream.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

/** The events of the stream when it is received in these chunks. */
function parse(...chunks: Uint8Array[]) {
  const parser = new EventStreamParser()
  const events: ServerEvent[] = chunks.flatMap((chunk) => [...parser.parse(chunk)])
  return { events, lastEventId: parser.lastEventId, retry: parser.retry }
}

const event = (data: string, more: Partial<ServerEvent> = {}) => ({ type: "message", data, id: "", ...more })

const streams: [string, string, ServerEvent[]][] = [
  ["LF", "data: a\n\ndata: b\n\n", [event("a"), event("b")]],
  ["CR", "data: a\r\rdata: b\r\r", [event("a"), event("b")]],
  ["CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", [event("a"), event("b")]],
  [
    "CRLF between the lines of one event",
    "id: 1\r\ndata: a\r\ndata: b\r\n\r\n",
    [event("a\nb", { id: "1" })],
  ],
  ["mixed line ends", "data: a\n\r\ndata: b\r\n\rdata: c\r\n\n", [event("a"), event("b"), event("c")]],
  ["a byte order mark", "\uFEFFdata: a\n\n", [event("a")]],
  ["two byte order marks: the second belongs to a field's name", "\uFEFF\uFEFFdata: a\n\n", []],
  ["several data lines", "data: a\ndata:b\ndata\ndata:\n\n", [event("a\nb\n\n")]],
  ["one space after the colon", "data:  a \n\n", [event(" a ")]],
  ["an empty data line", "data\n\n", [event("")]],
  ["comments", ": ping\n\n:\ndata: a\n: b\ndata: c\n\n:ping\n\n", [event("a\nc")]],
  ["a colon in the value", 'event: x\ndata: {"a":":"}\n\n', [event('{"a":":"}', { type: "x" })]],
  ["an id without data: it stays, no event", "id: 7\n\ndata: a\n\n", [event("a", { id: "7" })]],
  ["an event without data: its type is forgotten", "event: x\n\ndata: a\n\n", [event("a")]],
  [
    "ids that stay until the next, and an empty one",
    "id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
    [event("a", { id: "1" }), event("b", { id: "1" }), event("c")],
  ],
  ["an id with NUL", "id: 1\nid: 2\0\ndata: a\n\n", [event("a", { id: "1" })]],
  ["unknown fields, other cases", "foo: x\nData: x\ndata : x\ndata: a\n\n", [event("a")]],
  ["fields in any order", "data: a\nid: 1\nevent: x\n\n", [event("a", { type: "x", id: "1" })]],
  ["characters of 1 to 4 bytes", "id: é\ndata: aé€🎉\n\n", [event("aé€🎉", { id: "é" })]],
  ["U+2028 is no line end", "data: a\u2028b\u0085\n\n", [event("a\u2028b\u0085")]],
  ["an event that is not complete", "id: 1\ndata: a\n\nid: 2\ndata: b\n", [event("a", { id: "1" })]],
]

describe.each(streams)("%s", (_, text, expected) => {
  const stream = bytes(text)

  test("in one piece", () => expect(parse(stream).events).toEqual(expected))

  test("cut in two at each byte, with and without an empty chunk between", () => {
    for (let at = 0; at <= stream.length; at++) {
      const [start, end] = [stream.slice(0, at), stream.slice(at)]
      expect(parse(start, end).events, `at ${at}`).toEqual(expected)
      expect(parse(start, new Uint8Array(), end).events, `at ${at}`).toEqual(expected)
    }
  })

  test("cut in three at each pair of bytes", () => {
    for (let i = 0; i <= stream.length; i++) {
      for (let j = i; j <= stream.length; j++) {
        expect(parse(stream.slice(0, i), stream.slice(i, j), stream.slice(j)).events).toEqual(expected)
      }
    }
  })

  test("byte by byte", () =>
    expect(parse(...[...stream].map((byte) => Uint8Array.of(byte))).events).toEqual(expected))
})

test("the last event id is that of complete events only", () => {
  expect(parse(bytes("id: 1\ndata: a\n\nid: 2\n")).lastEventId).toBe("1")
  expect(parse(bytes("id: 1\ndata: a\n\nid: 2\n\n")).lastEventId).toBe("2")
})

test.each([
  ["retry: 1500\n", 1500],
  ["retry:0\n", 0],
  ["retry: 1.5\n", undefined],
  ["retry: -1\n", undefined],
  ["retry: 1 \n", undefined],
  ["retry\n", undefined],
  ["retry: 5", undefined],
])("%o", (text, retry) => expect(parse(bytes(text)).retry).toBe(retry))

test("bytes that are not UTF-8 become replacement characters", () => {
  expect(parse(bytes("data: a"), Uint8Array.of(0xff), bytes("\n\n")).events).toEqual([event("a\uFFFD")])
})

test("an event without an end is refused, not kept", () => {
  const line = bytes("x".repeat(600 * 1024))
  expect(() => parse(line, line)).toThrow(SyntaxError)
  const data = bytes(`data: ${"x".repeat(600 * 1024)}\n`)
  expect(() => parse(data, data)).toThrow(SyntaxError)
})
