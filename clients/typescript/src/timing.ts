import { Unreachable } from "./problems.ts"

/** Resolves after `ms` milliseconds. Rejects with the signal's reason when it is aborted. */
export function wait(ms: number, signal?: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout>
  const elapsed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  return abortable(elapsed, signal).finally(() => clearTimeout(timer))
}

/** Settles like `promise`, or rejects with the signal's reason when it is aborted first. */
export async function abortable<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return promise
  let abort = () => {}
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    else signal.addEventListener("abort", abort, { once: true })
  })
  return Promise.race([aborted, promise]).finally(() => signal.removeEventListener("abort", abort))
}

/**
 * Runs `work` with a timeout. The signal passed to `work` is aborted at the timeout and with the caller's signal.
 *
 * Rejects with the reason of the caller's signal, or with Unreachable after a timeout or when `work` fails.
 */
export async function withTimeout<T>(
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted()
  const controller = new AbortController()
  const onTimeout = () =>
    controller.abort(new Unreachable("The server took too long to respond. Please try again."))
  const timer = setTimeout(onTimeout, ms)
  const onAbort = () => controller.abort(signal?.reason)
  signal?.addEventListener("abort", onAbort, { once: true })
  try {
    return await abortable(work(controller.signal), controller.signal)
  } catch (error) {
    if (controller.signal.aborted) throw controller.signal.reason
    throw new Unreachable(undefined, { cause: error })
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener("abort", onAbort)
  }
}
