import { toProblem, Unauthorized } from "./problems.ts"
import { withRetries } from "./retries.ts"
import { abortable, wait, withTimeout } from "./timing.ts"
import type { TokenSource } from "./tokens.ts"

export interface TransportOptions {
  tokens: TokenSource
  fetch?: typeof fetch | undefined
  events?: EventTarget | undefined
  wait?: ((ms: number, signal?: AbortSignal) => Promise<void>) | undefined
  timeoutMs?: number | undefined
}

/** A successful response whose body is not read yet, and the token that it was given for. */
export interface OpenResponse {
  response: Response
  token: string
}

const ATTEMPTS = 3

/**
 * Sends requests with the access token, renews it after a 401, retries what can safely be repeated (reads, and requests
 * with an `Idempotency-Key`), and reports the end of the session.
 */
export class Transport {
  readonly tokens: TokenSource
  readonly #fetch: typeof fetch
  readonly #events: EventTarget | undefined
  readonly #wait: (ms: number, signal?: AbortSignal) => Promise<void>
  readonly #timeoutMs: number
  /** How often the end of a session was reported. */
  #reports = 0
  #hasReported = false

  constructor(options: TransportOptions) {
    this.tokens = options.tokens
    // A browser's fetch throws when it is called as a method of another object.
    const custom = options.fetch
    this.#fetch = (input, init) => (custom ? custom(input, init) : globalThis.fetch(input, init))
    this.#events = options.events ?? (typeof window === "undefined" ? undefined : window)
    this.#wait = options.wait ?? wait
    this.#timeoutMs = options.timeoutMs ?? 10_000
  }

  /** A successful response, its body read. Rejects with ApiProblem, Unreachable or the signal's reason. */
  async send(request: Request, signal?: AbortSignal): Promise<Response> {
    const isRepeatable = request.method === "GET" || request.headers.has("Idempotency-Key")
    const attempts = isRepeatable ? ATTEMPTS : 1
    return this.#inSession(signal, (authorized) =>
      withRetries(() => authorized((token) => this.#exchange(request, token, signal)), {
        attempts,
        wait: this.#wait,
        signal,
      }),
    )
  }

  /** Rejects as `send` does. Attempted once; the timeout and the signal end with the response's header fields. */
  async open(request: Request, signal?: AbortSignal): Promise<OpenResponse> {
    return this.#inSession(signal, (authorized) =>
      authorized(async (token) => ({ token, response: await this.#exchange(request, token, signal, true) })),
    )
  }

  /** Runs `call`, whose requests get a token by `authorized`: a second one, once, if the API rejects the first. */
  async #inSession<T>(
    signal: AbortSignal | undefined,
    call: (authorized: (exchange: (token: string) => Promise<T>) => Promise<T>) => Promise<T>,
  ): Promise<T> {
    const reports = this.#reports
    let isRenewed = false

    const authorized = async (exchange: (token: string) => Promise<T>) => {
      signal?.throwIfAborted()
      const token = await abortable(this.tokens.get(), signal)
      try {
        return await exchange(token)
      } catch (error) {
        if (!(error instanceof Unauthorized) || isRenewed) throw error
        const newToken = await abortable(this.tokens.renew(token), signal)
        isRenewed = true // not before: without an answer to `renew` it is not known whether the session has ended
        return await exchange(newToken)
      }
    }

    try {
      const result = await call(authorized)
      if (reports === this.#reports) this.#hasReported = false
      return result
    } catch (error) {
      if (error instanceof Unauthorized) this.#reportSessionEnd(reports)
      throw error
    }
  }

  async #exchange(request: Request, token: string, signal?: AbortSignal, open = false): Promise<Response> {
    const headers = new Headers(request.headers)
    headers.set("Authorization", `Bearer ${token}`)
    const copy = request.clone()
    const response = await withTimeout(
      this.#timeoutMs,
      async (abort) => {
        const response = await this.#fetch(new Request(copy, { headers, signal: abort }))
        return open && response.ok ? response : readBody(response)
      },
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
    this.tokens.clear()
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
