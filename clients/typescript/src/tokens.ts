import { Unauthorized, Unreachable } from "./problems.ts"
import { withTimeout } from "./timing.ts"
import { type CachedToken, fromResponse, fromStore } from "./token-lifetime.ts"
import { MemoryTokenStore, type TokenStore } from "./token-stores.ts"

/** Provides the access token for requests. */
export interface TokenSource {
  /** A token. Rejects with Unauthorized if there is no session, with Unreachable if there is no response. */
  get(): Promise<string>
  /** A token other than the one that the API rejected. Rejects as `get` does. */
  renew(rejected: string): Promise<string>
  /** Discards the token and any pending request for one. */
  clear(): void
}

export interface SessionTokensOptions {
  /** Requests a new token; resolves with null if there is no session. */
  fetchToken: () => Promise<string | null>
  /** Default: in memory. */
  store?: TokenStore | undefined
  /** Milliseconds since 1970, by this machine's clock. */
  now?: (() => number) | undefined
  /** The timeout of `fetchToken`, in milliseconds. Default: 10 000. */
  timeoutMs?: number | undefined
}

/**
 * Access tokens of a signed-in session: cached, renewed before they expire, and fetched by one request at a time.
 *
 * Call `clear()` at each sign-in and sign-out, so that a pending response cannot serve the next user.
 */
export class SessionTokens implements TokenSource {
  readonly #fetchToken: () => Promise<string | null>
  readonly #store: TokenStore
  readonly #now: () => number
  readonly #timeoutMs: number
  #cached: CachedToken | undefined
  #pending: Promise<string> | undefined
  #generation = 0

  constructor(options: SessionTokensOptions) {
    this.#fetchToken = options.fetchToken
    this.#store = options.store ?? new MemoryTokenStore()
    this.#now = options.now ?? Date.now
    this.#timeoutMs = options.timeoutMs ?? 10_000
  }

  /** The cached token, or a new one shortly before it expires. Falls back to a valid cached token if Unreachable. */
  async get(): Promise<string> {
    const cached = this.#current()
    if (cached && this.#now() < cached.renewAt) return cached.token
    try {
      return await this.#fetch()
    } catch (error) {
      if (error instanceof Unreachable && cached && this.#now() < cached.expiresAt) return cached.token
      throw error
    }
  }

  /** A new token, without a request if another caller has already replaced the rejected one. */
  async renew(rejected: string): Promise<string> {
    const cached = this.#current()
    if (cached && cached.token !== rejected && this.#now() < cached.expiresAt) return cached.token
    return this.#fetch()
  }

  /** Discards the token. Callers that wait for a pending one get Unauthorized. */
  clear(): void {
    this.#generation++
    this.#pending = undefined
    this.#cached = undefined
    this.#store.clear()
  }

  /** The token in the store, which is authoritative: another tab may have replaced or cleared it. */
  #current(): CachedToken | undefined {
    const token = this.#store.read()
    if (token === null) return undefined
    if (this.#cached?.token !== token) this.#cached = fromStore(token)
    return this.#cached
  }

  #fetch(): Promise<string> {
    if (this.#pending) return this.#pending
    const pending = this.#request().finally(() => {
      if (this.#pending === pending) this.#pending = undefined
    })
    this.#pending = pending
    return pending
  }

  async #request(): Promise<string> {
    const generation = this.#generation
    const result = await withTimeout(this.#timeoutMs, async () => this.#fetchToken()).catch(
      (error: Unreachable) => error,
    )
    if (generation !== this.#generation) throw new Unauthorized()
    if (result instanceof Unreachable) throw result
    if (!result) {
      this.clear()
      throw new Unauthorized()
    }
    this.#cached = fromResponse(result, this.#now())
    this.#store.write(result)
    return result
  }
}
