const MARGIN_MS = 30_000

/** A token, and until when it is good on the clock of this machine. */
export interface Held {
  token: string
  renewAt: number
  expiresAt: number
}

/** A token just received lives `exp − iat` from now, whatever our clock says; without claims, until refused. */
export function received(token: string, now: number): Held {
  const { exp, iat } = claimsOf(token)
  if (exp === undefined)
    return { token, renewAt: Number.POSITIVE_INFINITY, expiresAt: Number.POSITIVE_INFINITY }
  const life = iat === undefined ? exp - now : exp - iat
  return { token, ...endingAt(now + life, life) }
}

/** Of a token from a store nobody knows when it was received: `exp` counts. Undefined if it can't be read. */
export function found(token: string): Held | undefined {
  const { exp, iat } = claimsOf(token)
  return exp === undefined ? undefined : { token, ...endingAt(exp, iat === undefined ? exp : exp - iat) }
}

/** Whose token it says it is. Undefined if it can't be read. */
export function subjectOf(token: string): string | undefined {
  return claimsOf(token).sub
}

function endingAt(expiresAt: number, life: number): Omit<Held, "token"> {
  return { expiresAt, renewAt: expiresAt - Math.min(MARGIN_MS, life / 5) }
}

interface Claims {
  exp?: number | undefined
  iat?: number | undefined
  sub?: string | undefined
}

/** `exp` and `iat` in milliseconds. Nothing is verified: that is the API's part. */
function claimsOf(token: string): Claims {
  try {
    const [, payload = ""] = token.split(".")
    const claims = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")))
    const sub = typeof claims.sub === "string" ? claims.sub : undefined
    return { exp: milliseconds(claims.exp), iat: milliseconds(claims.iat), sub }
  } catch {
    return {}
  }
}

function milliseconds(claim: unknown): number | undefined {
  return typeof claim === "number" && Number.isFinite(claim) ? claim * 1000 : undefined
}
