import { startedAuth } from "@/auth/auth"

/** Far more than any form here holds, in bytes. */
const LARGEST_BODY = 64 * 1024

async function handle(request: Request): Promise<Response> {
  return isTooLarge(request) ? refusal() : (await startedAuth()).handler(request)
}

/** A body of unknown length counts as too large: no browser sends one. */
function isTooLarge({ method, headers }: Request): boolean {
  return method === "POST" && !(Number(headers.get("Content-Length") ?? Number.NaN) <= LARGEST_BODY)
}

function refusal(): Response {
  return Response.json({ code: "BODY_TOO_LARGE", message: "The request is too large." }, { status: 413 })
}

export { handle as GET, handle as POST }
