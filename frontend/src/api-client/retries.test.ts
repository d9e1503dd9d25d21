import { describe, expect, test } from "vitest"
import { Unreachable } from "./index"
import { backoff } from "./retries"
import { A_TASK, aClient, apiDouble, aSession, OK, problem, type Reply } from "./testing"

const DATE = "Thu, 01 Jan 2026 09:00:00 GMT"
const passing: [string, Reply][] = [
  ["429", problem(429)],
  ["502", { status: 502, text: "<html>Bad Gateway</html>" }],
  ["503", problem(503)],
  ["504", problem(504)],
  ["cut connection", { instead: "cut" }],
  ["time-out", { instead: "silence" }],
  ["body that does not end", { instead: "endless body" }],
]

/** Short where the time-out itself is the matter, and long enough for an answer on a busy machine. */
const timeoutOf = ({ instead }: Reply) => (instead === undefined || instead === "cut" ? 10_000 : 1000)

describe("a read", () => {
  test.each(passing)("is tried again after a %s", async (_, reply) => {
    const { baseUrl, requests } = await apiDouble((_, before) => (before === 0 ? reply : OK))
    const { client, record } = aClient(baseUrl, { timeoutMs: timeoutOf(reply) })
    expect(await client.getTask("alice", "1")).toEqual(A_TASK)
    expect(requests).toHaveLength(2)
    expect(record.waits).toHaveLength(1)
  })

  test("is tried three times, then its last failure is the answer", async () => {
    const answers = [problem(503), problem(502), problem(504)]
    const { baseUrl, requests } = await apiDouble((_, before) => answers[before] ?? OK)
    await expect(aClient(baseUrl).client.getTask("alice", "1")).rejects.toMatchObject({ status: 504 })
    expect(requests).toHaveLength(3)
  })

  test("without any answer is Unreachable, with the cause", async () => {
    const { baseUrl, requests } = await apiDouble(() => ({ instead: "cut" }))
    const failure = await aClient(baseUrl)
      .client.getTask("alice", "1")
      .catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(Unreachable)
    expect((failure as Unreachable).cause).toBeInstanceOf(TypeError)
    expect(requests).toHaveLength(3)
  })

  test("is tried again when the token can't be reached", async () => {
    const { baseUrl } = await apiDouble(() => OK)
    const session = aSession()
    session.down = true
    const restored = async () => {
      session.down = false
    }
    const { client } = aClient(baseUrl, { tokens: session.tokens, wait: restored })
    expect(await client.getTask("alice", "1")).toEqual(A_TASK)
  })

  test.each([400, 403, 404, 422, 500])("is not tried again after a %i", async (status) => {
    const { baseUrl, requests } = await apiDouble(() => problem(status))
    await expect(aClient(baseUrl).client.listTasks("alice")).rejects.toMatchObject({ status })
    expect(requests).toHaveLength(1)
  })
})

describe("a change", () => {
  test.each(passing)("is never sent again after a %s", async (_, reply) => {
    const { baseUrl, requests } = await apiDouble(() => reply)
    const { client, record } = aClient(baseUrl, { timeoutMs: timeoutOf(reply) })
    const changes = [
      client.createTask("alice", "Milk"),
      client.updateTask("alice", "1", {}),
      client.deleteTask("alice", "1"),
      client.toggleTaskCompletion("alice", "1"),
      client.setTaskCompletion("alice", "1", true),
      client.restoreTask("alice", "1"),
    ]
    const outcomes = await Promise.allSettled(changes)
    expect(outcomes.map(({ status }) => status)).toEqual(Array(6).fill("rejected"))
    expect(requests.map(({ method }) => method).sort()).toEqual([
      "DELETE",
      "PATCH",
      "PATCH",
      "POST",
      "POST",
      "PUT",
    ])
    expect(record.waits).toEqual([])
  })
})

describe("the pause before the next try", () => {
  const pausesAfter = async (headers: Record<string, string>) => {
    const { baseUrl, requests } = await apiDouble(() => problem(503, {}, headers))
    const { client, record } = aClient(baseUrl)
    const failure = await client.getTask("alice", "1").catch((error: unknown) => error)
    return { pauses: record.waits, tries: requests.length, failure }
  }

  test.each([
    ["0", 0],
    ["10", 10_000],
    ["Thu, 01 Jan 2026 09:00:07 GMT", 7000],
    ["Thu, 01 Jan 2026 08:00:00 GMT", 0],
  ])("is what Retry-After: %s says", async (value, ms) => {
    expect((await pausesAfter({ "Retry-After": value, Date: DATE })).pauses).toEqual([ms, ms])
  })

  test.each(["11", "Thu, 01 Jan 2026 09:00:11 GMT"])(
    "is none after Retry-After: %s: nobody waits so long",
    async (value) => {
      const { pauses, tries, failure } = await pausesAfter({ "Retry-After": value, Date: DATE })
      expect({ pauses, tries }).toEqual({ pauses: [], tries: 1 })
      expect(failure).toMatchObject({ status: 503, retryAfter: 11 })
    },
  )

  test.each([{}, { "Retry-After": "soon" }])(
    "grows where the server says nothing of use: %o",
    async (headers) => {
      const [first = 0, second = 0] = (await pausesAfter(headers as Record<string, string>)).pauses
      expect(first).toBeGreaterThan(125)
      expect(first).toBeLessThanOrEqual(250)
      expect(second).toBeGreaterThan(250)
      expect(second).toBeLessThanOrEqual(500)
    },
  )

  test("is a random part of 250 ms doubled at each failure", () => {
    expect([0, 1, 2].map((failures) => backoff(failures, () => 0))).toEqual([250, 500, 1000])
    expect([0, 1, 2].map((failures) => backoff(failures, () => 0.5))).toEqual([187.5, 375, 750])
    expect(new Set(Array.from({ length: 20 }, () => backoff(0))).size).toBeGreaterThan(1)
  })
})
