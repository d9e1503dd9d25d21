import { webcrypto } from "node:crypto"
import { afterEach, describe, expect, test, vi } from "vitest"
import { Unreachable } from "./index.ts"
import { backoff } from "./retries.ts"
import {
  fakeSession,
  OK,
  problem,
  type Received,
  type Reply,
  startFakeApi,
  TASK,
  testClient,
} from "./testing.ts"

afterEach(() => vi.unstubAllGlobals())

const DATE = "Thu, 01 Jan 2026 09:00:00 GMT"
const transientFailures: [string, Reply][] = [
  ["429", problem(429)],
  ["502", { status: 502, text: "<html>Bad Gateway</html>" }],
  ["503", problem(503)],
  ["504", problem(504)],
  ["closed connection", { failure: "disconnect" }],
  ["timeout", { failure: "no response" }],
  ["body that never ends", { failure: "endless body" }],
]

/** Short if the timeout itself is tested, else long enough for a response on a busy machine. */
const timeoutOf = ({ failure }: Reply) => (failure === undefined || failure === "disconnect" ? 10_000 : 1000)

describe("a read", () => {
  test.each(transientFailures)("is retried after a %s", async (_, reply) => {
    const { baseUrl, requests } = await startFakeApi((_, before) => (before === 0 ? reply : OK))
    const { client, record } = testClient(baseUrl, { timeoutMs: timeoutOf(reply) })
    expect(await client.getTask("alice", "1")).toEqual(TASK)
    expect(requests).toHaveLength(2)
    expect(record.waits).toHaveLength(1)
  })

  test("is attempted three times, then rejects with its last failure", async () => {
    const replies = [problem(503), problem(502), problem(504)]
    const { baseUrl, requests } = await startFakeApi((_, before) => replies[before] ?? OK)
    await expect(testClient(baseUrl).client.getTask("alice", "1")).rejects.toMatchObject({ status: 504 })
    expect(requests).toHaveLength(3)
  })

  test("without any response is Unreachable, with the cause", async () => {
    const { baseUrl, requests } = await startFakeApi(() => ({ failure: "disconnect" }))
    const failure = await testClient(baseUrl)
      .client.getTask("alice", "1")
      .catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(Unreachable)
    expect((failure as Unreachable).cause).toBeInstanceOf(TypeError)
    expect(requests).toHaveLength(3)
  })

  test("is retried when the token endpoint is unreachable", async () => {
    const { baseUrl } = await startFakeApi(() => OK)
    const session = fakeSession()
    session.isDown = true
    const recover = async () => {
      session.isDown = false
    }
    const { client } = testClient(baseUrl, { tokens: session.tokens, wait: recover })
    expect(await client.getTask("alice", "1")).toEqual(TASK)
  })

  test.each([400, 403, 404, 422, 500])("is not retried after a %i", async (status) => {
    const { baseUrl, requests } = await startFakeApi(() => problem(status))
    await expect(testClient(baseUrl).client.listTasks("alice")).rejects.toMatchObject({ status })
    expect(requests).toHaveLength(1)
  })
})

