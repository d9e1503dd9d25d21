import createClient, { type Client, defaultPathSerializer } from "openapi-fetch"
import { ApiProblem } from "./problems"
import type { components, operations, paths } from "./schema"
import { Transport, type TransportOptions } from "./transport"

/** A task as the API shows it. */
export type Task = components["schemas"]["TaskView"]
/** One page of a list. */
export type TaskPage = components["schemas"]["TaskPageView"]
/** What shall be different about a task: what is absent stays, a null description clears it. */
export type TaskUpdate = components["schemas"]["TaskUpdate"]

type Filters = Omit<NonNullable<operations["listTasks"]["parameters"]["query"]>, "limit" | "cursor">
/** Which tasks to list, in what order, and what stops it. */
export type ListQuery = { [name in keyof Filters]: Filters[name] | undefined } & {
  signal?: AbortSignal | undefined
}
/** `revision`: only if the task is still at it; ChangedElsewhere otherwise. */
export type ChangeOptions = { revision?: number | undefined }

export interface ApiClientOptions extends TransportOptions {
  /** Where the API is, with `/api` at its end. */
  baseUrl?: string | undefined
}

/** The schema's paths, without the `/api` that the base URL has. */
type ApiPaths = { [path in keyof paths as path extends `/api${infer rest}` ? rest : never]: paths[path] }

const PAGE = 1000
const ONE = "/{user_id}/tasks/{task_id}"

/**
 * The tasks API, as a signed-in person uses it.
 *
 * Every call rejects with Unauthorized when the session is lost (`auth:unauthorized` is dispatched, once), with
 * another ApiProblem when the API refuses or fails, and with Unreachable when no answer comes. Reads are tried
 * up to three times, changes once.
 */
export class ApiClient {
  readonly #api: Client<ApiPaths>
  readonly #transport: Transport

  constructor(options: ApiClientOptions) {
    this.#transport = new Transport(options)
    this.#api = createClient<ApiPaths>({
      baseUrl: options.baseUrl ?? "http://localhost:8000/api",
      credentials: "omit",
      redirect: "error", // The API has none: what redirects is in its way, and must not get the token.
      fetch: (request) => this.#transport.send(request),
      pathSerializer: pathOf,
    })
  }

  /** Every task that the query asks for, page after page. Also rejects with the signal's reason. */
  async listTasks(userId: string, { signal, ...filters }: ListQuery = {}): Promise<Task[]> {
    const tasks = new Map<string, Task>()
    let cursor: string | null = null
    do {
      // The cursor is good for the filters and the order it was handed out with, and no others.
      const query = { ...(filters as Filters), limit: PAGE, ...(cursor === null ? {} : { cursor }) }
      const page: TaskPage = await dataOf(
        this.#api.GET("/{user_id}/tasks", {
          params: { path: { user_id: userId }, query },
          fetch: (request) => this.#transport.send(request, signal),
        }),
      )
      for (const task of page.data) tasks.set(task.id, task)
      cursor = page.next_cursor
    } while (cursor !== null)
    return [...tasks.values()]
  }

  /** The new task. */
  createTask(userId: string, title: string, description?: string | null): Promise<Task> {
    const body = { title, description: description ?? null }
    return dataOf(this.#api.POST("/{user_id}/tasks", { params: { path: { user_id: userId } }, body }))
  }

  /** The task as it is now. */
  getTask(userId: string, taskId: string): Promise<Task> {
    return dataOf(this.#api.GET(ONE, { params: { path: pathTo(userId, taskId) } }))
  }

  /** The task with the members of `updates` changed. */
  updateTask(userId: string, taskId: string, updates: TaskUpdate, options?: ChangeOptions): Promise<Task> {
    const params = { path: pathTo(userId, taskId), header: ifMatch(options) }
    return dataOf(this.#api.PUT(ONE, { params, body: updates }))
  }

  /** Deletes the task; `restoreTask` brings it back. */
  async deleteTask(userId: string, taskId: string, options?: ChangeOptions): Promise<void> {
    await this.#api.DELETE(ONE, { params: { path: pathTo(userId, taskId), header: ifMatch(options) } })
  }

  /** The task, done if it was not and the other way round. Not safe to repeat: prefer `setTaskCompletion`. */
  toggleTaskCompletion(userId: string, taskId: string): Promise<Task> {
    return dataOf(this.#api.PATCH(`${ONE}/complete`, { params: { path: pathTo(userId, taskId) } }))
  }

  /** The task, done or not as said. Safe to repeat. */
  setTaskCompletion(
    userId: string,
    taskId: string,
    completed: boolean,
    options?: ChangeOptions,
  ): Promise<Task> {
    const params = { path: pathTo(userId, taskId), header: ifMatch(options) }
    return dataOf(this.#api.PATCH(`${ONE}/complete`, { params, body: { completed } }))
  }

  /** The deleted task, back in the list as it was. Safe to repeat. */
  restoreTask(userId: string, taskId: string): Promise<Task> {
    return dataOf(this.#api.POST(`${ONE}/restore`, { params: { path: pathTo(userId, taskId) } }))
  }
}

function pathTo(userId: string, taskId: string) {
  return { user_id: userId, task_id: taskId }
}

function ifMatch(options?: ChangeOptions): { "If-Match"?: string } {
  return options?.revision === undefined ? {} : { "If-Match": `"${options.revision}"` }
}

/** An address takes "." and ".." for steps, encoded or not, so that such an id would name something else. */
function pathOf(path: string, ids: Record<string, unknown>): string {
  for (const id of Object.values(ids)) {
    if (id === "" || id === "." || id === "..") throw new TypeError(`"${id}" can't be an id.`)
  }
  return defaultPathSerializer(path, ids)
}

/** What a successful answer holds. A portal's page with status 200 is none of the API's. */
async function dataOf<T>(call: Promise<{ data?: T }>): Promise<T> {
  const { data } = await call.catch((error: unknown) => {
    if (error instanceof SyntaxError) return { data: undefined }
    throw error
  })
  if (data !== undefined) return data
  throw new ApiProblem({
    status: 200,
    title: "Not the API",
    detail: "Something else answered in the service's place.",
  })
}
