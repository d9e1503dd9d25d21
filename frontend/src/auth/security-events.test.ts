import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, beforeEach, expect, it } from "vitest"
import { push, securityEventClaims } from "./security-events"
import { readSettings } from "./settings"

const SETTINGS = readSettings({ BETTER_AUTH_BASE_URL: "http://localhost:3000", EVO_TODO_AUDIENCE: "tasks" })
const EVENT = { id: "e-1", userId: "u-1", happenedAt: new Date(1_800_000_000_250) }

let reply = { status: 202, body: "", location: "" }
let received: { request: IncomingMessage; body: string }[] = []
const server = createServer(async (request, response) => {
  received.push({ request, body: (await request.toArray()).join("") })
  response.writeHead(reply.status, reply.location ? { location: reply.location } : {}).end(reply.body)
})

beforeEach(async () => {
  received = []
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
})

afterEach(async () => {
  await new Promise((resolve) => server.close(resolve))
})

function url(): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/security-events`
}

it("makes a session-revoked event of a session", () => {
  expect(securityEventClaims({ ...EVENT, sessionId: "s-1" }, SETTINGS, 1_800_000_005.9, 900)).toEqual({
    iss: "http://localhost:3000",
    aud: "tasks",
    iat: 1_800_000_005,
    jti: "e-1",
    sub_id: {
      format: "complex",
      user: { format: "iss_sub", iss: "http://localhost:3000", sub: "u-1" },
      session: { format: "opaque", id: "s-1" },
    },
    events: {
      "https://schemas.openid.net/secevent/caep/event-type/session-revoked": {
        event_timestamp: 1_800_000_000.25,
        token_lifetime: 900,
      },
    },
  })
})

it("makes an account-purged event of a deleted account", () => {
  expect(securityEventClaims({ ...EVENT, sessionId: null }, SETTINGS, 1_800_000_005, 900)).toMatchObject({
    sub_id: { format: "iss_sub", iss: "http://localhost:3000", sub: "u-1" },
    events: { "https://schemas.openid.net/secevent/risc/event-type/account-purged": {} },
  })
})

it("pushes an event as RFC 8935 specifies", async () => {
  reply = { status: 202, body: "", location: "" }
  expect(await push("a.b.c", url())).toBeNull()
  expect(received[0]?.body).toBe("a.b.c")
  expect(received[0]?.request.method).toBe("POST")
  expect(received[0]?.request.headers["content-type"]).toBe("application/secevent+jwt")
})

it.each([
  [400, '{"err":"invalid_key","description":"about ada@example.com"}', "400 invalid_key"],
  [400, "<html>", "400"],
  [400, '{"err":5}', "400"],
  [503, '{"err":"no"}', "503"],
  [200, "", "200"],
])("treats %i with body %j as a failure with a short reason", async (status, body, reason) => {
  reply = { status, body, location: "" }
  expect(await push("a.b.c", url())).toBe(reason)
})

it("follows no redirects", async () => {
  reply = { status: 307, body: "", location: url() }
  expect(await push("a.b.c", url())).toBe("307")
  expect(received).toHaveLength(1)
})

it("treats a failed connection as a failure", async () => {
  expect(await push("a.b.c", "http://127.0.0.1:1/")).toBe("TypeError")
})
