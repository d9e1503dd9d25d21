import { subjectOf } from "./token-life"

/** Where the token stays between two requests. */
export interface TokenStore {
  read(): string | null
  write(token: string): void
  clear(): void
}

/** Keeps the token in memory: it is gone with the page, and no other script can look it up. */
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
 * The reason against it: any script that gets into the page reads the token and takes it away, and it outlives
 * the tab. Prefer MemoryTokenStore: after a reload the session gives a new token.
 *
 * Where there is no storage, or the browser forbids it, nothing is kept.
 */
export class LocalStorageTokenStore implements TokenStore {
  readonly #owner: string | undefined

  /** `owner`: the user's id. A token that somebody else has left here is none of theirs. */
  constructor(owner?: string) {
    this.#owner = owner
  }

  read(): string | null {
    const token = attempt(() => localStorage.getItem(KEY))
    const isForeign = token !== null && this.#owner !== undefined && subjectOf(token) !== this.#owner
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
