import { createServer, type IncomingHttpHeaders } from "node:http"
import type { AddressInfo } from "node:net"
import { onTestFinished } from "vitest"
import { ApiClient, type ApiClientOptions, MemoryTokenStore, SessionTokens, type Task } from "./index"

/** A compact JWT that nobody signed: the client never verifies one. */
export function jwt(claims: Record<string, unknown>): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")
  return `${part({ alg: "EdDSA", kid: "k" })}.${part(claims)}.`
}

/** A token that is good for an hour from now. */
export function freshToken(name: string): string {
  const iat = Math.floor(Date.now() / 1000)
  return jwt({ sub: "alice", jti: name, iat, exp: iat + 3600 })
}

export const A_TASK: Task = {
  id: "019a0c2f-7d00-7abc-8def-0123456789ab",
  user_id: "alice",
  title: "Buy milk",
  description: null,
  completed: false,
  created_at: "2026-01-01T09:00:00Z",
  updated_at: "2026-01-01T09:00:00Z",
  revision: 1,
}

export const OK = { json: A_TASK }

/** A problem as the API words it. */
export function problem(
  status: number,
  more: Record<string, unknown> = {},
  headers: Record<string, string> = {},
) {
  const json = { type: "about:blank", title: `Title ${status}`, status, detail: `Detail ${status}.`, ...more }
  return { status, json, headers: { "Content-Type": "application/problem+json", ...headers } }
}

export interface Received {
  method: string
  url: string
  headers: IncomingHttpHeaders
  body: string
}

export interface Reply {
  status?: number
  json?: unknown
  text?: string
  headers?: Record<string, string>
  /** No answer at all: the connection is cut, nothing ever comes, or the body never ends. */
  instead?: "cut" | "silence" | "endless body"
}

/** A real HTTP server in the API's place. `answer` gets each request and how many came before it. */
export async function apiDouble(answer: (request: Received, before: number) => Reply | Promise<Reply>) {
  const requests: Received[] = []
  const server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk)
    const { method = "", url = "", headers } = incoming
    const request = { method, url, headers, body: Buffer.concat(chunks).toString() }
    const reply = await answer(request, requests.push(request) - 1)
    if (reply.instead === "cut") return incoming.socket.destroy()
    if (reply.instead === "silence") return
    const body = reply.text ?? (reply.json === undefined ? "" : JSON.stringify(reply.json))
    outgoing.writeHead(reply.status ?? 200, {
      ...(reply.json === undefined ? {} : { "Content-Type": "application/json" }),
      ...reply.headers,
    })
    if (reply.instead === "endless body") return outgoing.write("{")
    outgoing.end(body)
  })
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening))
  onTestFinished(() => {
    server.closeAllConnections()
    return new Promise<void>((closed) => server.close(() => closed()))
  })
  return { requests, baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api` }
}

/** A session that gives token-1, token-2, …; set `over` to end it, `down` to make it unreachable. */
export function aSession(store = new MemoryTokenStore()) {
  const session = { over: false, down: false, given: [] as string[] }
  const fetchToken = async () => {
    if (session.down) throw new TypeError("network")
    if (session.over) return null
    const token = freshToken(`token-${session.given.length + 1}`)
    session.given.push(token)
    return token
  }
  return Object.assign(session, { store, tokens: new SessionTokens({ fetchToken, store }) })
}

/** Tokens that live so many seconds, from a server whose clock may differ from ours. */
export function aWorld({ life = 900, serverAheadBy = 0 } = {}) {
  const world = { now: 1_800_000_000_000, fetches: 0, fail: undefined as Error | undefined, none: false }
  const store = new MemoryTokenStore()
  const mint = (name: string) => {
    const iat = world.now / 1000 + serverAheadBy
    return jwt({ sub: name, iat, exp: iat + life, ä: "ö" })
  }
  const fetchToken = async () => {
    world.fetches++
    if (world.fail) throw world.fail
    return world.none ? null : mint(`person-${world.fetches}`)
  }
  const tokens = new SessionTokens({ fetchToken, store, now: () => world.now })
  return { world, store, tokens, mint }
}

/** A client whose waits take no time; what it waited and how often it told a loss is on record. */
export function aClient(baseUrl: string, options: Partial<ApiClientOptions> = {}) {
  const record = { waits: [] as number[], losses: 0 }
  const events = new EventTarget()
  events.addEventListener("auth:unauthorized", () => record.losses++)
  const wait = async (ms: number) => void record.waits.push(ms)
  const client = new ApiClient({ baseUrl, tokens: aSession().tokens, events, wait, ...options })
  return { client, record }
}
