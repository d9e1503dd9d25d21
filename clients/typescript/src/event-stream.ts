/** An event of a `text/event-stream`. `id` is the last event id of the stream, as of this event. */
export interface ServerEvent {
  type: string
  data: string
  id: string
}

/** Longer lines and events are refused: the longest of the API is some 20 KiB. */
const MAX_LENGTH = 1024 * 1024

/** An incremental parser of one `text/event-stream` (WHATWG HTML §9.2.6), given in chunks that may be cut anywhere. */
export class EventStreamParser {
  /** The id in the last complete event, also if that had no data; empty before the first. */
  lastEventId = ""
  /** The last `retry` field, in milliseconds. */
  retry: number | undefined
  readonly #decoder = new TextDecoder() // removes a byte order mark, and keeps a character that is cut
  #line = ""
  #endedWithCR = false
  #type = ""
  #data = ""
  #id = "";

  /** The events that this chunk completes. Throws SyntaxError for an event that is too long. */
  *parse(chunk: Uint8Array): Generator<ServerEvent> {
    let text = this.#decoder.decode(chunk, { stream: true })
    if (text === "") return
    if (this.#endedWithCR && text.startsWith("\n")) text = text.slice(1)
    this.#endedWithCR = text === "" ? false : text.endsWith("\r")
    const lines = text.split(/\r\n|\r|\n/)
    const rest = lines.pop() ?? ""
    for (const line of lines) {
      const complete = this.#line + line
      this.#line = ""
      const event = complete === "" ? this.#dispatch() : this.#field(complete)
      if (event) yield event
    }
    this.#line += rest
    if (this.#line.length + this.#data.length > MAX_LENGTH) throw new SyntaxError("The event is too long.")
  }

  #field(line: string): undefined {
    const colon = line.indexOf(":")
    if (colon === 0) return // a comment
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "")
    if (name === "event") this.#type = value
    if (name === "data") this.#data += `${value}\n`
    if (name === "id" && !value.includes("\0")) this.#id = value
    if (name === "retry" && /^[0-9]+$/.test(value)) this.retry = Number(value)
  }

  /** The event that an empty line ends; undefined without a data field. */
  #dispatch(): ServerEvent | undefined {
    this.lastEventId = this.#id
    const { type, data } = { type: this.#type || "message", data: this.#data }
    this.#type = ""
    this.#data = ""
    return data === "" ? undefined : { type, data: data.slice(0, -1), id: this.lastEventId }
  }
}
