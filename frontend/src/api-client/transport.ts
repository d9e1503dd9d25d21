import { toProblem, Unauthorized } from "./problems"
import { withRetries } from "./retries"
import { abortable, wait, withTimeout } from "./timing"
import type { TokenSource } from "./tokens"

export interface TransportOptions {
  tokens: TokenSource
  fetch?: typeof fetch | undefined
  events?: EventTarget | undefined
  wait?: ((ms: number, signal?: AbortSignal) => Promise<void>) | undefined
  timeoutMs?: number | undefined
}

const READ_ATTEMPTS = 3

/** Sends requests with the access token, renews it after a 401, retries reads, and reports the end of the session. */
export class Transport {
  readonly #tokens: TokenSource
  readonly #fetch: typeof fetch
  readonly #events: EventTarget | undefined
  readonly #wait: (ms: number, signal?: AbortSignal) => Promise<void>
  readonly #timeoutMs: number
  /** How often the end of a session was reported. */
  #reports = 0
  #hasReported = false

  constructor(options: TransportOptions) {
    this.#tokens = options.tokens
    // A browser's fetch throws when it is called as a method of another object.
    const custom = options.fetch
    this.#fetch = (input, init) => (custom ? custom(input, init) : globalThis.fetch(input, init))
    this.#events = options.events ?? (typeof window === "undefined" ? undefined : window)
    this.#wait = options.wait ?? wait
    this.#timeoutMs = options.timeoutMs ?? 10_000
  }

  /** A successful response, its body read. Rejects with ApiProblem, Unreachable or the signal's reason. */
  async send(request: Request, signal?: AbortSignal): Promise<Response> {
    const reports = this.#reports
    let isRenewed = false

    const attempt = async () => {
      signal?.throwIfAborted()
      const token = await abortable(this.#tokens.get(), signal)
      try {
        return await this.#exchange(request, token, signal)
      } catch (error) {
        if (!(error instanceof Unauthorized) || isRenewed) throw error
        isRenewed = true
        const newToken = await abortable(this.#tokens.renew(token), signal)
        return await this.#exchange(request, newToken, signal)
      }
    }

    try {
      const attempts = request.method === "GET" ? READ_ATTEMPTS : 1
      const response = await withRetries(attempt, { attempts, wait: this.#wait, signal })
      if (reports === this.#reports) this.#hasReported = false
      return response
    } catch (error) {
      if (error instanceof Unauthorized) this.#reportSessionEnd(reports)
      throw error
    }
  }

  async #exchange(request: Request, token: string, signal?: AbortSignal): Promise<Response> {
    const headers = new Headers(request.headers)
    headers.set("Authorization", `Bearer ${token}`)
    const copy = request.clone()
    const response = await withTimeout(
      this.#timeoutMs,
      async (abort) => readBody(await this.#fetch(new Request(copy, { headers, signal: abort }))),
      signal,
    )
    if (!response.ok) throw await toProblem(response)
    return response
  }

  /** Dispatches `auth:unauthorized` once per session, however many requests fail. */
  #reportSessionEnd(reportsBefore: number): void {
    const hasReported = this.#hasReported
    // A late response from before a new sign-in must not end the new session.
    if (reportsBefore !== this.#reports && !hasReported) return
    this.#tokens.clear()
    if (hasReported) return
    this.#hasReported = true
    this.#reports++
    this.#events?.dispatchEvent(new Event("auth:unauthorized"))
  }
}

/** Reads the body to its end, so that the timeout covers it, and returns an equal response. */
async function readBody(response: Response): Promise<Response> {
  const { status, statusText, headers } = response
  const body = await response.arrayBuffer()
  return new Response(body.byteLength > 0 ? body : null, { status, statusText, headers })
}
