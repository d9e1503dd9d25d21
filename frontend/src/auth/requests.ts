import type { z } from "zod"
import { BODIES, QUERIES } from "./endpoints"

/** Far larger than any form needs. */
const MAX_BODY_BYTES = 64 * 1024
export const BASE_PATH = "/api/auth"

/**
 * The request as Better Auth may see it, or the response that refuses it.
 *
 * Better Auth checks few types: a name that is no string reached the database, and ended the process there.
 */
export async function checkRequest(request: Request): Promise<Request | Response> {
  const url = new URL(request.url)
  const path = url.pathname.slice(BASE_PATH.length)
  const query = QUERIES.get(path)
  const body = BODIES.get(path)
  if (!query && !body) return refusal(404, "NOT_FOUND", "Not found.")
  if (request.method === "POST") return body ? checkBody(request, body) : notAllowed("GET, HEAD")
  return query ? checkQuery(request, url, query) : notAllowed("POST")
}

function checkQuery(request: Request, url: URL, rule: z.ZodType<Record<string, string>>): Request | Response {
  const { data, error } = rule.safeParse(Object.fromEntries(url.searchParams))
  if (error) return invalid(error)
  url.search = new URLSearchParams(data).toString()
  return new Request(url, { method: request.method, headers: request.headers })
}

async function checkBody(
  request: Request,
  rule: z.ZodType<Record<string, unknown>>,
): Promise<Request | Response> {
  const headers = new Headers(request.headers)
  // A body without a Content-Length counts as too large: no browser sends one.
  if (!(Number(headers.get("Content-Length") ?? Number.NaN) <= MAX_BODY_BYTES)) {
    return refusal(413, "BODY_TOO_LARGE", "The request body is too large.")
  }
  const bytes = await request.arrayBuffer()
  const isJSON = /^application\/json *(;|$)/i.test(headers.get("Content-Type") ?? "")
  if (bytes.byteLength > 0 && !isJSON)
    return refusal(415, "UNSUPPORTED_MEDIA_TYPE", "The request body must be JSON.")
  const members = parse(bytes)
  if (members === undefined) return refusal(400, "INVALID_JSON", "The request body is not valid JSON.")
  const { data, error } = rule.safeParse(members)
  if (error) return invalid(error)
  headers.delete("Content-Length")
  headers.set("Content-Type", "application/json")
  return new Request(request.url, { method: "POST", headers, body: JSON.stringify(data) })
}

/** The value that is encoded as JSON in UTF-8; `{}` for no bytes, undefined if it is neither. */
function parse(bytes: ArrayBuffer): unknown {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes)
    return text === "" ? {} : JSON.parse(text)
  } catch {
    return undefined
  }
}

const LABELS: Readonly<Record<string, string>> = {
  email: "The email address",
  newEmail: "The email address",
  currentPassword: "The current password",
  newPassword: "The new password",
}

function invalid({ issues: [issue] }: z.ZodError): Response {
  const member = String(issue?.path[0] ?? "")
  const label = member && (LABELS[member] ?? `The ${member}`)
  const isAboutType = issue?.code === "invalid_type" || issue?.code === "unrecognized_keys" || !label
  const message = isAboutType ? "The request is invalid." : `${label} ${issue?.message}.`
  return refusal(400, member === "code" ? "INVALID_CODE" : "VALIDATION_ERROR", message)
}

function notAllowed(methods: string): Response {
  const response = refusal(405, "METHOD_NOT_ALLOWED", "Method not allowed.")
  response.headers.set("Allow", methods)
  return response
}

function refusal(status: number, code: string, message: string): Response {
  return Response.json({ code, message }, { status })
}
