import { problemOf, Unauthorized } from "./problems"
import { withRetries } from "./retries"
import { abortable, wait, within } from "./timing"
import type { TokenSource } from "./tokens"

export interface TransportOptions {
  tokens: TokenSource
  fetch?: typeof fetch | undefined
  events?: EventTarget | undefined
  wait?: ((ms: number, signal?: AbortSignal) => Promise<void>) | undefined
  timeoutMs?: number | undefined
}

const TRIES_OF_A_READ = 3

/** Sends requests with the token on them, renews it, tries reads again, tells the loss of a session once. */
export class Transport {
  readonly #tokens: TokenSource
  readonly #fetch: typeof fetch
  readonly #events: EventTarget | undefined
  readonly #wait: (ms: number, signal?: AbortSignal) => Promise<void>
  readonly #timeoutMs: number
  #losses = 0
  #lost = false

  constructor(options: TransportOptions) {
    this.#tokens = options.tokens
    // A browser's fetch must not be called as a method of something else.
    const given = options.fetch
    this.#fetch = (input, init) => (given ? given(input, init) : globalThis.fetch(input, init))
    this.#events = options.events ?? (typeof window === "undefined" ? undefined : window)
    this.#wait = options.wait ?? wait
    this.#timeoutMs = options.timeoutMs ?? 10_000
  }

  /** The answer, if of success, its body read. Rejects with ApiProblem, Unreachable, or the signal's reason. */
  async send(request: Request, signal?: AbortSignal): Promise<Response> {
    const losses = this.#losses
    let renewed = false

    const attempt = async () => {
      signal?.throwIfAborted()
      const token = await abortable(this.#tokens.get(), signal)
      try {
        return await this.#exchange(request, token, signal)
      } catch (error) {
        if (!(error instanceof Unauthorized) || renewed) throw error
        renewed = true
        const fresh = await abortable(this.#tokens.renew(token), signal)
        return await this.#exchange(request, fresh, signal)
      }
    }

    try {
      const tries = request.method === "GET" ? TRIES_OF_A_READ : 1
      const answer = await withRetries(attempt, { tries, wait: this.#wait, signal })
      if (losses === this.#losses) this.#lost = false
      return answer
    } catch (error) {
      if (error instanceof Unauthorized) this.#lose(losses)
      throw error
    }
  }

  async #exchange(request: Request, token: string, signal?: AbortSignal): Promise<Response> {
    const headers = new Headers(request.headers)
    headers.set("Authorization", `Bearer ${token}`)
    const copy = request.clone()
    const answer = await within(
      this.#timeoutMs,
      async (ends) => withBody(await this.#fetch(new Request(copy, { headers, signal: ends }))),
      signal,
    )
    if (!answer.ok) throw await problemOf(answer)
    return answer
  }

  /** One loss is told once: not by each request under way, nor by those that follow without a session. */
  #lose(lossesBefore: number): void {
    const told = this.#lost
    // A straggler from before a new sign-in must not end that.
    if (lossesBefore !== this.#losses && !told) return
    this.#tokens.clear()
    if (told) return
    this.#lost = true
    this.#losses++
    this.#events?.dispatchEvent(new Event("auth:unauthorized"))
  }
}

/** The same answer, its body read to the end: that too can fail or take too long. */
async function withBody(answer: Response): Promise<Response> {
  const { status, statusText, headers } = answer
  const body = await answer.arrayBuffer()
  return new Response(body.byteLength > 0 ? body : null, { status, statusText, headers })
}
