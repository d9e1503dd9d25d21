import type { components } from "./schema"

/** What is wrong with one member of a body (`pointer`, such as `/title`) or with one query parameter. */
export type FieldProblem = components["schemas"]["FieldProblem"]

interface ProblemFields {
  detail: string
  status: number
  type?: string | undefined
  title?: string | undefined
  errors?: FieldProblem[] | undefined
  requestId?: string | undefined
  retryAfter?: number | undefined
}

/** The API refused or failed (RFC 9457). `message` is the server's `detail`: a person can read it. */
export class ApiProblem extends Error {
  override readonly name: string = "ApiProblem"
  readonly status: number
  /** Names the kind of problem, such as `urn:problem-type:evo-todo:task-not-found`. */
  readonly type: string
  readonly title: string
  /** One for each field that breaks a rule; empty unless the status is 422. */
  readonly errors: readonly FieldProblem[]
  /** Finds this request in the API's logs. */
  readonly requestId: string | undefined
  /** In how many seconds to try again, where the server says so. */
  readonly retryAfter: number | undefined

  constructor(fields: ProblemFields) {
    super(fields.detail)
    this.status = fields.status
    this.type = fields.type ?? "about:blank"
    this.title = fields.title ?? `Status ${fields.status}`
    this.errors = fields.errors ?? []
    this.requestId = fields.requestId
    this.retryAfter = fields.retryAfter
  }
}

/** There is no session, or the API refuses its tokens: sign in. */
export class Unauthorized extends ApiProblem {
  override readonly name = "Unauthorized"

  constructor(fields: Partial<ProblemFields> = {}) {
    super({ detail: "You are signed out. Sign in to go on.", title: "Unauthorized", ...fields, status: 401 })
  }
}

/** The task is no longer at the revision that was given. Nothing was changed. */
export class ChangedElsewhere extends ApiProblem {
  override readonly name = "ChangedElsewhere"

  constructor(fields: Partial<ProblemFields> = {}) {
    const detail =
      "The task was changed elsewhere since you opened it. Look at it as it is now, then decide again."
    super({ title: "Changed elsewhere", ...fields, detail, status: 412 })
  }
}

/** No answer came: the network failed, or it took too long. A change may have been made nevertheless. */
export class Unreachable extends Error {
  override readonly name = "Unreachable"

  constructor(
    message = "The server can't be reached. Check your connection and try again.",
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

type Members = Partial<Record<keyof components["schemas"]["Problem"], unknown>>

/** What an error answer says. What stands before the API may answer in HTML: the words are ours then. */
export async function problemOf(answer: Response): Promise<ApiProblem> {
  const body = membersOf(await answer.text())
  const fields: ProblemFields = {
    detail: textOf(body.detail) ?? wordsFor(answer.status),
    status: answer.status,
    type: textOf(body.type),
    title: textOf(body.title) ?? textOf(answer.statusText),
    errors: Array.isArray(body.errors) ? (body.errors as FieldProblem[]) : [],
    requestId: textOf(body.request_id) ?? answer.headers.get("X-Request-Id") ?? undefined,
    retryAfter: secondsUntilRetry(answer.headers),
  }
  if (answer.status === 401) return new Unauthorized(fields)
  if (answer.status === 412) return new ChangedElsewhere(fields)
  return new ApiProblem(fields)
}

function membersOf(text: string): Members {
  try {
    const body: unknown = JSON.parse(text)
    return typeof body === "object" && body !== null ? (body as Members) : {}
  } catch {
    return {}
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined
}

function wordsFor(status: number): string {
  if (status === 401) return "Your session has ended. Sign in again."
  if (status === 403) return "You have no access to this."
  if (status === 404) return "There is no such thing here."
  if (status === 429) return "Too many requests. Wait a moment, then try again."
  if (status >= 502 && status <= 504) return "The service can't be reached at the moment. Try again shortly."
  if (status >= 500) return "The service failed. Try again later."
  return `The service refused the request (status ${status}).`
}

/** `Retry-After` in seconds. A date counts from the answer's `Date` where it shows: our clock may be wrong. */
function secondsUntilRetry(headers: Headers): number | undefined {
  const value = headers.get("Retry-After")?.trim()
  if (!value) return undefined
  if (/^\d+$/.test(value)) return Number(value)
  const until = Date.parse(value)
  if (Number.isNaN(until)) return undefined
  const sent = Date.parse(headers.get("Date") ?? "")
  return Math.max(0, Math.ceil((until - (Number.isNaN(sent) ? Date.now() : sent)) / 1000))
}
