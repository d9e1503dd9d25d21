import type { Task } from "./api-client.ts"
import { isExpiry, type TaskChanges } from "./changes.ts"
import { delayAfter, type Interruption, isAboutToken, isTransient } from "./interruptions.ts"
import { ApiProblem, Unauthorized } from "./problems.ts"
import type { TaskEvent, TaskEventStream } from "./task-events.ts"
import { abortable, wait } from "./timing.ts"
import type { WatchedList, WatchOptions, WatchStatus, WatchTimes } from "./watch-options.ts"

const FAILURES_BEFORE_POLLING = 2
const DEFAULT_RETRY_MS = 3_000

/** Follows a list by its event stream, and by delta sync where there is no stream. */
export class Watch {
  readonly #list: WatchedList
  readonly #options: WatchOptions
  readonly #signal: AbortSignal
  readonly #times: WatchTimes
  /** The sync token after the last event that was processed. */
  #position: string | undefined
  /** The highest revision that was processed: two streams that overlap send some events twice. */
  #revision = 0
  #status: WatchStatus | undefined
  #retryMs = DEFAULT_RETRY_MS
  /** Attempts since a stream was proven, and periods of polling since. */
  #failures = 0
  #periods = 0

  constructor(list: WatchedList, options: WatchOptions, times: WatchTimes) {
    this.#list = list
    this.#options = options
    this.#signal = options.signal
    this.#times = times
    this.#position = options.since
  }

  /** Resolves with the last sync token when the signal is aborted. Rejects when there is no point in going on. */
  async run(): Promise<string | undefined> {
    try {
      for (;;) {
        await this.#recover(await this.#stream())
      }
    } catch (error) {
      if (this.#signal.aborted) return this.#position
      throw error
    }
  }

  /** Follows one stream, and those that replace it without a gap. */
  async #stream(): Promise<Interruption> {
    if (this.#status !== "polling") await this.#report("connecting")
    let stream: TaskEventStream
    try {
      stream = await this.#list.open(this.#position, this.#signal)
    } catch (error) {
      return this.#interruption(error)
    }
    for (;;) {
      const next = await this.#follow(stream)
      if ("pause" in next) return next
      stream = next
    }
  }

  /** Processes the stream's events until it ends, or until another one with a newer token is open. */
  async #follow(stream: TaskEventStream): Promise<TaskEventStream | Interruption> {
    const ended = new AbortController()
    const replacement = this.#replacement(stream, ended.signal)
    let reason: string | undefined
    try {
      for await (const event of stream.events(this.#signal)) {
        if (event.type === "end") {
          reason = event.reason
          break
        }
        await this.#process(event)
      }
    } catch (error) {
      ended.abort()
      ;(await replacement)?.close()
      throw error
    }
    ended.abort()
    this.#retryMs = stream.retry ?? this.#retryMs
    if (stream.isProven) this.#failures = this.#periods = 0
    return (await replacement) ?? this.#afterEnd(stream, reason)
  }

  /** Opens a stream once there is a newer token, then closes the given one. Undefined if that ends before. */
  async #replacement(stream: TaskEventStream, signal: AbortSignal): Promise<TaskEventStream | undefined> {
    const { tokens } = this.#list
    try {
      do await wait(this.#times.tokenCheck, signal)
      while ((await abortable(tokens.get(), signal)) === stream.token)
      const next = await this.#list.open(this.#position, signal)
      if (signal.aborted) next.close()
      else stream.close()
      return signal.aborted ? undefined : next
    } catch (error) {
      // The next attempt to open a stream reports it. After another failure the stream goes on to its end.
      if (error instanceof Unauthorized) stream.close()
      return undefined
    }
  }

  async #afterEnd(stream: TaskEventStream, reason: string | undefined): Promise<Interruption> {
    const isToken = isAboutToken(reason)
    // Whatever fails here fails again, and is handled, when the next stream is opened.
    if (isToken) await abortable(this.#list.tokens.renew(stream.token), this.#signal).catch(() => {})
    if (isToken && stream.isProven) return { pause: "none" }
    if (!stream.isProven) this.#failures++
    if (stream.isSilent && !stream.isProven) return { pause: "none", isBuffered: true }
    return { pause: reason === undefined || isToken ? "backoff" : "restart" }
  }

  /** Throws the error if it is no use to try again. */
  #interruption(error: unknown): Interruption {
    if (this.#signal.aborted) throw error
    if (isExpiry(error) && this.#position !== undefined) {
      this.#position = undefined
      return { pause: "none" }
    }
    if (!isTransient(error)) throw error
    this.#failures++
    return { pause: "backoff", retryAfter: error instanceof ApiProblem ? error.retryAfter : undefined }
  }

  async #recover(interruption: Interruption): Promise<void> {
    await this.#pause(interruption)
    const isBuffered = interruption.isBuffered === true
    if (!isBuffered && this.#failures < FAILURES_BEFORE_POLLING) return
    const failure = await this.#poll(
      isBuffered ? this.#times.polling * Math.min(10, 2 ** this.#periods++) : 0,
    )
    if (failure) await this.#pause(failure)
  }

