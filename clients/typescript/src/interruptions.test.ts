import { describe, expect, test } from "vitest"
import { delayAfter, isAboutToken } from "./interruptions.ts"

const TIMES = { restart: 5_000, maxBackoff: 30_000 }

describe("the delay before the next stream", () => {
  const range = (pause: "restart" | "backoff", failures: number, retryMs: number, retryAfter?: number) =>
    [0, 0.5, 1].map((random) => delayAfter({ pause, retryAfter }, failures, retryMs, TIMES, () => random))

  test("is any up to the retry of the API, doubled with each failure after the first, at most 30 s", () => {
    expect(range("backoff", 0, 2_000)).toEqual([0, 1_000, 2_000])
    expect(range("backoff", 1, 2_000)).toEqual([0, 1_000, 2_000])
    expect(range("backoff", 3, 2_000)).toEqual([0, 4_000, 8_000])
    expect(range("backoff", 9, 2_000)).toEqual([0, 15_000, 30_000])
    expect(range("backoff", 9_999, 1)).toEqual([0, 15_000, 30_000])
    expect(range("backoff", 9_999, 0)).not.toContain(Number.NaN)
  })

  test("spreads the clients over at least 5 s when the service has stopped", () => {
    expect(range("restart", 0, 1_000)).toEqual([0, 2_500, 5_000])
    expect(range("restart", 4, 1_000)).toEqual([0, 4_000, 8_000])
  })

  test("is never shorter than Retry-After, which is at most a day", () => {
    expect(range("backoff", 1, 2_000, 60)).toEqual([60_000, 61_000, 62_000])
    expect(range("backoff", 1, 2_000, 9e9)[0]).toBe(86_400_000)
  })

  test("is none where the client has what it needs to go on", () => {
    expect(delayAfter({ pause: "none" }, 9, 2_000, TIMES)).toBeUndefined()
  })
})

test.each([
  ["expired", true],
  ["token-expired", true],
  ["revoked", true],
  ["account-purged", true],
  ["stopping", false],
  ["unavailable", false],
])("the end of a stream with the reason %s is about its token: %o", (reason, expected) => {
  expect(isAboutToken(JSON.stringify({ reason }))).toBe(expected)
})
