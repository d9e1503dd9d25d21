import { createServer, type IncomingHttpHeaders } from "node:http"
import type { AddressInfo } from "node:net"
import { onTestFinished } from "vitest"
import { ApiClient, type ApiClientOptions, MemoryTokenStore, SessionTokens, type Task } from "./index.ts"

/** An unsigned compact JWT: the client never verifies one. */
export function jwt(claims: Record<string, unknown>): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")
  return `${part({ alg: "EdDSA", kid: "k" })}.${part(claims)}.`
}

/** A token that expires in an hour. */
export function freshToken(name: string): string {
  const iat = Math.floor(Date.now() / 1000)
  return jwt({ sub: "alice", jti: name, iat, exp: iat + 3600 })
}

export const TASK: Task = {
  id: "019a0c2f-7d00-7abc-8def-0123456789ab",
  user_id: "alice",
  title: "Buy milk",
  description: null,
  completed: false,
  created_at: "2026-01-01T09:00:00Z",
  updated_at: "2026-01-01T09:00:00Z",
  revision: 1,
}

export const OK = { json: TASK }

/** A problem response of the API (RFC 9457). */
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
  /** Instead of a response: close the connection, send nothing, or send a body that never ends. */
  failure?: "disconnect" | "no response" | "endless body"
}

/** A real HTTP server in place of the API. `handle` gets each request and the number of earlier requests. */
export async function startFakeApi(handle: (request: Received, before: number) => Reply | Promise<Reply>) {
  const requests: Received[] = []
  const server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk)
    const { method = "", url = "", headers } = incoming
    const request = { method, url, headers, body: Buffer.concat(chunks).toString() }
    const reply = await handle(request, requests.push(request) - 1)
    if (reply.failure === "disconnect") return incoming.socket.destroy()
    if (reply.failure === "no response") return
    const body = reply.text ?? (reply.json === undefined ? "" : JSON.stringify(reply.json))
    outgoing.writeHead(reply.status ?? 200, {
      ...(reply.json === undefined ? {} : { "Content-Type": "application/json" }),
      ...reply.headers,
    })
    if (reply.failure === "endless body") return outgoing.write("{")
    outgoing.end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    return new Promise<void>((resolve) => server.close(() => resolve()))
  })
  return { requests, baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api` }
}

/** A session that issues token-1, token-2, …; set `ended` to end it, `isDown` to make its server unreachable. */
export function fakeSession(store = new MemoryTokenStore()) {
  const session = { ended: false, isDown: false, issued: [] as string[] }
  const fetchToken = async () => {
    if (session.isDown) throw new TypeError("network")
    if (session.ended) return null
    const token = freshToken(`token-${session.issued.length + 1}`)
    session.issued.push(token)
    return token
  }
  return Object.assign(session, { store, tokens: new SessionTokens({ fetchToken, store }) })
}

/** Tokens with a lifetime in seconds, from a server whose clock may differ from ours. */
export function setUpTokens({ lifetime = 900, serverAheadBy = 0 } = {}) {
  const state = {
    now: 1_800_000_000_000,
    fetches: 0,
    error: undefined as Error | undefined,
    isSignedOut: false,
  }
  const store = new MemoryTokenStore()
  const mint = (name: string) => {
    const iat = state.now / 1000 + serverAheadBy
    return jwt({ sub: name, iat, exp: iat + lifetime, ä: "ö" })
  }
  const fetchToken = async () => {
    state.fetches++
    if (state.error) throw state.error
    return state.isSignedOut ? null : mint(`user-${state.fetches}`)
  }
  const tokens = new SessionTokens({ fetchToken, store, now: () => state.now })
  return { state, store, tokens, mint }
}

/** A client that does not really wait. `record`: its waits in milliseconds, and its `auth:unauthorized` events. */
export function testClient(baseUrl: string, options: Partial<ApiClientOptions> = {}) {
  const record = { waits: [] as number[], sessionEnds: 0 }
  const events = new EventTarget()
  events.addEventListener("auth:unauthorized", () => record.sessionEnds++)
  const wait = async (ms: number) => void record.waits.push(ms)
  const client = new ApiClient({ baseUrl, tokens: fakeSession().tokens, events, wait, ...options })
  return { client, record }
}
