import { describe, expect, test } from "vitest"
import { SessionTokens } from "./index"
import { aClient, apiDouble, aSession, OK, problem } from "./testing"
import { wait, within } from "./timing"

describe("an abort", () => {
  const why = new Error("no longer wanted")

  test("before the request sends nothing", async () => {
    const { baseUrl, requests } = await apiDouble(() => OK)
    const session = aSession()
    const { client } = aClient(baseUrl, { tokens: session.tokens })
    await expect(client.listTasks("alice", { signal: AbortSignal.abort(why) })).rejects.toBe(why)
    expect(requests).toHaveLength(0)
    expect(session.given).toHaveLength(0)
  })

  test("while the answer is awaited ends it at once, without another try", async () => {
    const abort = new AbortController()
    const { baseUrl, requests } = await apiDouble(() => {
      abort.abort(why)
      return { instead: "silence" }
    })
    const { client, record } = aClient(baseUrl)
    await expect(client.listTasks("alice", { signal: abort.signal })).rejects.toBe(why)
    expect(requests).toHaveLength(1)
    expect(record.waits).toEqual([])
  })

  test("while the token is awaited ends it at once", async () => {
    const { baseUrl } = await apiDouble(() => OK)
    const abort = new AbortController()
    const fetchToken = () => {
      queueMicrotask(() => abort.abort(why))
      return new Promise<null>(() => {})
    }
    const tokens = new SessionTokens({ fetchToken })
    await expect(
      aClient(baseUrl, { tokens }).client.listTasks("alice", { signal: abort.signal }),
    ).rejects.toBe(why)
  })

  test("during a pause ends it at once", async () => {
    const { baseUrl, requests } = await apiDouble(() => problem(503))
    const abort = new AbortController()
    const forever = () => {
      queueMicrotask(() => abort.abort(why))
      return new Promise<void>(() => {})
    }
    const { client } = aClient(baseUrl, { wait: forever })
    await expect(client.listTasks("alice", { signal: abort.signal })).rejects.toBe(why)
    expect(requests).toHaveLength(1)
  })

  test("ends the pause that is taken unless another is given", async () => {
    const abort = new AbortController()
    const pause = wait(60_000, abort.signal)
    abort.abort(why)
    await expect(pause).rejects.toBe(why)
    await expect(wait(0)).resolves.toBeUndefined()
  })
})

test("what is over leaves no timer behind", async () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length
  const before = timers()
  await within(60_000, async () => "done")
  await wait(60_000, AbortSignal.abort()).catch(() => {})
  expect(timers()).toBe(before)
})
