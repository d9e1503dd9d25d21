import { ApiProblem, Unreachable } from "./problems.ts"
import type { WatchTimes } from "./watch-options.ts"

/** Why a watch has no stream (any more), and what to do about it. */
export interface Interruption {
  /** Before the next attempt. `none`: no pause; `restart`: the service has stopped, and loses all clients at once. */
  pause: "none" | "restart" | "backoff"
  /** Something on the way holds events back. */
  isBuffered?: boolean
  /** In seconds. */
  retryAfter?: number | undefined
}

const MAX_RETRY_AFTER_S = 86_400

/**
 * Milliseconds until the next attempt; undefined: at once. Full jitter: any delay up to the `retry` of the API, doubled
 * with each failure after the first, so that clients that were cut off together do not come back together.
 */
export function delayAfter(
  { pause, retryAfter = 0 }: Interruption,
  failures: number,
  retryMs: number,
  { restart, maxBackoff }: Pick<WatchTimes, "restart" | "maxBackoff">,
  random: () => number = Math.random,
): number | undefined {
  if (pause === "none") return undefined
  const backoff = Math.min(maxBackoff, retryMs * 2 ** Math.max(0, failures - 1))
  const spread = pause === "restart" ? Math.max(restart, backoff) : backoff
  return Math.min(retryAfter, MAX_RETRY_AFTER_S) * 1000 + random() * spread
}

/** Whether the same request may succeed later. Status 200: something on the way answered instead of the service. */
export function isTransient(error: unknown): boolean {
  if (error instanceof Unreachable) return true
  return error instanceof ApiProblem && ([200, 408, 429].includes(error.status) || error.status >= 500)
}

/** Whether a stream was ended because its token is no longer valid: the client needs another one, and no pause. */
export function isAboutToken(reason: string | undefined): boolean {
  return reason !== undefined && /token|expire|revoke|session|account|purge/i.test(reason)
}
