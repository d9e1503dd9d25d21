import { type BetterAuthOptions, betterAuth } from "better-auth"
import { memoryAdapter } from "better-auth/adapters/memory"
import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { backoff, FIND_EVERY_SESSION, Outbox, tellingOf } from "./outbox"
import type { Ending } from "./security-events"

const PERSON = { name: "Ada", email: "ada@example.com", password: "a long enough pass phrase" }

let written: ReturnType<typeof vi.spyOn>

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] })
  written = vi.spyOn(console, "error").mockImplementation(() => {})
})

afterEach(() => {
  vi.useRealTimers()
  written.mockRestore()
})

/** Better Auth on a database in memory, with an outbox, and what that has delivered. */
async function world(answers: (string | null)[] = []) {
  const tables = { user: [], session: [], account: [], verification: [], securityEvent: [] as Ending[] }
  const outbox = new Outbox()
  const options = {
    baseURL: "http://localhost:3000",
    secret: "x".repeat(32),
    database: memoryAdapter(tables),
    emailAndPassword: { enabled: true },
    user: { deleteUser: { enabled: true } },
    advanced: { database: FIND_EVERY_SESSION },
    plugins: [tellingOf(outbox)],
  } satisfies BetterAuthOptions
  const auth = betterAuth(options)
  const { adapter } = await auth.$context
  const told: Ending[] = []
  const deliver = async (ending: Ending) => {
    told.push(ending)
    return answers.shift() ?? null
  }
  return { auth, outbox, adapter, deliver, told, waiting: () => tables.securityEvent.length }
}

async function signedUp({ auth }: Awaited<ReturnType<typeof world>>) {
  const { headers, response } = await auth.api.signUpEmail({ body: PERSON, returnHeaders: true })
  const cookie = headers
    .getSetCookie()
    .map((one) => one.split(";")[0])
    .join("; ")
  const session = await auth.api.getSession({ headers: new Headers({ cookie }) })
  return { userId: response.user.id, sessionId: session?.session.id, headers: new Headers({ cookie }) }
}

it("tells of a session that was signed out, once", async () => {
  const here = await world()
  here.outbox.open(here.adapter, here.deliver)
  const ada = await signedUp(here)
  await here.auth.api.signOut({ headers: ada.headers })
  await vi.waitUntil(() => here.told.length === 1 && here.waiting() === 0)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(here.told).toMatchObject([{ userId: ada.userId, sessionId: ada.sessionId }])
})

it("tells of each session and of the account when that is deleted", async () => {
  const here = await world()
  here.outbox.open(here.adapter, here.deliver)
  const ada = await signedUp(here)
  await here.auth.api.deleteUser({ headers: ada.headers, body: { password: PERSON.password } })
  await vi.waitUntil(() => here.waiting() === 0)
  const sessions = here.told.map(({ sessionId }) => sessionId)
  expect(new Set(here.told.map(({ userId }) => userId))).toEqual(new Set([ada.userId]))
  expect(sessions).toContain(null)
  expect(sessions).toContain(ada.sessionId)
})

it("tells of every session that ends at once, however many there are", async () => {
  const here = await world()
  here.outbox.open(here.adapter, here.deliver)
  const ada = await signedUp(here)
  const { internalAdapter } = await here.auth.$context
  for (let more = 0; more < 120; more++) await internalAdapter.createSession(ada.userId)
  await here.auth.api.revokeSessions({ headers: ada.headers })
  await vi.waitUntil(() => here.waiting() === 0)
  expect(new Set(here.told.map(({ sessionId }) => sessionId)).size).toBe(121)
})

it("tries again, later each time and by the same id, and says so without naming anybody", async () => {
  const here = await world(["503", "400 invalid_key", "TimeoutError"])
  here.outbox.open(here.adapter, here.deliver)
  await here.outbox.add("u-1", "s-1")
  await vi.waitUntil(() => here.told.length === 1)
  await vi.advanceTimersByTimeAsync(30_000)
  expect(here.told).toHaveLength(4)
  expect(new Set(here.told.map(({ id }) => id)).size).toBe(1)
  await vi.waitUntil(() => here.waiting() === 0)
  const lines = written.mock.calls.map(([line]: unknown[]) => String(line))
  expect(lines).toHaveLength(3)
  expect(lines[1]).toContain("400 invalid_key")
  expect(lines.join()).not.toMatch(/u-1|s-1/)
})

it("tells what was left from before, and what another left behind", async () => {
  const here = await world()
  const lost = async () => new Promise<null>(() => {}) // a process that goes away in the middle
  const gone = new Outbox()
  gone.open(here.adapter, lost)
  await gone.add("u-1", "s-1")
  await vi.advanceTimersByTimeAsync(0)
  here.outbox.open(here.adapter, here.deliver)
  await vi.advanceTimersByTimeAsync(4000)
  expect(here.told).toHaveLength(0)
  await vi.advanceTimersByTimeAsync(12_000)
  expect(here.told).toMatchObject([{ userId: "u-1", sessionId: "s-1" }])
})

it("tells of one thing once, when two look at the same time", async () => {
  const here = await world()
  const other = new Outbox()
  here.outbox.open(here.adapter, here.deliver)
  other.open(here.adapter, here.deliver)
  await here.outbox.add("u-1", "s-1")
  await Promise.all([here.outbox.work(), other.work()])
  await vi.advanceTimersByTimeAsync(1000)
  expect(here.told).toHaveLength(1)
})

it("goes on when the database was away", async () => {
  const here = await world()
  let away = true
  const flaky = {
    ...here.adapter,
    findMany: ((query) => {
      if (away) throw new Error("ada@example.com")
      return here.adapter.findMany(query)
    }) as typeof here.adapter.findMany,
  }
  here.outbox.open(flaky, here.deliver)
  await here.outbox.add("u-1", null)
  away = false
  await vi.advanceTimersByTimeAsync(6000)
  expect(here.told).toHaveLength(1)
  expect(written.mock.calls.join()).not.toContain("example.com")
})

it("waits twice as long each time, up to a minute or so", () => {
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
