import type { Client } from "openapi-fetch"
import type { Task } from "./api-client.ts"
import { EventStreamParser, type ServerEvent } from "./event-stream.ts"
import type { ApiPaths } from "./paths.ts"
import { unexpectedResponse } from "./problems.ts"
import { abortable } from "./timing.ts"
import type { Transport } from "./transport.ts"

/** An event of a list's stream; `id` is the sync token after it. `other`: only its id matters. */
export type TaskEvent =
  | { type: "ready" | "reset" | "other"; id: string }
  | { type: "changed"; id: string; task: Task; revision: number }
  | { type: "deleted"; id: string; taskId: string; revision: number }
  | { type: "end"; reason: string }

/** How long to wait for a stream, in milliseconds. */
export interface StreamTimes {
  /** For `ready`, from the response's header fields on; later means that the stream is buffered on its way. */
  ready: number
  /** For anything at all: the API sends a comment every 15 s. */
  silence: number
  /** From `ready` on, after which whatever arrives shows that the stream is not held back. */
  proof: number
}

interface Opening {
  userId: string
  lastEventId: string | undefined
  signal: AbortSignal
  times: StreamTimes
}

/** Opens the stream of a user's list, after the event with this id. Rejects as the methods of ApiClient do. */
export async function openTaskEvents(
  api: Client<ApiPaths>,
  transport: Transport,
  { userId, lastEventId, signal, times }: Opening,
): Promise<TaskEventStream> {
  let token = ""
  const header = lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId }
  const { response } = await api.GET("/{user_id}/tasks/events", {
    params: { path: { user_id: userId }, header },
    headers: { Accept: "text/event-stream" },
    cache: "no-store",
    parseAs: "stream",
    fetch: async (request) => {
      const opened = await transport.open(request, signal)
      token = opened.token
      return opened.response
    },
  })
  if (response.body && response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
    return new TaskEventStream(response.body, token, times)
  }
  response.body?.cancel().catch(() => {})
  throw unexpectedResponse()
}

/** One open stream of a list's events. */
export class TaskEventStream {
  /** The access token that it was opened with. */
  readonly token: string
  /** Events arrive when they are sent: something came well after `ready`. */
  isProven = false
  /** It was closed here, because nothing came in time. */
  isSilent = false
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #parser = new EventStreamParser()
  readonly #times: StreamTimes
  readonly #openedAt = performance.now()
  #readyAt: number | undefined

  constructor(body: ReadableStream<Uint8Array>, token: string, times: StreamTimes) {
    this.#reader = body.getReader()
    this.token = token
    this.#times = times
  }

  /** The last `retry` field, in milliseconds. */
  get retry(): number | undefined {
    return this.#parser.retry
  }

  /** Ends when the stream ends, breaks, is silent, closed or malformed. Throws the signal's reason, nothing else. */
  async *events(signal: AbortSignal): AsyncGenerator<TaskEvent, void, undefined> {
    let lastId = ""
    try {
      for (let chunk = await this.#read(signal); chunk; chunk = await this.#read(signal)) {
        for (const event of this.#parser.parse(chunk)) {
          const decoded = decode(event)
          if (decoded.type === "ready") this.#readyAt ??= performance.now()
          lastId = event.id
          yield decoded
        }
        const id = this.#parser.lastEventId
        if (id !== lastId) yield { type: "other", id }
        lastId = id
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (!(error instanceof Error)) throw error
    } finally {
      this.close()
    }
  }

  /** Closes the connection, also while `events` waits for it. */
  close(): void {
    this.#reader.cancel().catch(() => {}) // it broke before
  }

  async #read(signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { ready, silence, proof } = this.#times
    const ms = this.#readyAt === undefined ? this.#openedAt + ready - performance.now() : silence
    const onSilence = () => {
      this.isSilent = true
      this.close()
    }
    const timer = setTimeout(onSilence, ms)
    try {
      const { value } = await abortable(this.#reader.read(), signal)
      if (value && this.#readyAt !== undefined) this.isProven ||= performance.now() - this.#readyAt >= proof
      return value
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Throws SyntaxError or TypeError if the event's data is not what the contract says. */
function decode({ type, data, id }: ServerEvent): TaskEvent {
  if (type === "ready" || type === "reset") return { type, id }
  if (type === "task.changed") {
    const task = JSON.parse(data)
    text(task.id)
    return { type: "changed", id, task, revision: integer(task.revision) }
  }
  if (type === "task.deleted") {
    const { id: taskId, revision } = JSON.parse(data)
    return { type: "deleted", id, taskId: text(taskId), revision: integer(revision) }
  }
  return type === "end" ? { type, reason: data } : { type: "other", id }
}

function text(value: unknown): string {
  if (typeof value !== "string") throw new TypeError("The event has no id.")
  return value
}

function integer(value: unknown): number {
  if (!Number.isSafeInteger(value)) throw new TypeError("The event has no revision.")
  return value as number
}
