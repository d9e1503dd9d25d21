import { betterAuth } from "better-auth"
import { memoryAdapter } from "better-auth/adapters/memory"
import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { TokenLifetimes, tokenLifetimesPlugin } from "./token-lifetimes"

const MINUTES = 60
const DAYS = 24 * 3600

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "Date"] })
})

afterEach(() => {
  vi.useRealTimers()
})

/** An in-memory database in which processes with different lifetimes start. */
async function setUp(session: object[] = []) {
  const tables = { user: [], session, account: [], verification: [], tokenLifetime: [] as object[] }
  const auth = betterAuth({
    baseURL: "http://localhost:3000",
    secret: "x".repeat(32),
    database: memoryAdapter(tables),
    plugins: [tokenLifetimesPlugin()],
  })
  const { adapter } = await auth.$context
  const start = async (seconds: number) => {
    const lifetimes = new TokenLifetimes(adapter, seconds)
    await lifetimes.record()
    return lifetimes
  }
  return { start, rows: () => tables.tokenLifetime.length }
}

it("is the setting while no other was in use", async () => {
  const { start, rows } = await setUp()
  const lifetimes = await start(15 * MINUTES)
  await lifetimes.record()
  expect(await lifetimes.longest()).toBe(15 * MINUTES)
  expect(rows()).toBe(1)
})

it("remembers a longer lifetime until the last token with it has expired, then forgets it", async () => {
  const { start, rows } = await setUp()
  await start(7 * DAYS)
  const lifetimes = await start(15 * MINUTES)
  vi.advanceTimersByTime(7 * DAYS * 1000)
  expect(await lifetimes.longest()).toBe(7 * DAYS)
  vi.advanceTimersByTime(2 * 3600 * 1000)
  expect(await lifetimes.longest()).toBe(15 * MINUTES)
  await lifetimes.record()
  expect(rows()).toBe(1)
})

it("counts a longer lifetime of another process as long as that runs", async () => {
  const { start } = await setUp()
  const other = await start(DAYS)
  other.recordRegularly()
  const lifetimes = await start(15 * MINUTES)
  await vi.advanceTimersByTimeAsync(3 * DAYS * 1000)
  expect(await lifetimes.longest()).toBe(DAYS)
})

it("assumes that tokens from before the first record live as long as a session", async () => {
  const { start } = await setUp([{ id: "s-1" }])
  const lifetimes = await start(15 * MINUTES)
  expect(await lifetimes.longest()).toBe(7 * DAYS)
})
