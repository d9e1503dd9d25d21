import { afterEach, describe, expect, test, vi } from "vitest"
import { SessionTokens, type WatchOptions } from "./index.ts"
import { fakeSession, problem, testClient } from "./testing.ts"
import { type FakeService, startFakeService, tokenAt } from "./testing-live.ts"
import { type FakeProxy, startFakeProxy } from "./testing-proxy.ts"
import { TIMES, until, watchList } from "./testing-watch.ts"

const MINUTE = 60_000
const LONG = { ready: MINUTE, silence: MINUTE, tokenCheck: MINUTE, poll: MINUTE, maxBackoff: MINUTE }

/** The timers of the client that are set and not cleared: only those are so long. */
function trackTimers() {
  const [set, clear] = [globalThis.setTimeout, globalThis.clearTimeout]
  const pending = new Set<unknown>()
  vi.stubGlobal("setTimeout", (callback: () => void, ms: number) => {
    const timer = set(callback, ms)
    if (ms > MINUTE / 2) pending.add(timer)
    return timer
  })
  vi.stubGlobal("clearTimeout", (timer: NodeJS.Timeout) => {
    pending.delete(timer)
    clear(timer)
  })
  return pending
}

afterEach(() => vi.unstubAllGlobals())

interface World {
  service: FakeService
  proxy: FakeProxy
  log: string[]
}
type Phase = [
  string,
  { options?: Partial<WatchOptions>; before?: (world: World) => void; reached: (world: World) => unknown },
]

const phases: Phase[] = [
  ["live", { reached: ({ log }) => log.includes("live") }],
  [
    "waiting for a response",
    {
      before: ({ service }) => service.refusals.push({ call: "events", reply: { failure: "no response" } }),
      reached: ({ service }) => service.received.length === 1,
    },
  ],
  [
    "waiting for ready",
    {
      before({ proxy }) {
        proxy.holds = "body"
      },
      reached: ({ service }) => service.streams.size === 1,
    },
  ],
  [
    "waiting as long as Retry-After says",
    {
      before: ({ service }) =>
        service.refusals.push({ call: "events", reply: problem(429, {}, { "Retry-After": "3600" }) }),
      reached: ({ service }) => service.received.length === 1,
    },
  ],
  [
    "polling",
    {
      before({ service }) {
        for (let i = 0; i < 2; i++)
          service.refusals.push({ call: "events", reply: problem(503, {}, { "Retry-After": "0" }) })
        service.refusals.push({ call: "changes", reply: { failure: "no response" } })
      },
      reached: ({ service }) => service.calls("changes").length === 1,
    },
  ],
  [
    "waiting for a callback",
    {
      options: { onChange: () => new Promise(() => {}) },
      before: ({ service }) => void service.write("b", {}),
      reached: ({ log }) => log.includes("live"),
    },
  ],
]

describe("an abort ends a watch with the last token, and leaves no timer and no connection:", () => {
  test.each(phases)("%s", async (_, { options, before, reached }) => {
    const { service, port } = await startFakeService()
    const proxy = await startFakeProxy(port)
    service.write("a", {})
    const { client } = testClient(proxy.baseUrl, {
      watchTimes: { ...TIMES, ...LONG, maxBackoff: 1 },
      timeoutMs: MINUTE,
    })
    const timers = trackTimers()
    const world = { service, proxy, log: [] as string[] }
    before?.(world)
    const { log, stop } = watchList(client, { since: tokenAt(1), ...options })
    world.log = log
    await until(() => reached(world))
    await new Promise((resolve) => setTimeout(resolve, 20))
    const lines = log.length
    expect(await stop()).toBe(tokenAt(1))
    expect(timers.size).toBe(0)
    await until(() => service.streams.size === 0)
    service.write("c", {})
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(log).toHaveLength(lines)
  })

  test("waiting for a token", async () => {
    const { baseUrl } = await startFakeService()
    const tokens = new SessionTokens({ fetchToken: () => new Promise(() => {}), timeoutMs: 1 })
    const { client } = testClient(baseUrl, { tokens })
    expect(await watchList(client, { since: "s" }).stop()).toBe("s")
  })

  test("while a stream with a newer token is opened", async () => {
    const { service, baseUrl } = await startFakeService()
    const session = fakeSession()
    const { client } = testClient(baseUrl, {
      tokens: session.tokens,
      watchTimes: { ...TIMES, tokenCheck: 1 },
      timeoutMs: MINUTE,
    })
    const { logged, stop } = watchList(client)
    await logged("live")
    service.refusals.push({ call: "events", reply: { failure: "no response" } })
    await session.tokens.renew((await session.tokens.get()) ?? "")
    await until(() => service.calls("events").length === 2)
    expect(await stop()).toBe(tokenAt(0))
    await until(() => service.streams.size === 0)
  })
})

test("an abort before the start sends nothing and calls nothing", async () => {
  const { service, baseUrl } = await startFakeService()
  const { log, done } = watchList(testClient(baseUrl).client, { since: "s", signal: AbortSignal.abort() })
  expect(await done).toBe("s")
  expect(log).toEqual([])
  expect(service.received).toHaveLength(0)
})
