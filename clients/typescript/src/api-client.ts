import createClient, { type Client, defaultPathSerializer } from "openapi-fetch"
import { readChanges, type TaskChanges } from "./changes.ts"
import { type ApiPaths, isChangesPage, isPage, isTask, type Received } from "./paths.ts"
import { unexpectedResponse } from "./problems.ts"
import type { components, operations } from "./schema.ts"
import { openTaskEvents } from "./task-events.ts"
import { Transport, type TransportOptions } from "./transport.ts"
import { Watch } from "./watch.ts"
import { WATCH_TIMES, type WatchOptions, type WatchTimes } from "./watch-options.ts"

/** A task as the API represents it. */
export type Task = components["schemas"]["TaskView"]
/** One page of a list. */
export type TaskPage = components["schemas"]["TaskPageView"]
/** The fields of a task to change: absent ones stay as they are, a null description clears it. */
export type TaskUpdate = components["schemas"]["TaskUpdate"]

type Filters = Omit<NonNullable<operations["listTasks"]["parameters"]["query"]>, "limit" | "cursor">
/** The filters and order of a list, and a signal that aborts the request. */
export type ListQuery = { [name in keyof Filters]: Filters[name] | undefined } & {
  signal?: AbortSignal | undefined
}
/** `revision`: change the task only if it is still at this revision, else reject with ChangedElsewhere. */
export type ChangeOptions = { revision?: number | undefined }

/** `idempotencyKey`: repeat the key of an earlier call to get the task that it created, if it did. Default: a new key. */
export type CreateOptions = { idempotencyKey?: string | undefined }

export interface ApiClientOptions extends TransportOptions {
  /** The URL of the API, ending in `/api`. */
  baseUrl?: string | undefined
  /** How `watch` waits. */
  watchTimes?: Partial<WatchTimes> | undefined
}

/** `since`: the sync token to go on from; without it, the whole list. */
export type ChangesQuery = { since?: string | undefined; signal?: AbortSignal | undefined }

const PAGE_SIZE = 1000
const TASK_PATH = "/{user_id}/tasks/{task_id}"

/**
 * A client of the tasks API for a signed-in user.
 *
 * Every method rejects with Unauthorized when the session has ended (and `auth:unauthorized` is dispatched once), with
 * another ApiProblem for any other error response, and with Unreachable when there is no response. Reads and creates
 * (by their `Idempotency-Key`) are attempted up to three times, other changes once.
 */
export class ApiClient {
  readonly #api: Client<ApiPaths>
  readonly #transport: Transport
  readonly #watchTimes: WatchTimes

