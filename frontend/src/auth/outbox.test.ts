import { type BetterAuthOptions, betterAuth } from "better-auth"
import { memoryAdapter } from "better-auth/adapters/memory"
import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { backoff, FIND_ALL_SESSIONS, Outbox, securityEventsPlugin } from "./outbox"
import type { SecurityEvent } from "./security-events"

const USER = { name: "Ada", email: "ada@example.com", password: "a long enough pass phrase" }

let consoleError: ReturnType<typeof vi.spyOn>

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] })
  consoleError = vi.spyOn(console, "error").mockImplementation(() => {})
})

afterEach(() => {
  vi.useRealTimers()
  consoleError.mockRestore()
})

/** Better Auth with an in-memory database and an outbox, and the events that the outbox has delivered. */
async function setUp(results: (string | null)[] = []) {
  const tables = {
    user: [],
    session: [],
    account: [],
    verification: [],
    securityEvent: [] as SecurityEvent[],
  }
  const outbox = new Outbox()
  const options = {
    baseURL: "http://localhost:3000",
    secret: "x".repeat(32),
    database: memoryAdapter(tables),
    emailAndPassword: { enabled: true },
    user: { deleteUser: { enabled: true } },
    advanced: { database: FIND_ALL_SESSIONS },
    plugins: [securityEventsPlugin(outbox)],
  } satisfies BetterAuthOptions
  const auth = betterAuth(options)
  const { adapter } = await auth.$context
  const delivered: SecurityEvent[] = []
  const deliver = async (event: SecurityEvent) => {
    delivered.push(event)
    return results.shift() ?? null
  }
  return { auth, outbox, adapter, deliver, delivered, pending: () => tables.securityEvent.length }
}

async function signUp({ auth }: Awaited<ReturnType<typeof setUp>>) {
  const { headers, response } = await auth.api.signUpEmail({ body: USER, returnHeaders: true })
  const cookie = headers
    .getSetCookie()
    .map((header) => header.split(";")[0])
    .join("; ")
  const session = await auth.api.getSession({ headers: new Headers({ cookie }) })
  return { userId: response.user.id, sessionId: session?.session.id, headers: new Headers({ cookie }) }
}

it("delivers one event for a session that was signed out", async () => {
  const system = await setUp()
  system.outbox.open(system.adapter, system.deliver)
  const ada = await signUp(system)
  await system.auth.api.signOut({ headers: ada.headers })
  await vi.waitUntil(() => system.delivered.length === 1 && system.pending() === 0)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(system.delivered).toMatchObject([{ userId: ada.userId, sessionId: ada.sessionId }])
})

it("delivers an event for each session and for the account when the account is deleted", async () => {
  const system = await setUp()
  system.outbox.open(system.adapter, system.deliver)
  const ada = await signUp(system)
  await system.auth.api.deleteUser({ headers: ada.headers, body: { password: USER.password } })
  await vi.waitUntil(() => system.pending() === 0)
  const sessions = system.delivered.map(({ sessionId }) => sessionId)
  expect(new Set(system.delivered.map(({ userId }) => userId))).toEqual(new Set([ada.userId]))
  expect(sessions).toContain(null)
  expect(sessions).toContain(ada.sessionId)
})

it("delivers an event for every session when more than a hundred end at once", async () => {
  const system = await setUp()
  system.outbox.open(system.adapter, system.deliver)
  const ada = await signUp(system)
  const { internalAdapter } = await system.auth.$context
  for (let more = 0; more < 120; more++) await internalAdapter.createSession(ada.userId)
  await system.auth.api.revokeSessions({ headers: ada.headers })
  await vi.waitUntil(() => system.pending() === 0)
  expect(new Set(system.delivered.map(({ sessionId }) => sessionId)).size).toBe(121)
})

it("retries with backoff and the same id, and logs each failure without user data", async () => {
  const system = await setUp(["503", "400 invalid_key", "TimeoutError"])
  system.outbox.open(system.adapter, system.deliver)
  await system.outbox.add("u-1", "s-1")
  await vi.waitUntil(() => system.delivered.length === 1)
  await vi.advanceTimersByTimeAsync(30_000)
  expect(system.delivered).toHaveLength(4)
  expect(new Set(system.delivered.map(({ id }) => id)).size).toBe(1)
  await vi.waitUntil(() => system.pending() === 0)
  const lines = consoleError.mock.calls.map(([line]: unknown[]) => String(line))
  expect(lines).toHaveLength(3)
  expect(lines[1]).toContain("400 invalid_key")
  expect(lines.join()).not.toMatch(/u-1|s-1/)
})

it("delivers the events that another process left behind, once their lease has expired", async () => {
  const system = await setUp()
  const neverResolves = async () => new Promise<null>(() => {}) // a process that dies during the delivery
  const dead = new Outbox()
  dead.open(system.adapter, neverResolves)
  await dead.add("u-1", "s-1")
  await vi.advanceTimersByTimeAsync(0)
  system.outbox.open(system.adapter, system.deliver)
  await vi.advanceTimersByTimeAsync(4000)
  expect(system.delivered).toHaveLength(0)
  await vi.advanceTimersByTimeAsync(12_000)
  expect(system.delivered).toMatchObject([{ userId: "u-1", sessionId: "s-1" }])
})

it("delivers an event once when two outboxes read it at the same time", async () => {
  const system = await setUp()
  const other = new Outbox()
  system.outbox.open(system.adapter, system.deliver)
  other.open(system.adapter, system.deliver)
  await system.outbox.add("u-1", "s-1")
  await Promise.all([system.outbox.run(), other.run()])
  await vi.advanceTimersByTimeAsync(1000)
  expect(system.delivered).toHaveLength(1)
})

it("recovers after the database was unavailable", async () => {
  const system = await setUp()
  let isDown = true
  const flaky = {
    ...system.adapter,
    findMany: ((query) => {
      if (isDown) throw new Error("ada@example.com")
      return system.adapter.findMany(query)
    }) as typeof system.adapter.findMany,
  }
  system.outbox.open(flaky, system.deliver)
  await system.outbox.add("u-1", null)
  isDown = false
  await vi.advanceTimersByTimeAsync(6000)
  expect(system.delivered).toHaveLength(1)
  expect(consoleError.mock.calls.join()).not.toContain("example.com")
})

it("doubles the backoff at each attempt, up to about a minute", () => {
  for (const [attempts, seconds] of [
    [0, 1],
    [1, 2],
    [3, 8],
    [10, 60],
    [1000, 60],
  ] as const) {
    expect(backoff(attempts) / 1000).toBeGreaterThanOrEqual(seconds * 0.75)
    expect(backoff(attempts) / 1000).toBeLessThanOrEqual(seconds * 1.25)
  }
})
