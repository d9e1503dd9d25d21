import type { Settings } from "./settings"

/** What is over, and is to be over for every token that came of it. */
export interface Ending {
  /** The same each time that it is told: whoever hears it twice can know. */
  readonly id: string
  readonly userId: string
  /** `null`: the account is gone, and with it all of its sessions. */
  readonly sessionId: string | null
  readonly happenedAt: Date
}

const SESSION_REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
const ACCOUNT_PURGED = "https://schemas.openid.net/secevent/risc/event-type/account-purged"

/** The claims of a Security Event Token (RFC 8417) that is signed now, in seconds since 1970. */
export function claimsOf(
  ending: Ending,
  { issuer, audience }: Settings,
  now: number,
): Record<string, unknown> {
  const user = { format: "iss_sub", iss: issuer, sub: ending.userId } // RFC 9493
  const session = { format: "opaque", id: ending.sessionId }
  return {
    iss: issuer,
    aud: audience,
    iat: Math.floor(now),
    jti: ending.id,
    sub_id: ending.sessionId === null ? user : { format: "complex", user, session },
    events: {
      [ending.sessionId === null ? ACCOUNT_PURGED : SESSION_REVOKED]: {
        event_timestamp: ending.happenedAt.getTime() / 1000,
      },
    },
  }
}

/** How long one try may take, in milliseconds. */
const TIMEOUT = 5000

/**
 * Push a signed event to the service (RFC 8935).
 *
 * @returns why it was not taken, in a word or two; `null` when it was.
 */
export async function push(event: string, url: string): Promise<string | null> {
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/secevent+jwt", Accept: "application/json" },
      body: event,
      redirect: "manual",
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT),
    })
    if (answer.status === 202) return null
    const said: { err?: unknown } = answer.status === 400 ? await answer.json().catch(() => ({})) : {}
    return [answer.status, typeof said.err === "string" ? said.err.slice(0, 40) : ""].join(" ").trim()
  } catch (error) {
    return error instanceof Error ? error.name : "no answer"
  }
}