  constructor(options: ApiClientOptions) {
    this.#watchTimes = { ...WATCH_TIMES, ...options.watchTimes }
    this.#transport = new Transport(options)
    this.#api = createClient<ApiPaths>({
      baseUrl: options.baseUrl ?? "http://localhost:8000/api",
      credentials: "omit",
      redirect: "error", // The API never redirects: whatever does is between it and us, and must not get the token.
      fetch: (request) => this.#transport.send(request),
      pathSerializer: serializePath,
    })
  }

  /** All tasks that match the query; fetches every page. Also rejects with the signal's reason. */
  async listTasks(userId: string, { signal, ...filters }: ListQuery = {}): Promise<Task[]> {
    const tasks = new Map<string, Task>()
    let cursor: string | null = null
    do {
      // A cursor is valid only with the filters and the order that it was issued for.
      const query = { ...(filters as Filters), limit: PAGE_SIZE, ...(cursor === null ? {} : { cursor }) }
      const page: TaskPage = await unwrap(
        this.#api.GET("/{user_id}/tasks", {
          params: { path: { user_id: userId }, query },
          fetch: (request) => this.#transport.send(request, signal),
        }),
        isPage,
      )
      for (const task of page.data) tasks.set(task.id, task)
      cursor = page.next_cursor
    } while (cursor !== null)
    return [...tasks.values()]
  }

  /** The deleted tasks that can still be restored, the last deleted first; fetches every page. */
  listDeletedTasks(userId: string, { signal }: { signal?: AbortSignal } = {}): Promise<Task[]> {
    return this.listTasks(userId, { deleted: true, sort: "-deleted_at", signal })
  }

  /**
   * What changed since a sync token, a page at a time: each task once, however often it changed. Begins again with the
   * whole list, and says so by `isReset`, if the token has expired. Also rejects with the signal's reason.
   */
  changes(
    userId: string,
    { since, signal }: ChangesQuery = {},
  ): AsyncGenerator<TaskChanges, void, undefined> {
    const fetchPage = (token: string | undefined) => {
      const query = { limit: PAGE_SIZE, ...(token === undefined ? {} : { since: token }) }
      return unwrap(
        this.#api.GET("/{user_id}/tasks/changes", {
          params: { path: { user_id: userId }, query },
          fetch: (request) => this.#transport.send(request, signal),
        }),
        isChangesPage,
      )
    }
    return readChanges(fetchPage, since)
  }

  /**
   * Reports the list's changes as they happen, from a stream of events; polls where something on the way holds the
   * stream back. Reconnects by itself and loses nothing meanwhile.
   *
   * Resolves when the signal is aborted, with the sync token after the last change that was processed. Rejects as every
   * method when the session has ended or for an error response that does not pass, or with what a callback throws.
   */
  watch(userId: string, options: WatchOptions): Promise<string | undefined> {
    const list = {
      tokens: this.#transport.tokens,
      changes: (since: string | undefined, signal: AbortSignal) => this.changes(userId, { since, signal }),
      open: (lastEventId: string | undefined, signal: AbortSignal) =>
        openTaskEvents(this.#api, this.#transport, { userId, lastEventId, signal, times: this.#watchTimes }),
    }
    return new Watch(list, options, this.#watchTimes).run()
  }

  /** Creates a task and returns it. */
  createTask(
    userId: string,
    title: string,
    description?: string | null,
    options?: CreateOptions,
  ): Promise<Task> {
    const body = { title, description: description ?? null }
    const headers = { "Idempotency-Key": options?.idempotencyKey ?? randomKey() }
    return unwrap(
      this.#api.POST("/{user_id}/tasks", { params: { path: { user_id: userId } }, headers, body }),
    )
  }

  /** Returns the task. */
  getTask(userId: string, taskId: string): Promise<Task> {
    return unwrap(this.#api.GET(TASK_PATH, { params: { path: taskParams(userId, taskId) } }))
  }

  /** Changes the fields in `updates` and returns the task. */
  updateTask(userId: string, taskId: string, updates: TaskUpdate, options?: ChangeOptions): Promise<Task> {
    const params = { path: taskParams(userId, taskId), header: ifMatch(options) }
    return unwrap(this.#api.PUT(TASK_PATH, { params, body: updates }))
  }

  /** Deletes the task; `restoreTask` undoes it. */
  async deleteTask(userId: string, taskId: string, options?: ChangeOptions): Promise<void> {
    await this.#api.DELETE(TASK_PATH, {
      params: { path: taskParams(userId, taskId), header: ifMatch(options) },
    })
  }

  /** Toggles whether the task is completed and returns it. Not idempotent: prefer `setTaskCompletion`. */
  toggleTaskCompletion(userId: string, taskId: string): Promise<Task> {
    return unwrap(this.#api.PATCH(`${TASK_PATH}/complete`, { params: { path: taskParams(userId, taskId) } }))
  }

  /** Sets whether the task is completed and returns it. Idempotent. */
  setTaskCompletion(
    userId: string,
    taskId: string,
    completed: boolean,
    options?: ChangeOptions,
  ): Promise<Task> {
    const params = { path: taskParams(userId, taskId), header: ifMatch(options) }
    return unwrap(this.#api.PATCH(`${TASK_PATH}/complete`, { params, body: { completed } }))
  }

  /** Restores a deleted task and returns it. Idempotent. */
  restoreTask(userId: string, taskId: string): Promise<Task> {
    return unwrap(this.#api.POST(`${TASK_PATH}/restore`, { params: { path: taskParams(userId, taskId) } }))
  }
}

/** A random UUID, or as many random bytes where there is none: on a page without https, not on localhost. */
export function randomKey(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID()
  return crypto
    .getRandomValues(new Uint8Array(16))
    .reduce((key, byte) => key + byte.toString(16).padStart(2, "0"), "")
}

function taskParams(userId: string, taskId: string) {
  return { user_id: userId, task_id: taskId }
}

function ifMatch(options?: ChangeOptions): { "If-Match"?: string } {
  return options?.revision === undefined ? {} : { "If-Match": `"${options.revision}"` }
}

/** Rejects "." and ".." as ids: a URL resolves them, encoded or not, so they would address another resource. */
function serializePath(path: string, params: Record<string, unknown>): string {
  for (const id of Object.values(params)) {
    if (id === "" || id === "." || id === "..") throw new TypeError(`"${id}" is not a valid id.`)
  }
  return defaultPathSerializer(path, params)
}

/** The body of a successful response. Rejects a 200 that is not from the API, such as a captive portal's page. */
async function unwrap<T>(
  call: Promise<{ data?: T }>,
  isOfApi: (data: Received<T>) => boolean = isTask,
): Promise<T> {
  const { data } = await call.catch((error: unknown) => {
    if (error instanceof SyntaxError) return { data: undefined }
    throw error
  })
  if (data !== undefined && isOfApi(data)) return data
  throw unexpectedResponse()
}
