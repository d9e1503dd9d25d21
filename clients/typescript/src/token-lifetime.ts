const RENEWAL_MARGIN_MS = 30_000

/** A token with its times in milliseconds since 1970, by this machine's clock. */
export interface CachedToken {
  token: string
  renewAt: number
  expiresAt: number
}

/**
 * A token received now. It expires `exp − iat` from now, so that a wrong clock here does not matter. A token without
 * readable claims never expires here: it is used until the API rejects it.
 */
export function fromResponse(token: string, now: number): CachedToken {
  const { exp, iat } = claimsOf(token)
  if (exp === undefined)
    return { token, renewAt: Number.POSITIVE_INFINITY, expiresAt: Number.POSITIVE_INFINITY }
  const lifetime = iat === undefined ? exp - now : exp - iat
  return { token, ...timesOf(now + lifetime, lifetime) }
}

/** A token from a store. When it was received is unknown, so `exp` counts. Undefined if its claims are unreadable. */
export function fromStore(token: string): CachedToken | undefined {
  const { exp, iat } = claimsOf(token)
  return exp === undefined ? undefined : { token, ...timesOf(exp, iat === undefined ? exp : exp - iat) }
}

/** The token's `sub` claim, not verified. Undefined if it is unreadable. */
export function subjectOf(token: string): string | undefined {
  return claimsOf(token).sub
}

function timesOf(expiresAt: number, lifetime: number): Omit<CachedToken, "token"> {
  return { expiresAt, renewAt: expiresAt - Math.min(RENEWAL_MARGIN_MS, lifetime / 5) }
}

interface Claims {
  exp?: number | undefined
  iat?: number | undefined
  sub?: string | undefined
}

/** The claims, with `exp` and `iat` in milliseconds. Nothing is verified: the API does that. */
function claimsOf(token: string): Claims {
  try {
    const [, payload = ""] = token.split(".")
    const text = atob(payload.replaceAll("-", "+").replaceAll("_", "/")) // a character is a byte of UTF-8
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0))
    const claims = JSON.parse(new TextDecoder().decode(bytes))
    const sub = typeof claims.sub === "string" ? claims.sub : undefined
    return { exp: milliseconds(claims.exp), iat: milliseconds(claims.iat), sub }
  } catch {
    return {}
  }
}

function milliseconds(claim: unknown): number | undefined {
  return typeof claim === "number" && Number.isFinite(claim) ? claim * 1000 : undefined
}
