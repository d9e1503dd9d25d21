import { Unreachable } from "./problems"

/** Resolves after so many milliseconds; an abort ends it at once, with the signal's reason. */
export function wait(ms: number, signal?: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout>
  const time = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  return abortable(time, signal).finally(() => clearTimeout(timer))
}

/** What `promise` comes to, unless the signal is aborted first: rejects with its reason then. */
export async function abortable<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return promise
  let stop = () => {}
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    if (signal.aborted) stop()
    else signal.addEventListener("abort", stop, { once: true })
  })
  return Promise.race([stopped, promise]).finally(() => signal.removeEventListener("abort", stop))
}

/**
 * What `work` comes to within so many milliseconds. Its signal is aborted at their end, or with the caller's.
 *
 * Rejects with the reason of the caller's signal, or with Unreachable: a time-out, or `work` failed.
 */
export async function within<T>(
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted()
  const controller = new AbortController()
  const tooLate = () => controller.abort(new Unreachable("The server took too long to answer. Try again."))
  const timer = setTimeout(tooLate, ms)
  const stop = () => controller.abort(signal?.reason)
  signal?.addEventListener("abort", stop, { once: true })
  try {
    return await abortable(work(controller.signal), controller.signal)
  } catch (error) {
    if (controller.signal.aborted) throw controller.signal.reason
    throw new Unreachable(undefined, { cause: error })
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener("abort", stop)
  }
}
