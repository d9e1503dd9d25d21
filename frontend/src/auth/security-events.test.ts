import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, beforeEach, expect, it } from "vitest"
import { claimsOf, push } from "./security-events"
import { readSettings } from "./settings"

const SETTINGS = readSettings({ BETTER_AUTH_BASE_URL: "http://localhost:3000", EVO_TODO_AUDIENCE: "tasks" })
const ENDING = { id: "e-1", userId: "u-1", happenedAt: new Date(1_800_000_000_250) }

let answer = { status: 202, body: "", location: "" }
let asked: { request: IncomingMessage; body: string }[] = []
const server = createServer(async (request, response) => {
  asked.push({ request, body: (await request.toArray()).join("") })
  response.writeHead(answer.status, answer.location ? { location: answer.location } : {}).end(answer.body)
})

beforeEach(async () => {
  asked = []
  await new Promise<void>((listens) => server.listen(0, "127.0.0.1", listens))
})

afterEach(async () => {
  await new Promise((closed) => server.close(closed))
})

function url(): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/security-events`
}

it("says that a session was revoked", () => {
  expect(claimsOf({ ...ENDING, sessionId: "s-1" }, SETTINGS, 1_800_000_005.9)).toEqual({
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
      },
    },
  })
})

it("says that an account was purged", () => {
  expect(claimsOf({ ...ENDING, sessionId: null }, SETTINGS, 1_800_000_005)).toMatchObject({
    sub_id: { format: "iss_sub", iss: "http://localhost:3000", sub: "u-1" },
    events: { "https://schemas.openid.net/secevent/risc/event-type/account-purged": {} },
  })
})

it("pushes an event as RFC 8935 says", async () => {
  answer = { status: 202, body: "", location: "" }
  expect(await push("a.b.c", url())).toBeNull()
  expect(asked[0]?.body).toBe("a.b.c")
  expect(asked[0]?.request.method).toBe("POST")
  expect(asked[0]?.request.headers["content-type"]).toBe("application/secevent+jwt")
})

it.each([
  [400, '{"err":"invalid_key","description":"about ada@example.com"}', "400 invalid_key"],
  [400, "<html>", "400"],
  [400, '{"err":5}', "400"],
  [503, '{"err":"no"}', "503"],
  [200, "", "200"],
])("takes %i with %j for a refusal, and says no more of it than a word", async (status, body, said) => {
  answer = { status, body, location: "" }
  expect(await push("a.b.c", url())).toBe(said)
})

it("follows nobody elsewhere", async () => {
  answer = { status: 307, body: "", location: url() }
  expect(await push("a.b.c", url())).toBe("307")
  expect(asked).toHaveLength(1)
})

it("takes no answer for a refusal, too", async () => {
  expect(await push("a.b.c", "http://127.0.0.1:1/")).toBe("TypeError")
})
