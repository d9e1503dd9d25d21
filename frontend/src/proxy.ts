import { type NextRequest, NextResponse } from "next/server"
import { isLoopback } from "./auth/setting-values"
import { readSettings } from "./auth/settings"

/** Add the security headers to every response. A page may load from and call this site and the API only. */
export function proxy(request: NextRequest): NextResponse {
  const nonce = btoa(crypto.randomUUID())
  const policy = contentSecurityPolicy(nonce)
  const response = refusal(request) ?? forward(request, policy)
  response.headers.set("Content-Security-Policy", policy)
  response.headers.set("X-Content-Type-Options", "nosniff")
  response.headers.set("Referrer-Policy", "same-origin")
  response.headers.set("Cross-Origin-Opener-Policy", "same-origin")
  response.headers.set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
  if (request.nextUrl.pathname !== "/api/auth/jwks") response.headers.set("Cache-Control", "no-store")
  if (readSettings(process.env).baseURL.startsWith("https:")) {
    response.headers.set("Strict-Transport-Security", "max-age=31536000")
  }
  return response
}

/** The response to a request that Next does not get. */
function refusal(request: NextRequest): NextResponse | null {
  if (!isDecodable(request.nextUrl.pathname)) return new NextResponse("Bad Request", { status: 400 })
  const elsewhere = placeOfPages(request)
  if (!elsewhere) return null
  // Next takes all of a machine's names for one, and would make a redirect relative.
  const headers = { Refresh: `0; url=${elsewhere}`, "Content-Type": "text/plain" }
  return new NextResponse(`The pages are at ${elsewhere}\n`, { headers })
}

function forward(request: NextRequest, policy: string): NextResponse {
  const headers = new Headers(request.headers)
  headers.set("Content-Security-Policy", policy) // Next reads the nonce from here for its own scripts
  return NextResponse.next({ request: { headers } })
}

/**
 * The base URL, if a page is requested at another of this machine's names for itself: cookies, CORS and Better Auth's
 * check of the origin know that one name only.
 */
function placeOfPages({ method, nextUrl, headers }: NextRequest): URL | null {
  const base = new URL(readSettings(process.env).baseURL)
  const asked = `${base.protocol}//${headers.get("host")}`
  if (method !== "GET" || nextUrl.pathname.startsWith("/api/") || !URL.canParse(asked)) return null
  const { origin, port } = new URL(asked)
  const isOtherName =
    origin !== base.origin && port === base.port && isLoopback(asked) && isLoopback(base.origin)
  return isOtherName ? new URL(nextUrl.pathname + nextUrl.search, base) : null
}

/** Whether the path is UTF-8, percent-encoded. Next responds to any other with 500 where it matches a route. */
function isDecodable(path: string): boolean {
  try {
    return !decodeURIComponent(path).includes("\0")
  } catch {
    return false
  }
}

function contentSecurityPolicy(nonce: string): string {
  const isDevelopment = process.env.NODE_ENV === "development"
  return [
    "default-src 'none'",
    `script-src 'self' 'nonce-${nonce}' 'strict-dynamic'${isDevelopment ? " 'unsafe-eval'" : ""}`,
    `style-src 'self' ${isDevelopment ? "'unsafe-inline'" : `'nonce-${nonce}'`}`,
    "img-src 'self'",
    "manifest-src 'self'",
    `connect-src 'self' ${new URL(readSettings(process.env).apiURL).origin}`,
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "object-src 'none'",
  ].join("; ")
}

export const config = { matcher: "/((?!_next/static/|icon\\.svg$).*)" }
