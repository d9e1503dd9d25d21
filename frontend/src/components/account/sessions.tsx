"use client"

import { useQuery } from "@tanstack/react-query"
import { useRef, useState } from "react"
import { errorMessage, type FormError, noResponse } from "@/components/forms"
import { endSession, useSession } from "@/components/signed-in"
import { authClient } from "@/lib/auth-client"
import { describeDevice } from "./devices"

interface SessionEntry {
  readonly id: string
  readonly token: string
  readonly device: string
  readonly startedAt: Date
  readonly isCurrent: boolean
}

async function fetchSessions(): Promise<SessionEntry[]> {
  const [sessions, current] = await Promise.all([authClient.listSessions(), authClient.getSession()])
  const failed = sessions.error ?? current.error
  if (failed) throw new Error(errorMessage(failed) ?? "")
  const entries = (sessions.data ?? []).map(({ id, token, userAgent, createdAt }) => ({
    id,
    token,
    device: describeDevice(userAgent ?? ""),
    startedAt: new Date(createdAt),
    isCurrent: id === current.data?.session.id,
  }))
  return entries.sort(
    (a, b) => Number(b.isCurrent) - Number(a.isCurrent) || b.startedAt.getTime() - a.startedAt.getTime(),
  )
}

/** Lists the user's sessions, which can be ended individually or all at once. */
export function Sessions() {
  const session = useSession()
  const [revokeError, setRevokeError] = useState<FormError>(null)
  const heading = useRef<HTMLHeadingElement>(null)
  const { data, error, refetch } = useQuery({
    queryKey: ["sessions", session.user.id],
    queryFn: fetchSessions,
  })

  async function revoke(entry: SessionEntry): Promise<void> {
    const { error } = await authClient.revokeSession({ token: entry.token }).catch(noResponse)
    setRevokeError(errorMessage(error))
    heading.current?.focus()
    await refetch()
  }

  async function revokeOthers(): Promise<void> {
    const { error } = await authClient.revokeOtherSessions().catch(noResponse)
    setRevokeError(errorMessage(error))
    heading.current?.focus()
    await refetch()
  }

  async function revokeAll(): Promise<void> {
    const { error } = await authClient.revokeSessions().catch(noResponse)
    setRevokeError(errorMessage(error))
    if (!error) endSession(session)
  }

  return (
    <section aria-labelledby="sessions">
      <h2 id="sessions" ref={heading} tabIndex={-1}>
        Sessions
      </h2>
      <ul className="sessions" aria-busy={!data && !error}>
        {data?.map((entry) => (
          <li key={entry.id}>
            <span>
              {entry.device}
              <small className="muted">
                {entry.isCurrent ? "Current session, signed in " : "Signed in "}
                <time dateTime={entry.startedAt.toISOString()}>{entry.startedAt.toLocaleString()}</time>
              </small>
            </span>
            {!entry.isCurrent && (
              <button
                type="button"
                aria-label={`Revoke: ${entry.device}, signed in ${entry.startedAt.toLocaleString()}`}
                onClick={() => revoke(entry)}
              >
                Revoke
              </button>
            )}
          </li>
        ))}
      </ul>
      <p role="alert" className="problem">
        {revokeError ?? error?.message}
      </p>
      <div className="actions">
        <button type="button" onClick={revokeOthers} disabled={data?.length === 1}>
          Sign out elsewhere
        </button>
        <button type="button" onClick={revokeAll}>
          Sign out everywhere
        </button>
      </div>
    </section>
  )
}
