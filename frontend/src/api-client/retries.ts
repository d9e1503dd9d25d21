import { ApiProblem, Unreachable } from "./problems"
import { abortable } from "./timing"

const PASSING = new Set([429, 502, 503, 504])
const LONGEST_WAIT_S = 10
const FIRST_BACKOFF_MS = 250

export interface Retries {
  /** How often to try in all. */
  tries: number
  wait: (ms: number, signal?: AbortSignal) => Promise<void>
  signal?: AbortSignal | undefined
}

/** What `attempt` comes to, tried again where its failure may pass. Rejects with the last, or on abort. */
export async function withRetries<T>(
  attempt: () => Promise<T>,
  { tries, wait, signal }: Retries,
): Promise<T> {
  for (let failures = 0; ; failures++) {
    try {
      return await attempt()
    } catch (error) {
      const pause = failures + 1 < tries ? pauseAfter(error, failures) : undefined
      if (pause === undefined) throw error
      signal?.throwIfAborted()
      await abortable(wait(pause, signal), signal)
    }
  }
}

/** How many milliseconds to wait before the next try; undefined where another try is of no use. */
function pauseAfter(error: unknown, failures: number): number | undefined {
  if (error instanceof Unreachable) return backoff(failures)
  if (!(error instanceof ApiProblem) || !PASSING.has(error.status)) return undefined
  if (error.retryAfter === undefined) return backoff(failures)
  // Nobody looks at a spinner for longer: the problem says when to come back.
  return error.retryAfter <= LONGEST_WAIT_S ? error.retryAfter * 1000 : undefined
}

/** 250 ms, doubled at each failure, less a random part: clients must not come back in step. */
export function backoff(failures: number, random: () => number = Math.random): number {
  return FIRST_BACKOFF_MS * 2 ** failures * (1 - random() / 2)
}
