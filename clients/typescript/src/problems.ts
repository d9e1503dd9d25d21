import type { components } from "./schema.ts"

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

/** An error response of the API (RFC 9457). `message` is the server's `detail`, written for users. */
export class ApiProblem extends Error {
  override readonly name: string = "ApiProblem"
  readonly status: number
  /** The problem type, such as `urn:problem-type:evo-todo:task-not-found`. */
  readonly type: string
  readonly title: string
  /** The invalid fields; empty unless the status is 422. */
  readonly errors: readonly FieldProblem[]
  /** Identifies this request in the API's logs. */
  readonly requestId: string | undefined
  /** `Retry-After` in seconds, if the server sends it. */
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

/** There is no session, or the API rejects its tokens: the user must sign in. */
export class Unauthorized extends ApiProblem {
  override readonly name = "Unauthorized"

  constructor(fields: Partial<ProblemFields> = {}) {
    super({
      detail: "You are signed out. Sign in to continue.",
      title: "Unauthorized",
      ...fields,
      status: 401,
    })
  }
}

/** The task is no longer at the given revision. Nothing was changed. */
export class ChangedElsewhere extends ApiProblem {
  override readonly name = "ChangedElsewhere"

  constructor(fields: Partial<ProblemFields> = {}) {
    const detail =
      "The task was changed elsewhere since you opened it. Review the current version and try again."
    super({ title: "Changed elsewhere", ...fields, detail, status: 412 })
  }
}

/** There was no response: a network failure or a timeout. A change may have been made nevertheless. */
export class Unreachable extends Error {
  override readonly name = "Unreachable"

  constructor(
    message = "The server is unreachable. Check your connection and try again.",
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** A success that is not what the API sends: something on the way has answered, such as a captive portal. */
export function unexpectedResponse(): ApiProblem {
  return new ApiProblem({
    status: 200,
    title: "Unexpected response",
    detail: "The response did not come from the service.",
  })
}

type Members = Partial<Record<keyof components["schemas"]["Problem"], unknown>>

/** Parses an error response. A proxy in front of the API may send HTML: then the message is a default for the status. */
export async function toProblem(response: Response): Promise<ApiProblem> {
  const body = parseBody(await response.text())
  const fields: ProblemFields = {
    detail: nonEmptyString(body.detail) ?? defaultDetail(response.status),
    status: response.status,
    type: nonEmptyString(body.type),
    title: nonEmptyString(body.title) ?? nonEmptyString(response.statusText),
    errors: Array.isArray(body.errors) ? (body.errors as FieldProblem[]) : [],
    requestId: nonEmptyString(body.request_id) ?? response.headers.get("X-Request-Id") ?? undefined,
    retryAfter: secondsUntilRetry(response.headers),
  }
  if (response.status === 401) return new Unauthorized(fields)
  if (response.status === 412) return new ChangedElsewhere(fields)
  return new ApiProblem(fields)
}

function parseBody(text: string): Members {
  try {
    const body: unknown = JSON.parse(text)
    return typeof body === "object" && body !== null ? (body as Members) : {}
  } catch {
    return {}
  }
}

function nonEmptyString(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined
}

function defaultDetail(status: number): string {
  if (status === 401) return "Your session has ended. Sign in again."
  if (status === 403) return "You do not have access to this."
  if (status === 404) return "Not found."
  if (status === 429) return "Too many requests. Please wait a moment and try again."
  if (status >= 502 && status <= 504)
    return "The service is temporarily unavailable. Please try again shortly."
  if (status >= 500) return "The service had an internal error. Please try again later."
  return `The service rejected the request (status ${status}).`
}

/** `Retry-After` in seconds. A date is relative to the `Date` header if readable, as the clock here may be wrong. */
function secondsUntilRetry(headers: Headers): number | undefined {
  const value = headers.get("Retry-After")?.trim()
  if (!value) return undefined
  if (/^\d+$/.test(value)) return Number(value)
  const until = Date.parse(value)
  if (Number.isNaN(until)) return undefined
  const sent = Date.parse(headers.get("Date") ?? "")
  return Math.max(0, Math.ceil((until - (Number.isNaN(sent) ? Date.now() : sent)) / 1000))
}
