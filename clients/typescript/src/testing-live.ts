import { randomUUID } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { onTestFinished } from "vitest"
import type { Task } from "./index.ts"
import { problem, type Reply, TASK } from "./testing.ts"
import { listen } from "./testing-proxy.ts"

type Entry = { task: Task; isDeleted: boolean }
type Call = "create" | "update" | "delete" | "changes" | "events"
type Stream = { response: ServerResponse; revision: number; token: string }

/** One user's list behind HTTP, with delta sync, events and idempotency keys as the contract has them. */
export class FakeService {
  readonly entries = new Map<string, Entry>()
  revision = 0
  /** Tokens from before this revision have expired. */
  horizon = 0
  retryMs = 1
  heartbeatMs = 20
  pageSize = 1000
  /** What to answer instead, for the next calls. */
  readonly refusals: { call: Call; reply: Reply }[] = []
  readonly rejectedTokens = new Set<string>()
  readonly received: { call: Call; url: string; token: string; headers: IncomingMessage["headers"] }[] = []
  readonly streams = new Set<Stream>()
  mostStreams = 0
  readonly #replies = new Map<string, string>()

  /** Changes the list as another client would, and returns the revision. */
  write(id: string, fields: Partial<Task> | "delete"): number {
    const revision = ++this.revision
    const task = {
      ...(this.entries.get(id)?.task ?? { ...TASK, id }),
      ...(fields === "delete" ? {} : fields),
      revision,
    }
    this.entries.set(id, { task, isDeleted: fields === "delete" })
    for (const stream of this.streams) this.#sendChanges(stream)
    return revision
  }

  /** Forgets up to `revisions` of the latest changes, as after a failover. */
  fallBack(revisions: number): void {
    this.revision -= revisions
    for (const [id, { task }] of this.entries) if (task.revision > this.revision) this.entries.delete(id)
  }

  endStreams(reason: string): void {
    for (const stream of this.streams) {
      this.streams.delete(stream)
      stream.response.end(`event: end\ndata: ${JSON.stringify({ reason })}\n\n`)
    }
  }

  /** Sends these characters to all streams. */
  sendRaw(text: string): void {
    for (const stream of this.streams) stream.response.write(text)
  }

  calls(call: Call) {
    return this.received.filter((request) => request.call === call)
  }

  tasks(): Task[] {
    return [...this.entries.values()].filter(({ isDeleted }) => !isDeleted).map(({ task }) => task)
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = ""
    for await (const chunk of request.setEncoding("utf8")) body += chunk
    const url = new URL(request.url ?? "", "http://localhost")
    const call = callOf(request.method ?? "", url.pathname)
    const token = request.headers.authorization?.replace("Bearer ", "") ?? ""
    this.received.push({ call, url: request.url ?? "", token, headers: request.headers })
    const refused = this.refusals.findIndex((refusal) => refusal.call === call)
    if (refused >= 0) return send(response, this.refusals.splice(refused, 1)[0]?.reply ?? {})
    if (this.rejectedTokens.has(token)) return send(response, problem(401))
    if (call === "events") return this.#openStream(request, response, token)
    if (call === "changes") return send(response, this.#changes(url.searchParams))
    const id = call === "create" ? randomUUID() : (url.pathname.split("/").at(-1) ?? "")
    const key = `${request.headers["idempotency-key"]}`
    const earlier = call === "create" ? this.#replies.get(key) : undefined
    if (earlier) return send(response, { status: 201, text: earlier })
    this.write(id, call === "delete" ? "delete" : JSON.parse(body))
    const text = JSON.stringify(this.entries.get(id)?.task)
    if (call === "create") this.#replies.set(key, text)
    send(response, call === "delete" ? { status: 204 } : { status: call === "create" ? 201 : 200, text })
  }

  #changes(query: URLSearchParams): Reply {
    const since = query.get("since")
    const from = since === null ? 0 : revisionOf(since)
    if (since !== null && !this.#isKnown(from)) return problem(410, { type: "urn:x:sync-token-expired" })
    const changed = this.#after(from).filter(({ isDeleted }) => since !== null || !isDeleted)
    const page = changed.slice(0, this.pageSize)
    const hasMore = changed.length > page.length
    const revision = hasMore ? (page.at(-1)?.task.revision ?? 0) : this.revision
    const data = page.filter(({ isDeleted }) => !isDeleted).map(({ task }) => task)
    const deleted = page.filter(({ isDeleted }) => isDeleted).map(({ task }) => task.id)
    return { json: { data, deleted, count: data.length, sync_token: tokenAt(revision), has_more: hasMore } }
  }

  #openStream(request: IncomingMessage, response: ServerResponse, token: string): void {
    const lastId = request.headers["last-event-id"]
    const isKnown = lastId === undefined || this.#isKnown(revisionOf(`${lastId}`))
    const revision = lastId === undefined || !isKnown ? this.revision : revisionOf(`${lastId}`)
    const stream = { response, revision, token }
    response.writeHead(200, {
      "Content-Type": "text/event-stream",
      "Cache-Control": "no-store, no-transform",
    })
    response.write(`retry: ${this.retryMs}\n\nevent: ready\nid: ${lastId ?? tokenAt(revision)}\ndata: {}\n\n`)
    if (!isKnown) response.write(`event: reset\nid: ${tokenAt(revision)}\ndata: {}\n\n`)
    this.streams.add(stream)
    this.mostStreams = Math.max(this.mostStreams, this.streams.size)
    const heartbeat = setInterval(() => response.writable && response.write(": ping\n\n"), this.heartbeatMs)
    response.on("close", () => {
      clearInterval(heartbeat)
      this.streams.delete(stream)
    })
    this.#sendChanges(stream)
  }

  #sendChanges(stream: Stream): void {
    for (const { task, isDeleted } of this.#after(stream.revision)) {
      const data = isDeleted ? { id: task.id, revision: task.revision } : task
      const type = isDeleted ? "task.deleted" : "task.changed"
      const id = tokenAt(task.revision)
      stream.response.write(`event: ${type}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`)
    }
    stream.revision = this.revision
  }

  #after(revision: number): Entry[] {
    const changed = [...this.entries.values()].filter(({ task }) => task.revision > revision)
    return changed.sort((a, b) => a.task.revision - b.task.revision)
  }

  #isKnown(revision: number): boolean {
    return revision >= this.horizon && revision <= this.revision
  }
}

export const tokenAt = (revision: number) => `s-${revision}`
const revisionOf = (token: string) => (/^s-\d+$/.test(token) ? Number(token.slice(2)) : Number.NaN)

function callOf(method: string, path: string): Call {
  if (path.endsWith("/tasks/changes")) return "changes"
  if (path.endsWith("/tasks/events")) return "events"
  if (method === "POST") return "create"
  return method === "DELETE" ? "delete" : "update"
}

function send(response: ServerResponse, { status = 200, json, text, headers, failure }: Reply): void {
  if (failure === "no response") return
  if (failure) return void response.destroy()
  const body = text ?? (json === undefined ? undefined : JSON.stringify(json))
  response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(body)
}

export async function startFakeService() {
  const service = new FakeService()
  const server = createServer((request, response) => void service.handle(request, response))
  const port = await listen(server)
  onTestFinished(() => server.closeAllConnections())
  return { service, port, baseUrl: `http://127.0.0.1:${port}/api` }
}