  async #pause(interruption: Interruption): Promise<void> {
    const delay = delayAfter(interruption, this.#failures, this.#retryMs, this.#times)
    if (delay !== undefined) await wait(delay, this.#signal)
  }

  /** Polls for so many milliseconds, at least once. Returns why it can't. */
  async #poll(ms: number): Promise<Interruption | undefined> {
    const end = performance.now() + ms
    for (;;) {
      const failure = await this.#catchUp()
      await this.#report(failure ? "connecting" : "polling")
      if (failure || performance.now() >= end) return failure
      await wait(this.#times.poll * (0.5 + Math.random()), this.#signal)
    }
  }

  async #catchUp(): Promise<Interruption | undefined> {
    const pages = this.#list.changes(this.#position, this.#signal)
    let reset: string | undefined
    for (;;) {
      let next: IteratorResult<TaskChanges, void>
      try {
        next = await pages.next()
      } catch (error) {
        return this.#interruption(error)
      }
      if (next.done) break
      const { isReset, tasks, deleted, syncToken } = next.value
      if (isReset || reset !== undefined) {
        reset = syncToken // the caller reads the list itself
        continue
      }
      for (const task of tasks) await this.#change(task)
      for (const id of deleted) await this.#delete(id)
      this.#position = syncToken
    }
    if (reset !== undefined) await this.#reset(reset)
    return undefined
  }

  async #process(event: Exclude<TaskEvent, { type: "end" }>): Promise<void> {
    if (event.type === "ready") {
      if (this.#position === undefined) await this.#reset(event.id)
      await this.#report("live")
    } else if (event.type === "reset") {
      await this.#reset(event.id)
    } else {
      // The stream that this one replaced has sent it.
      if ("revision" in event && event.revision <= this.#revision) return
      if (event.type === "changed") await this.#change(event.task)
      if (event.type === "deleted") await this.#delete(event.taskId, event.revision)
      if (event.id !== "") this.#position = event.id
    }
  }

  async #change(task: Task): Promise<void> {
    await this.#call(() => this.#options.onChange(task))
    this.#revision = Math.max(this.#revision, task.revision)
  }

  async #delete(taskId: string, revision?: number): Promise<void> {
    await this.#call(() => this.#options.onDelete(taskId, revision))
    this.#revision = Math.max(this.#revision, revision ?? 0)
  }

  async #reset(position: string): Promise<void> {
    await this.#call(() => this.#options.onReset())
    this.#position = position
    this.#revision = 0
  }

  async #report(status: WatchStatus): Promise<void> {
    if (status === this.#status) return
    this.#status = status
    await this.#call(() => this.#options.onStatus?.(status))
  }

  async #call(callback: () => unknown): Promise<void> {
    this.#signal.throwIfAborted()
    await abortable(Promise.resolve(callback()), this.#signal)
  }
}
