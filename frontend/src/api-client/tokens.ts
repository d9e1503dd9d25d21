import { Unauthorized, Unreachable } from "./problems"
import { within } from "./timing"
import { found, type Held, received } from "./token-life"
import { MemoryTokenStore, type TokenStore } from "./token-stores"

/** Hands out the token that proves who asks. */
export interface TokenSource {
  /** A token. Rejects with Unauthorized where there is no session, with Unreachable where no answer comes. */
  get(): Promise<string>
  /** Another token than the one that the API rejected. Rejects as `get` does. */
  renew(rejected: string): Promise<string>
  /** Forgets the token, and one that is on its way. */
  clear(): void
}

export interface SessionTokensOptions {
  /** Asks for a new token; null says that there is no session. */
  fetchToken: () => Promise<string | null>
  /** In memory unless given. */
  store?: TokenStore | undefined
  /** Milliseconds since 1970, by this machine's clock. */
  now?: (() => number) | undefined
  /** How long `fetchToken` may take. */
  timeoutMs?: number | undefined
}

/**
 * Tokens of a signed-in session: kept, renewed ahead of their end, fetched once however many ask at a time.
 *
 * Call `clear()` at each sign-out and sign-in: what was asked for before must not serve the next person.
 */
export class SessionTokens implements TokenSource {
  readonly #fetchToken: () => Promise<string | null>
  readonly #store: TokenStore
  readonly #now: () => number
  readonly #timeoutMs: number
  #held: Held | undefined
  #flight: Promise<string> | undefined
  #clearings = 0

  constructor(options: SessionTokensOptions) {
    this.#fetchToken = options.fetchToken
    this.#store = options.store ?? new MemoryTokenStore()
    this.#now = options.now ?? Date.now
    this.#timeoutMs = options.timeoutMs ?? 10_000
  }

  /** The token, or a new one near its end; the old one while it lives and no new one can be reached. */
  async get(): Promise<string> {
    const held = this.#current()
    if (held && this.#now() < held.renewAt) return held.token
    try {
      return await this.#fetch()
    } catch (error) {
      if (error instanceof Unreachable && held && this.#now() < held.expiresAt) return held.token
      throw error
    }
  }

  /** A new token, without a request where another caller has fetched one since. */
  async renew(rejected: string): Promise<string> {
    const held = this.#current()
    if (held && held.token !== rejected && this.#now() < held.expiresAt) return held.token
    return this.#fetch()
  }

  /** Forgets the token. Who waits for one that is on its way gets Unauthorized. */
  clear(): void {
    this.#clearings++
    this.#flight = undefined
    this.#held = undefined
    this.#store.clear()
  }

  /** The store decides: another tab may have written, or signed out. */
  #current(): Held | undefined {
    const token = this.#store.read()
    if (token === null) return undefined
    if (this.#held?.token !== token) this.#held = found(token)
    return this.#held
  }

  #fetch(): Promise<string> {
    if (this.#flight) return this.#flight
    const flight = this.#fly().finally(() => {
      if (this.#flight === flight) this.#flight = undefined
    })
    this.#flight = flight
    return flight
  }

  async #fly(): Promise<string> {
    const clearings = this.#clearings
    const outcome = await within(this.#timeoutMs, async () => this.#fetchToken()).catch(
      (error: Unreachable) => error,
    )
    if (clearings !== this.#clearings) throw new Unauthorized()
    if (outcome instanceof Unreachable) throw outcome
    if (!outcome) {
      this.clear()
      throw new Unauthorized()
    }
    this.#held = received(outcome, this.#now())
    this.#store.write(outcome)
    return outcome
  }
}
