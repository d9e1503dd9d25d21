import { describe, expect, test } from "vitest"
import { SessionTokens, subjectOf, Unauthorized, Unreachable } from "./index.ts"
import { setUpTokens } from "./testing.ts"

const HOUR = 3600

describe("the lifetime of a token", () => {
  test.each([
    { lifetime: 900, renewedAt: 870 },
    { lifetime: 151, renewedAt: 121 },
    { lifetime: 150, renewedAt: 120 },
    { lifetime: 149, renewedAt: 119.2 },
    { lifetime: 60, renewedAt: 48 },
    { lifetime: 5, renewedAt: 4 },
  ])("a token for $lifetime s is renewed after $renewedAt s, not before", async ({ lifetime, renewedAt }) => {
    const { state, tokens } = setUpTokens({ lifetime })
    const first = await tokens.get()
    state.now += renewedAt * 1000 - 1
    expect(await tokens.get()).toBe(first)
    state.now += 1
    expect(await tokens.get()).not.toBe(first)
    expect(state.fetches).toBe(2)
  })

  test.each([-5 * HOUR, 5 * HOUR])(
    "a clock that differs by %i s from the server's changes nothing",
    async (by) => {
      const { state, tokens } = setUpTokens({ lifetime: 900, serverAheadBy: by })
      const first = await tokens.get()
      state.now += 869_000
      expect(await tokens.get()).toBe(first)
      state.now += 2_000
      expect(await tokens.get()).not.toBe(first)
    },
  )

  test("a valid token is used as long as no new one can be fetched", async () => {
    const { state, tokens } = setUpTokens({ lifetime: 900 })
    const first = await tokens.get()
    state.error = new TypeError("network")
    state.now += 899_999
    expect(await tokens.get()).toBe(first)
    state.now += 1
    await expect(tokens.get()).rejects.toThrow(Unreachable)
  })

  test("a valid token does not hide that the session has ended", async () => {
    const { state, tokens } = setUpTokens({ lifetime: 900 })
    await tokens.get()
    state.isSignedOut = true
    state.now += 880_000
    await expect(tokens.get()).rejects.toThrow(Unauthorized)
  })

  test("a token without readable claims is used until it is rejected", async () => {
    let fetches = 0
    const tokens = new SessionTokens({ fetchToken: async () => `opaque-${++fetches}` })
    expect(await tokens.get()).toBe("opaque-1")
    expect(await tokens.get()).toBe("opaque-1")
    expect(await tokens.renew("opaque-1")).toBe("opaque-2")
  })
})

describe("a token from a store", () => {
  test("is used until shortly before its exp by our clock, without a request", async () => {
    const { state, store, tokens, mint } = setUpTokens({ lifetime: 900 })
    store.write(mint("stored"))
    state.now += 869_999
    expect(await tokens.get()).toBe(store.read())
    expect(state.fetches).toBe(0)
    state.now += 1
    await tokens.get()
    expect(state.fetches).toBe(1)
  })

  test("that is unreadable is replaced", async () => {
    const { state, store, tokens } = setUpTokens()
    store.write("invalid.token.here")
    expect(await tokens.get()).toBe(store.read())
    expect(store.read()).not.toBe("invalid.token.here")
    expect(state.fetches).toBe(1)
  })

  test("is read again when another tab has written or cleared it", async () => {
    const { state, store, tokens, mint } = setUpTokens()
    await tokens.get()
    store.write(mint("another tab's"))
    expect(await tokens.get()).toBe(mint("another tab's"))
    store.clear()
    await tokens.get()
    expect(state.fetches).toBe(2)
  })
})

describe("the subject of a token", () => {
  test.each(["alice", "Åsa 日本", "\u{1f600}", "a~b"])("is read in any alphabet: %s", (sub) => {
    const payload = Buffer.from(JSON.stringify({ sub })).toString("base64url")
    expect(subjectOf(`a.${payload}.b`)).toBe(sub)
  })

  test.each(["", "a", "a.b", "a.!.b", `a.${btoa("5")}.b`, `a.${btoa('{"sub":5}')}.b`])(
    "is unknown in what is no token: %s",
    (token) => expect(subjectOf(token)).toBeUndefined(),
  )
})
