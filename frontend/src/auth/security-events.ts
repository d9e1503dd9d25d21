import type { Settings } from "./settings"

/** A session or account that has ended; every token issued for it must be revoked. */
export interface SecurityEvent {
  /** The same for each delivery attempt, so that the receiver can detect duplicates. */
  readonly id: string
  readonly userId: string
  /** `null`: the account was deleted, and with it all of its sessions. */
  readonly sessionId: string | null
  readonly happenedAt: Date
}

const SESSION_REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
const ACCOUNT_PURGED = "https://schemas.openid.net/secevent/risc/event-type/account-purged"

/**
 * The claims of a Security Event Token (RFC 8417). `now`: the time of signing, in seconds since 1970. `tokenLifetime`: the
 * longest lifetime of the session's tokens, in seconds; the service forgets the revocation when they have expired.
 */
export function securityEventClaims(
  event: SecurityEvent,
  { issuer, audience }: Pick<Settings, "issuer" | "audience">,
  now: number,
  tokenLifetime: number,
): Record<string, unknown> {
  const user = { format: "iss_sub", iss: issuer, sub: event.userId } // RFC 9493
  const session = { format: "opaque", id: event.sessionId }
  const happenedAt = { event_timestamp: event.happenedAt.getTime() / 1000 }
  return {
    iss: issuer,
    aud: audience,
    iat: Math.floor(now),
    jti: event.id,
    sub_id: event.sessionId === null ? user : { format: "complex", user, session },
    events:
      event.sessionId === null
        ? { [ACCOUNT_PURGED]: happenedAt }
        : { [SESSION_REVOKED]: { ...happenedAt, token_lifetime: tokenLifetime } },
  }
}

/** The timeout of one delivery attempt, in milliseconds. */
const TIMEOUT = 5000

/**
 * Push a signed event to the service (RFC 8935).
 *
 * @returns `null` on success (202), else a short reason for the failure.
 */
export async function push(token: string, url: string): Promise<string | null> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/secevent+jwt", Accept: "application/json" },
      body: token,
      redirect: "manual",
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT),
    })
    if (response.status === 202) return null
    const body: { err?: unknown } = response.status === 400 ? await response.json().catch(() => ({})) : {}
    return [response.status, typeof body.err === "string" ? body.err.slice(0, 40) : ""].join(" ").trim()
  } catch (error) {
    return error instanceof Error ? error.name : "no response"
  }
}
