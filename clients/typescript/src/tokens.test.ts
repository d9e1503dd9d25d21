import { describe, expect, test } from "vitest"
import { MemoryTokenStore, SessionTokens, Unauthorized, Unreachable } from "./index.ts"
import { setUpTokens } from "./testing.ts"

/** A `fetchToken` whose promises the test settles. */
function manualFetch() {
  const requests: { resolve: (token: string | null) => void; reject: (error: Error) => void }[] = []
  const fetchToken = () =>
    new Promise<string | null>((resolve, reject) => {
      requests.push({ resolve, reject })
    })
  return { requests, fetchToken }
}

describe("fetching", () => {
  test("concurrent callers share one request", async () => {
    const { requests, fetchToken } = manualFetch()
    const tokens = new SessionTokens({ fetchToken })
    const callers = [tokens.get(), tokens.get(), tokens.renew("old"), tokens.renew("old"), tokens.get()]
    expect(requests).toHaveLength(1)
    requests[0]?.resolve("new")
    expect(await Promise.all(callers)).toEqual(Array(5).fill("new"))
  })

  test("a failed request is not cached: the next caller sends another", async () => {
    const { state, tokens } = setUpTokens()
    state.error = new TypeError("network")
    await expect(tokens.get()).rejects.toThrow(Unreachable)
    state.error = undefined
    await expect(tokens.get()).resolves.toBeTruthy()
  })

  test("null means that there is no session, and clears the token", async () => {
    const { state, store, tokens } = setUpTokens()
    const token = await tokens.get()
    state.isSignedOut = true
    await expect(tokens.renew(token)).rejects.toThrow(Unauthorized)
    expect(store.read()).toBeNull()
    await expect(tokens.get()).rejects.toThrow(Unauthorized)
  })

  test("a failure is not a sign-out: it is Unreachable with its cause, and the token is kept", async () => {
    const { state, store, tokens } = setUpTokens()
    const token = await tokens.get()
    state.error = new TypeError("network")
    await expect(tokens.renew(token)).rejects.toMatchObject({ name: "Unreachable", cause: state.error })
    expect(store.read()).toBe(token)
  })

  test("a request that times out is Unreachable, and the next caller sends another", async () => {
    let fetches = 0
    const fetchToken = () => (++fetches === 1 ? new Promise<null>(() => {}) : Promise.resolve("second"))
    const tokens = new SessionTokens({ fetchToken, timeoutMs: 5 })
    await expect(tokens.get()).rejects.toThrow(Unreachable)
    expect(await tokens.get()).toBe("second")
  })
})

describe("renewing", () => {
  test("requests a new token even if the rejected one has not expired", async () => {
    const { state, store, tokens } = setUpTokens()
    const first = await tokens.get()
    const second = await tokens.renew(first)
    expect(second).not.toBe(first)
    expect(store.read()).toBe(second)
    expect(state.fetches).toBe(2)
  })

  test("returns the token that another caller has fetched since, without a request", async () => {
    const { state, tokens } = setUpTokens()
    const first = await tokens.get()
    const second = await tokens.renew(first)
    expect(await tokens.renew(first)).toBe(second)
    expect(state.fetches).toBe(2)
  })

  test("does not return a replacement that has expired", async () => {
    const { state, tokens } = setUpTokens({ lifetime: 900 })
    const first = await tokens.get()
    const second = await tokens.renew(first)
    state.now += 900_000
    expect(await tokens.renew(first)).not.toBe(second)
  })
})

describe("clearing", () => {
  test.each(["resolve", "reject"] as const)(
    "discards a pending request: its %s stores nothing",
    async (outcome) => {
      const { requests, fetchToken } = manualFetch()
      const store = new MemoryTokenStore()
      const tokens = new SessionTokens({ fetchToken, store })
      const waiting = tokens.get()
      tokens.clear()
      if (outcome === "resolve") requests[0]?.resolve("late")
      else requests[0]?.reject(new TypeError("network"))
      await expect(waiting).rejects.toThrow(Unauthorized)
      expect(store.read()).toBeNull()
    },
  )

  test("a late token of one user is never used for the next", async () => {
    const { requests, fetchToken } = manualFetch()
    const store = new MemoryTokenStore()
    const tokens = new SessionTokens({ fetchToken, store })
    const alice = tokens.get()
    tokens.clear()
    const bob = tokens.get()
    requests[0]?.resolve("alice's")
    await expect(alice).rejects.toThrow(Unauthorized)
    const bobAgain = tokens.get()
    requests[1]?.resolve("bob's")
    expect(await Promise.all([bob, bobAgain, tokens.get()])).toEqual(["bob's", "bob's", "bob's"])
    expect(requests).toHaveLength(2)
    expect(store.read()).toBe("bob's")
  })

  test("discards the stored token", async () => {
    const { state, store, tokens } = setUpTokens()
    await tokens.get()
    tokens.clear()
    expect(store.read()).toBeNull()
    await tokens.get()
    expect(state.fetches).toBe(2)
  })
})
