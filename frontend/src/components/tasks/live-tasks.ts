import { type ApiClient, Unauthorized } from "evo-todo-client"
import type { TaskStore } from "./task-store"

/** Milliseconds that the first list waits for the watch to begin, so that it need not be read twice. */
const HEAD_START = 500
/** Milliseconds until a watch that has failed begins again. */
const RESTART = 15_000

/**
 * Keeps the store at the service's list: reads it once, then follows its changes. When the session ends elsewhere, the
 * watch is rejected at once, and the client dispatches `auth:unauthorized`.
 */
export class LiveTasks {
  readonly #api: ApiClient
  readonly #userId: string
  readonly #store: TaskStore
  #isLoaded = false
  #running: AbortController | null = null
  #following = Promise.resolve()
  #since: string | undefined
  readonly #hasBegun: Promise<void>
  #begin: () => void = () => {}
  /** Called when what changed meanwhile is unknown. */
  onReset: () => unknown = () => {}

  constructor(api: ApiClient, userId: string, store: TaskStore) {
    this.#api = api
    this.#userId = userId
    this.#store = store
    this.#hasBegun = new Promise((resolve) => {
      this.#begin = resolve
    })
  }

  /** Read the whole list. */
  async load(signal: AbortSignal): Promise<void> {
    if (!this.#isLoaded) {
      this.#isLoaded = true
      await Promise.race([this.#hasBegun, sleep(HEAD_START)])
    }
    this.#store.beginLoad()
    this.#store.load(await this.#api.listTasks(this.#userId, { sort: "-created_at", signal }))
  }

  /** Follow the list until `stop`, or until the session has ended. */
  start(): void {
    this.stop()
    const running = new AbortController()
    this.#running = running
    const { signal } = running
    this.#following = this.#following.then(() => this.#follow(signal)) // from where the last one has stopped
  }

  stop(): void {
    this.#running?.abort()
    this.#running = null
  }

  async #follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        this.#since = await this.#api.watch(this.#userId, {
          since: this.#since,
          signal,
          onChange: (task) => this.#store.put(task),
          onDelete: (id, revision) => this.#store.remove(id, revision),
          onReset: () => {
            this.#begin()
            if (this.#isLoaded) this.onReset()
          },
        })
      } catch (error) {
        this.#begin()
        this.#since = undefined
        if (error instanceof Unauthorized) return
        await sleep(RESTART, signal)
      }
    }
  }
}

/** Resolves after the time, or when the signal is aborted. */
function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal?.addEventListener("abort", () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
