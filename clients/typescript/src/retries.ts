import { ApiProblem, Unreachable } from "./problems.ts"
import { abortable } from "./timing.ts"

const TRANSIENT_STATUSES = new Set([429, 502, 503, 504])
const MAX_DELAY_S = 10
const INITIAL_BACKOFF_MS = 250

export interface RetryOptions {
  /** The maximum number of attempts, including the first. */
  attempts: number
  wait: (ms: number, signal?: AbortSignal) => Promise<void>
  signal?: AbortSignal | undefined
}

/** Runs `attempt`, and retries after transient failures. Rejects with the last failure or the signal's reason. */
export async function withRetries<T>(
  attempt: () => Promise<T>,
  { attempts, wait, signal }: RetryOptions,
): Promise<T> {
  for (let failures = 0; ; failures++) {
    try {
      return await attempt()
    } catch (error) {
      const delay = failures + 1 < attempts ? retryDelay(error, failures) : undefined
      if (delay === undefined) throw error
      signal?.throwIfAborted()
      await abortable(wait(delay, signal), signal)
    }
  }
}

/** Milliseconds until the next attempt; undefined if the failure must not be retried. */
function retryDelay(error: unknown, failures: number): number | undefined {
  if (error instanceof Unreachable) return backoff(failures)
  if (!(error instanceof ApiProblem) || !TRANSIENT_STATUSES.has(error.status)) return undefined
  if (error.retryAfter === undefined) return backoff(failures)
  // A user does not wait longer than that: the caller gets the problem, with its `retryAfter`.
  return error.retryAfter <= MAX_DELAY_S ? error.retryAfter * 1000 : undefined
}

/** Exponential backoff from 250 ms, minus up to half of it as jitter, so that clients do not retry in step. */
export function backoff(failures: number, random: () => number = Math.random): number {
  return INITIAL_BACKOFF_MS * 2 ** failures * (1 - random() / 2)
}
