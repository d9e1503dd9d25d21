"use client"

import { useQuery } from "@tanstack/react-query"
import { useRef, useState } from "react"
import { noAnswer, type Outcome, outcome } from "@/components/forms"
import { signedOut, useSession } from "@/components/signed-in"
import { authClient } from "@/lib/auth-client"

interface Entry {
  readonly id: string
  readonly token: string
  readonly device: string
  readonly since: Date
  readonly isThis: boolean
}

async function allSessions(): Promise<Entry[]> {
  const [sessions, current] = await Promise.all([authClient.listSessions(), authClient.getSession()])
  const failed = sessions.error ?? current.error
  if (failed) throw new Error(outcome(failed) ?? "")
  const entries = (sessions.data ?? []).map(({ id, token, userAgent, createdAt }) => ({
    id,
    token,
    device: deviceOf(userAgent ?? ""),
    since: new Date(createdAt),
    isThis: id === current.data?.session.id,
  }))
  return entries.sort((a, b) => Number(b.isThis) - Number(a.isThis) || b.since.getTime() - a.since.getTime())
}

/** Where one is signed in, and the way to end it there, one by one or everywhere. */
export function Sessions() {
  const session = useSession()
  const [problem, setProblem] = useState<Outcome>(null)
  const heading = useRef<HTMLHeadingElement>(null)
  const { data, error, refetch } = useQuery({ queryKey: ["sessions", session.user.id], queryFn: allSessions })

  async function end(entry: Entry): Promise<void> {
    const { error } = await authClient.revokeSession({ token: entry.token }).catch(noAnswer)
    setProblem(outcome(error))
    heading.current?.focus()
    await refetch()
  }

  async function endAll(): Promise<void> {
    const { error } = await authClient.revokeSessions().catch(noAnswer)
    setProblem(outcome(error))
    if (!error) signedOut(session)
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
                {entry.isThis ? "This session, since " : "Since "}
                <time dateTime={entry.since.toISOString()}>{entry.since.toLocaleString()}</time>
              </small>
            </span>
            {!entry.isThis && (
              <button type="button" onClick={() => end(entry)}>
                End
              </button>
            )}
          </li>
        ))}
      </ul>
      <p role="alert" className="problem">
        {problem ?? error?.message}
      </p>
      <button type="button" onClick={endAll}>
        Sign out everywhere
      </button>
    </section>
  )
}

/** Browser and system as people call them; the whole User-Agent says less. */
function deviceOf(userAgent: string): string {
  const browser = firstIn(userAgent, {
    Edg: "Edge",
    OPR: "Opera",
    Firefox: "Firefox",
    Chrome: "Chrome",
    Safari: "Safari",
  })
  const system = firstIn(userAgent, {
    Android: "Android",
    iPhone: "iPhone",
    iPad: "iPad",
    Windows: "Windows",
    "Mac OS": "macOS",
    Linux: "Linux",
  })
  return [browser, system].filter(Boolean).join(" on ") || userAgent.slice(0, 60) || "Unknown device"
}

function firstIn(text: string, names: Readonly<Record<string, string>>): string | undefined {
  return Object.entries(names).find(([mark]) => text.includes(mark))?.[1]
}
