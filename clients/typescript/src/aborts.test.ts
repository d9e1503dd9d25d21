import { describe, expect, test } from "vitest"
import { SessionTokens } from "./index.ts"
import { fakeSession, OK, problem, startFakeApi, testClient } from "./testing.ts"
import { wait, withTimeout } from "./timing.ts"

describe("an abort", () => {
  const reason = new Error("no longer needed")

  test("before the request sends nothing", async () => {
    const { baseUrl, requests } = await startFakeApi(() => OK)
    const session = fakeSession()
    const { client } = testClient(baseUrl, { tokens: session.tokens })
    await expect(client.listTasks("alice", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(requests).toHaveLength(0)
    expect(session.issued).toHaveLength(0)
  })

  test("while waiting for the response rejects at once, without a retry", async () => {
    const abort = new AbortController()
    const { baseUrl, requests } = await startFakeApi(() => {
      abort.abort(reason)
      return { failure: "no response" }
    })
    const { client, record } = testClient(baseUrl)
    await expect(client.listTasks("alice", { signal: abort.signal })).rejects.toBe(reason)
    expect(requests).toHaveLength(1)
    expect(record.waits).toEqual([])
  })

  test("while waiting for the token rejects at once", async () => {
    const { baseUrl } = await startFakeApi(() => OK)
    const abort = new AbortController()
    const fetchToken = () => {
      queueMicrotask(() => abort.abort(reason))
      return new Promise<null>(() => {})
    }
    const tokens = new SessionTokens({ fetchToken })
    await expect(
      testClient(baseUrl, { tokens }).client.listTasks("alice", { signal: abort.signal }),
    ).rejects.toBe(reason)
  })

  test("during the backoff rejects at once", async () => {
    const { baseUrl, requests } = await startFakeApi(() => problem(503))
    const abort = new AbortController()
    const waitForever = () => {
      queueMicrotask(() => abort.abort(reason))
      return new Promise<void>(() => {})
    }
    const { client } = testClient(baseUrl, { wait: waitForever })
    await expect(client.listTasks("alice", { signal: abort.signal })).rejects.toBe(reason)
    expect(requests).toHaveLength(1)
  })

  test("ends the default wait", async () => {
    const abort = new AbortController()
    const waiting = wait(60_000, abort.signal)
    abort.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    await expect(wait(0)).resolves.toBeUndefined()
  })
})

test("no timer is left behind", async () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length
  const before = timers()
  await withTimeout(60_000, async () => "done")
  await wait(60_000, AbortSignal.abort()).catch(() => {})
  expect(timers()).toBe(before)
})
