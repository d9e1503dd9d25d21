import { describe, expect, test } from "vitest"
import { MemoryTokenStore, SessionTokens, Unauthorized, Unreachable } from "./index"
import { aWorld } from "./testing"

/** A `fetchToken` whose requests are answered by hand. */
function byHand() {
  const asked: { answer: (token: string | null) => void; fail: (error: Error) => void }[] = []
  const fetchToken = () =>
    new Promise<string | null>((answer, fail) => {
      asked.push({ answer, fail })
    })
  return { asked, fetchToken }
}

describe("fetching", () => {
  test("any number of callers at the same time make one request", async () => {
    const { asked, fetchToken } = byHand()
    const tokens = new SessionTokens({ fetchToken })
    const callers = [tokens.get(), tokens.get(), tokens.renew("old"), tokens.renew("old"), tokens.get()]
    expect(asked).toHaveLength(1)
    asked[0]?.answer("new")
    expect(await Promise.all(callers)).toEqual(Array(5).fill("new"))
  })

  test("a failed request is not remembered: the next caller asks again", async () => {
    const { world, tokens } = aWorld()
    world.fail = new TypeError("network")
    await expect(tokens.get()).rejects.toThrow(Unreachable)
    world.fail = undefined
    await expect(tokens.get()).resolves.toBeTruthy()
  })

  test("null means that there is no session, and nothing is kept", async () => {
    const { world, store, tokens } = aWorld()
    const token = await tokens.get()
    world.none = true
    await expect(tokens.renew(token)).rejects.toThrow(Unauthorized)
    expect(store.read()).toBeNull()
    await expect(tokens.get()).rejects.toThrow(Unauthorized)
  })

  test("a failure is no sign-out: it is Unreachable with its cause, and the token is kept", async () => {
    const { world, store, tokens } = aWorld()
    const token = await tokens.get()
    world.fail = new TypeError("network")
    await expect(tokens.renew(token)).rejects.toMatchObject({ name: "Unreachable", cause: world.fail })
    expect(store.read()).toBe(token)
  })

  test("a request that never ends is Unreachable, and the next caller asks again", async () => {
    let fetches = 0
    const fetchToken = () => (++fetches === 1 ? new Promise<null>(() => {}) : Promise.resolve("second"))
    const tokens = new SessionTokens({ fetchToken, timeoutMs: 5 })
    await expect(tokens.get()).rejects.toThrow(Unreachable)
    expect(await tokens.get()).toBe("second")
  })
})

describe("renewing", () => {
  test("asks for a new token however long the rejected one would live", async () => {
    const { world, store, tokens } = aWorld()
    const first = await tokens.get()
    const second = await tokens.renew(first)
    expect(second).not.toBe(first)
    expect(store.read()).toBe(second)
    expect(world.fetches).toBe(2)
  })

  test("gives what another caller has fetched since, without a request", async () => {
    const { world, tokens } = aWorld()
    const first = await tokens.get()
    const second = await tokens.renew(first)
    expect(await tokens.renew(first)).toBe(second)
    expect(world.fetches).toBe(2)
  })

  test("does not give a replacement that is over", async () => {
    const { world, tokens } = aWorld({ life: 900 })
    const first = await tokens.get()
    const second = await tokens.renew(first)
    world.now += 900_000
    expect(await tokens.renew(first)).not.toBe(second)
  })
})

describe("clearing", () => {
  test.each(["answer", "fail"] as const)(
    "discards a token on its way: its %s leaves nothing",
    async (outcome) => {
      const { asked, fetchToken } = byHand()
      const store = new MemoryTokenStore()
      const tokens = new SessionTokens({ fetchToken, store })
      const waiting = tokens.get()
      tokens.clear()
      if (outcome === "answer") asked[0]?.answer("late")
      else asked[0]?.fail(new TypeError("network"))
      await expect(waiting).rejects.toThrow(Unauthorized)
      expect(store.read()).toBeNull()
    },
  )

  test("one person's late token never serves the next", async () => {
    const { asked, fetchToken } = byHand()
    const store = new MemoryTokenStore()
    const tokens = new SessionTokens({ fetchToken, store })
    const alices = tokens.get()
    tokens.clear()
    const bobs = tokens.get()
    asked[0]?.answer("alice's")
    await expect(alices).rejects.toThrow(Unauthorized)
    const bobsAgain = tokens.get()
    asked[1]?.answer("bob's")
    expect(await Promise.all([bobs, bobsAgain, tokens.get()])).toEqual(["bob's", "bob's", "bob's"])
    expect(asked).toHaveLength(2)
    expect(store.read()).toBe("bob's")
  })

  test("forgets the token that is kept", async () => {
    const { world, store, tokens } = aWorld()
    await tokens.get()
    tokens.clear()
    expect(store.read()).toBeNull()
    await tokens.get()
    expect(world.fetches).toBe(2)
  })
})
