import { getAuth } from "@/auth/auth"

/** Far larger than any form needs. */
const MAX_BODY_BYTES = 64 * 1024

async function handle(request: Request): Promise<Response> {
  return isTooLarge(request) ? bodyTooLarge() : (await getAuth()).handler(request)
}

/** A body without a Content-Length counts as too large: no browser sends one. */
function isTooLarge({ method, headers }: Request): boolean {
  return method === "POST" && !(Number(headers.get("Content-Length") ?? Number.NaN) <= MAX_BODY_BYTES)
}

function bodyTooLarge(): Response {
  return Response.json({ code: "BODY_TOO_LARGE", message: "The request body is too large." }, { status: 413 })
}

export { handle as GET, handle as POST }
