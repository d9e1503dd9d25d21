import { subjectOf } from "./token-lifetime.ts"

/** Storage for one access token. */
export interface TokenStore {
  read(): string | null
  write(token: string): void
  clear(): void
}

/** Keeps the token in memory: it is lost when the page is closed, and other scripts cannot read it. */
export class MemoryTokenStore implements TokenStore {
  #token: string | null = null

  read(): string | null {
    return this.#token
  }

  write(token: string): void {
    this.#token = token
  }

  clear(): void {
    this.#token = null
  }
}

const KEY = "jwt_token"

/**
 * Keeps the token in `localStorage`, under `jwt_token`.
 *
 * Less secure than MemoryTokenStore: a script injected into the page can read the token and send it elsewhere, and the
 * token outlives the tab. Prefer MemoryTokenStore, which fetches a new token after a reload.
 *
 * If the browser has no storage or denies access to it, nothing is stored.
 */
export class LocalStorageTokenStore implements TokenStore {
  readonly #userId: string | undefined

  /** `userId`: ignore stored tokens of other users. */
  constructor(userId?: string) {
    this.#userId = userId
  }

  read(): string | null {
    const token = attempt(() => localStorage.getItem(KEY))
    const isForeign = token !== null && this.#userId !== undefined && subjectOf(token) !== this.#userId
    return isForeign ? null : token
  }

  write(token: string): void {
    attempt(() => localStorage.setItem(KEY, token))
  }

  clear(): void {
    attempt(() => localStorage.removeItem(KEY))
  }
}

function attempt<T>(action: () => T): T | null {
  try {
    return action()
  } catch {
    return null
  }
}
