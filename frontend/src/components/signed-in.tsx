"use client"

import { QueryClient, QueryClientProvider, useQueryClient } from "@tanstack/react-query"
import {
  ApiClient,
  LocalStorageTokenStore,
  MemoryTokenStore,
  SessionTokens,
  subjectOf,
  type TokenStore,
} from "evo-todo-client"
import Link from "next/link"
import { usePathname } from "next/navigation"
import { createContext, type ReactNode, useContext, useEffect, useState } from "react"
import { authClient } from "@/lib/auth-client"
import type { User } from "@/lib/session"
import { Notices, useNotices } from "./notices"
import { OfflineNotice } from "./offline-notice"
import { Drafts } from "./tasks/drafts"
import { LiveTasks } from "./tasks/live-tasks"
import { TaskActions } from "./tasks/task-actions"
import { TaskStore } from "./tasks/task-store"

interface Session {
  readonly user: User
  readonly api: ApiClient
  readonly store: TaskStore
  readonly drafts: Drafts
  readonly actions: TaskActions
  readonly live: LiveTasks
  /** Discard the token and all data of this tab, and go to the sign-in page. Unsaved texts outlive an expired session. */
  leave(reason?: "expired"): void
}

/** Milliseconds after which a tab that was hidden connects again at once: its connection may be dead. */
const LONG_ABSENCE = 10_000

const SessionContext = createContext<Session | null>(null)

/** The signed-in user, and an API client with their access token. */
export function useSession(): Session {
  const session = useContext(SessionContext)
  if (!session) throw new Error("useSession must be used within <SignedIn>")
  return session
}

interface Props {
  user: User
  apiURL: string
  tokenStore: "memory" | "localStorage"
  children: ReactNode
}

/** The frame of all pages for signed-in users. */
export function SignedIn({ user, apiURL, tokenStore, children }: Props) {
  const [{ client, session, channel }] = useState(() => createSession(user, apiURL, tokenStore))

  useEffect(() => {
    const onUnauthorized = () => session.leave("expired")
    // A page restored from the back/forward cache would show data from before the sign-out.
    const onPageShow = (event: PageTransitionEvent) => event.persisted && window.location.reload()
    const onSignedOut = () => session.leave()
    const onReturn = () => {
      if (document.hidden) hiddenSince = performance.now()
      else if (performance.now() - hiddenSince > LONG_ABSENCE) session.live.start()
    }
    let hiddenSince = Number.POSITIVE_INFINITY
    const onOnline = () => session.live.start()
    const onPageHide = () => session.actions.undoStack.keep()
    session.actions.undoStack.restore()
    session.live.start()
    window.addEventListener("pagehide", onPageHide)
    document.addEventListener("visibilitychange", onReturn)
    window.addEventListener("online", onOnline)
    window.addEventListener("auth:unauthorized", onUnauthorized)
    window.addEventListener("pageshow", onPageShow)
    channel?.addEventListener("message", onSignedOut)
    return () => {
      session.live.stop()
      window.removeEventListener("pagehide", onPageHide)
      document.removeEventListener("visibilitychange", onReturn)
      window.removeEventListener("online", onOnline)
      window.removeEventListener("auth:unauthorized", onUnauthorized)
      window.removeEventListener("pageshow", onPageShow)
      channel?.removeEventListener("message", onSignedOut)
    }
  }, [session, channel])

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

function createSession(user: User, apiURL: string, storeType: Props["tokenStore"]) {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false, staleTime: 5_000 } } })
  const inBrowser = typeof window !== "undefined"
  const tokenStore: TokenStore =
    storeType === "localStorage" && inBrowser ? new LocalStorageTokenStore(user.id) : new MemoryTokenStore()
  const tokens = new SessionTokens({ fetchToken: () => fetchToken(user.id), store: tokenStore })
  const channel = inBrowser ? new BroadcastChannel("evo-todo:signed-out") : null
  const api = new ApiClient({ baseUrl: apiURL, tokens })
  const store = new TaskStore()
  const drafts = new Drafts(user.id)
  const live = new LiveTasks(api, user.id, store)
  live.onReset = () => client.invalidateQueries({ queryKey: ["tasks", user.id] })
  let isLeaving = false
  const session: Session = {
    user,
    api,
    store,
    drafts,
    actions: new TaskActions(client, api, user.id, store, drafts),
    live,
    leave(reason) {
      if (isLeaving) return // pending requests fail now, and would report an expired session
      isLeaving = true
      live.stop()
      if (reason === undefined) drafts.clear()
      session.actions.undoStack.clear()
      store.clear()
      tokens.clear()
      client.clear()
      window.location.replace(reason ? `/login?${reason}=true` : "/login")
    },
  }
  return { client, session, channel }
}

/** A token for the session of the cookie; `null` if the session has ended. */
async function fetchToken(userId: string): Promise<string | null> {
  const { data, error } = await authClient.token()
  if (data) return tokenOf(data, userId)
  if (error.status === 401) return null
  throw new Error(error.message ?? `The sign-in service failed (status ${error.status}).`)
}

/** The token in the response. Reloads the page if another user has signed in meanwhile, in another tab. */
function tokenOf({ token }: { token?: unknown }, userId: string): string {
  if (typeof token !== "string") throw new Error("Unexpected response from the sign-in service.")
  if (subjectOf(token) === userId) return token
  window.location.reload()
  throw new Error("Another user has signed in.")
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
      <nav aria-label="Main">
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
            const isConfirmed =
              !client.isMutating() ||
              window.confirm("Some changes have not been saved yet. Sign out and discard them?")
            if (!isConfirmed) return
            session.live.stop() // its end would be reported as an expired session
            const { error } = await authClient.signOut().catch(() => ({ error: {} }))
            if (!error) return endSession(session)
            session.live.start()
            notices.showError("Could not sign out. Check your connection and try again.")
          }}
        >
          Sign out
        </button>
      </nav>
    </header>
  )
}

/** Leave the session in this tab and all others, after it has ended on the server. */
export function endSession(session: Session): void {
  new BroadcastChannel("evo-todo:signed-out").postMessage(session.user.id)
  session.leave()
}
