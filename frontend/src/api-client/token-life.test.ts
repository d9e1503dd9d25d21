import { describe, expect, test } from "vitest"
import { SessionTokens, Unauthorized, Unreachable } from "./index"
import { aWorld } from "./testing"

const HOUR = 3600

describe("the life of a token", () => {
  test.each([
    { life: 900, renewedAt: 870 },
    { life: 151, renewedAt: 121 },
    { life: 150, renewedAt: 120 },
    { life: 149, renewedAt: 119.2 },
    { life: 60, renewedAt: 48 },
    { life: 5, renewedAt: 4 },
  ])("a token for $life s is renewed after $renewedAt s, not before", async ({ life, renewedAt }) => {
    const { world, tokens } = aWorld({ life })
    const first = await tokens.get()
    world.now += renewedAt * 1000 - 1
    expect(await tokens.get()).toBe(first)
    world.now += 1
    expect(await tokens.get()).not.toBe(first)
    expect(world.fetches).toBe(2)
  })

  test.each([-5 * HOUR, 5 * HOUR])(
    "a clock that differs by %i s from the server's changes nothing",
    async (by) => {
      const { world, tokens } = aWorld({ life: 900, serverAheadBy: by })
      const first = await tokens.get()
      world.now += 869_000
      expect(await tokens.get()).toBe(first)
      world.now += 2_000
      expect(await tokens.get()).not.toBe(first)
    },
  )

  test("while it lives, the old token is given out when no new one can be reached", async () => {
    const { world, tokens } = aWorld({ life: 900 })
    const first = await tokens.get()
    world.fail = new TypeError("network")
    world.now += 899_999
    expect(await tokens.get()).toBe(first)
    world.now += 1
    await expect(tokens.get()).rejects.toThrow(Unreachable)
  })

  test("a session that ended is not hidden by an old token that still lives", async () => {
    const { world, tokens } = aWorld({ life: 900 })
    await tokens.get()
    world.none = true
    world.now += 880_000
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
  test("is used until near its exp by our clock, without a request", async () => {
    const { world, store, tokens, mint } = aWorld({ life: 900 })
    store.write(mint("stored"))
    world.now += 869_999
    expect(await tokens.get()).toBe(store.read())
    expect(world.fetches).toBe(0)
    world.now += 1
    await tokens.get()
    expect(world.fetches).toBe(1)
  })

  test("that can't be read is replaced", async () => {
    const { world, store, tokens } = aWorld()
    store.write("invalid.token.here")
    expect(await tokens.get()).toBe(store.read())
    expect(store.read()).not.toBe("invalid.token.here")
    expect(world.fetches).toBe(1)
  })

  test("counts as soon as another tab writes or clears it", async () => {
    const { world, store, tokens, mint } = aWorld()
    await tokens.get()
    store.write(mint("another tab's"))
    expect(await tokens.get()).toBe(mint("another tab's"))
    store.clear()
    await tokens.get()
    expect(world.fetches).toBe(2)
  })
})