describe("a create", () => {
  const keyOf = (request: Received | undefined) => request?.headers["idempotency-key"]

  test.each(transientFailures)("is retried after a %s, with the same key and body", async (_, reply) => {
    const { baseUrl, requests } = await startFakeApi((_, before) => (before === 0 ? reply : OK))
    const { client } = testClient(baseUrl, { timeoutMs: timeoutOf(reply) })
    expect(await client.createTask("alice", "Milk")).toEqual(TASK)
    const [first, second] = requests
    expect(keyOf(first)).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    expect([keyOf(second), second?.body]).toEqual([keyOf(first), first?.body])
    expect(requests).toHaveLength(2)
  })

  test("keeps its key when its token is renewed", async () => {
    const { baseUrl, requests } = await startFakeApi((_, before) => (before === 0 ? problem(401) : OK))
    await testClient(baseUrl).client.createTask("alice", "Milk")
    expect(keyOf(requests[1])).toBe(keyOf(requests[0]))
  })

  test("is attempted three times, then rejects with its last failure", async () => {
    const { baseUrl, requests } = await startFakeApi(() => problem(503))
    await expect(testClient(baseUrl).client.createTask("alice", "Milk")).rejects.toMatchObject({
      status: 503,
    })
    expect(new Set(requests.map(keyOf)).size).toBe(1)
    expect(requests).toHaveLength(3)
  })

  test.each([400, 409, 422, 500])("is not retried after a %i", async (status) => {
    const { baseUrl, requests } = await startFakeApi(() => problem(status))
    await expect(testClient(baseUrl).client.createTask("alice", "Milk")).rejects.toMatchObject({ status })
    expect(requests).toHaveLength(1)
  })

  test("has a key of its own, or the caller's", async () => {
    const { baseUrl, requests } = await startFakeApi(() => OK)
    const { client } = testClient(baseUrl)
    for (let i = 0; i < 2; i++) await client.createTask("alice", "Milk")
    await client.createTask("alice", "Milk", null, { idempotencyKey: "mine" })
    expect(new Set(requests.map(keyOf)).size).toBe(3)
    expect(keyOf(requests[2])).toBe("mine")
  })

  test("has a key also where the browser has no randomUUID", async () => {
    const { baseUrl, requests } = await startFakeApi(() => OK)
    const getRandomValues = (array: Uint8Array<ArrayBuffer>) => webcrypto.getRandomValues(array)
    vi.stubGlobal("crypto", { getRandomValues })
    for (let i = 0; i < 2; i++) await testClient(baseUrl).client.createTask("alice", "Milk")
    const keys = requests.map(keyOf)
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{32}$/)
    expect(keys[0]).not.toBe(keys[1])
  })
})

describe("another change", () => {
  test.each(transientFailures)("is never retried after a %s", async (_, reply) => {
    const { baseUrl, requests } = await startFakeApi(() => reply)
    const { client, record } = testClient(baseUrl, { timeoutMs: timeoutOf(reply) })
    const changes = [
      client.updateTask("alice", "1", {}),
      client.deleteTask("alice", "1"),
      client.toggleTaskCompletion("alice", "1"),
      client.setTaskCompletion("alice", "1", true),
      client.restoreTask("alice", "1"),
    ]
    const outcomes = await Promise.allSettled(changes)
    expect(outcomes.map(({ status }) => status)).toEqual(Array(5).fill("rejected"))
    expect(requests.map(({ method }) => method).sort()).toEqual(["DELETE", "PATCH", "PATCH", "POST", "PUT"])
    expect(record.waits).toEqual([])
  })
})

describe("the delay before a retry", () => {
  const delaysAfter = async (headers: Record<string, string>) => {
    const { baseUrl, requests } = await startFakeApi(() => problem(503, {}, headers))
    const { client, record } = testClient(baseUrl)
    const failure = await client.getTask("alice", "1").catch((error: unknown) => error)
    return { delays: record.waits, attempts: requests.length, failure }
  }

  test.each([
    ["0", 0],
    ["10", 10_000],
    ["Thu, 01 Jan 2026 09:00:07 GMT", 7000],
    ["Thu, 01 Jan 2026 08:00:00 GMT", 0],
  ])("is that of Retry-After: %s", async (value, ms) => {
    expect((await delaysAfter({ "Retry-After": value, Date: DATE })).delays).toEqual([ms, ms])
  })

  test.each(["11", "Thu, 01 Jan 2026 09:00:11 GMT"])(
    "is at most 10 s: Retry-After: %s means no retry",
    async (value) => {
      const { delays, attempts, failure } = await delaysAfter({ "Retry-After": value, Date: DATE })
      expect({ delays, attempts }).toEqual({ delays: [], attempts: 1 })
      expect(failure).toMatchObject({ status: 503, retryAfter: 11 })
    },
  )

  test.each([{}, { "Retry-After": "soon" }])("grows without a valid Retry-After: %o", async (headers) => {
    const [first = 0, second = 0] = (await delaysAfter(headers as Record<string, string>)).delays
    expect(first).toBeGreaterThan(125)
    expect(first).toBeLessThanOrEqual(250)
    expect(second).toBeGreaterThan(250)
    expect(second).toBeLessThanOrEqual(500)
  })

  test("is 250 ms, doubled at each failure, minus up to half as jitter", () => {
    expect([0, 1, 2].map((failures) => backoff(failures, () => 0))).toEqual([250, 500, 1000])
    expect([0, 1, 2].map((failures) => backoff(failures, () => 0.5))).toEqual([187.5, 375, 750])
    expect(new Set(Array.from({ length: 20 }, () => backoff(0))).size).toBeGreaterThan(1)
  })
})
