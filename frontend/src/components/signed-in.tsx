"use client"

import { QueryClient, QueryClientProvider, useQueryClient } from "@tanstack/react-query"
import Link from "next/link"
import { usePathname } from "next/navigation"
import { createContext, type ReactNode, useContext, useEffect, useState } from "react"
import {
  ApiClient,
  LocalStorageTokenStore,
  MemoryTokenStore,
  SessionTokens,
  subjectOf,
  type TokenStore,
} from "@/api-client"
import { authClient } from "@/lib/auth-client"
import type { User } from "@/lib/session"
import { Notices, useNotices } from "./notices"
import { OfflineNotice } from "./offline-notice"

interface Session {
  readonly user: User
  readonly api: ApiClient
  /** Forget everything of this session here and in the other tabs, and go to the page where one signs in. */
  leave(reason?: "expired"): void
}

const SessionContext = createContext<Session | null>(null)

/** Who is signed in, and the API in their name. */
export function useSession(): Session {
  const session = useContext(SessionContext)
  if (!session) throw new Error("this is shown to people who are signed in only")
  return session
}

interface Props {
  user: User
  apiURL: string
  tokenStore: "memory" | "localStorage"
  children: ReactNode
}

/** What every page of a signed-in person has in common. */
export function SignedIn({ user, apiURL, tokenStore, children }: Props) {
  const [{ client, session, tabs }] = useState(() => start(user, apiURL, tokenStore))

  useEffect(() => {
    const lost = () => session.leave("expired")
    // A page that comes back from the browser's memory shows what was there before the sign-out.
    const shown = (event: PageTransitionEvent) => event.persisted && window.location.reload()
    const told = () => session.leave()
    window.addEventListener("auth:unauthorized", lost)
    window.addEventListener("pageshow", shown)
    tabs?.addEventListener("message", told)
    return () => {
      window.removeEventListener("auth:unauthorized", lost)
      window.removeEventListener("pageshow", shown)
      tabs?.removeEventListener("message", told)
    }
  }, [session, tabs])

  return (
    <SessionContext value={session}>
      <QueryClientProvider client={client}>
        <Notices>
          <Header />
          <OfflineNotice />
          <main tabIndex={-1}>{children}</main>
        </Notices>
      </QueryClientProvider>
    </SessionContext>
  )
}

function start(user: User, apiURL: string, kind: Props["tokenStore"]) {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false, staleTime: 5_000 } } })
  const inBrowser = typeof window !== "undefined"
  const store: TokenStore =
    kind === "localStorage" && inBrowser ? new LocalStorageTokenStore(user.id) : new MemoryTokenStore()
  const tokens = new SessionTokens({ fetchToken: () => fetchToken(user.id), store })
  const tabs = inBrowser ? new BroadcastChannel("evo-todo:signed-out") : null
  let isLeaving = false
  const session: Session = {
    user,
    api: new ApiClient({ baseUrl: apiURL, tokens }),
    leave(reason) {
      if (isLeaving) return // what was under way is refused now, and would call it a lost session
      isLeaving = true
      tokens.clear()
      client.clear()
      window.location.replace(reason ? `/login?${reason}=true` : "/login")
    },
  }
  return { client, session, tabs }
}

/** A token for the session that the cookie holds; `null` once there is none. */
async function fetchToken(userId: string): Promise<string | null> {
  const { data, error } = await authClient.token()
  if (data) return tokenOf(data, userId)
  if (error.status === 401) return null
  throw new Error(error.message ?? `The sign-in service answered with status ${error.status}.`)
}

/** The token in the answer, if it is this page's person's: in another tab, somebody else may have signed in. */
function tokenOf({ token }: { token?: unknown }, userId: string): string {
  if (typeof token !== "string") throw new Error("Something else answered in the sign-in service's place.")
  if (subjectOf(token) === userId) return token
  window.location.reload()
  throw new Error("Somebody else has signed in.")
}

function Header() {
  const path = usePathname()
  const client = useQueryClient()
  const session = useSession()
  const notices = useNotices()
  return (
    <header className="top">
      <p className="brand">
        <img src="/icon.svg" alt="" width="28" height="28" /> Evo-TODO
      </p>
      <nav aria-label="Pages">
        <Link href="/tasks" aria-current={path === "/tasks" ? "page" : undefined}>
          Tasks
        </Link>
        <Link href="/account" aria-current={path === "/account" ? "page" : undefined}>
          Account
        </Link>
        <button
          type="button"
          className="link"
          onClick={async () => {
            const isSure =
              !client.isMutating() || window.confirm("Some changes are not sent yet. Sign out without them?")
            if (!isSure) return
            const { error } = await authClient.signOut().catch(() => ({ error: {} }))
            if (error)
              notices.problem("You are still signed in: the server could not be reached. Please try again.")
            else signedOut(session)
          }}
        >
          Sign out
        </button>
      </nav>
    </header>
  )
}

/** Leave in every tab: this session has ended. */
export function signedOut(session: Session): void {
  new BroadcastChannel("evo-todo:signed-out").postMessage(session.user.id)
  session.leave()
}
