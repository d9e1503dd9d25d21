"use client"

import { createContext, type ReactNode, useContext, useMemo, useState } from "react"

interface Notice {
  readonly text: ReactNode
  readonly isError: boolean
  readonly action?: { readonly label: string; run(): void }
}

interface NoticeContextValue {
  /** The notice that is shown. */
  readonly current: Notice | null
  /** Show a message, with an optional action. */
  showMessage(text: ReactNode, action?: Notice["action"]): void
  /** Show an error message. */
  showError(text: ReactNode): void
  /** Say something to screen readers only, where the page shows it anyway. */
  announce(text: ReactNode): void
  dismiss(): void
}

const NoticeContext = createContext<NoticeContextValue | null>(null)

export function useNotices(): NoticeContextValue {
  const notices = useContext(NoticeContext)
  if (!notices) throw new Error("useNotices must be used within <Notices>")
  return notices
}

/**
 * Shows the latest notice at the bottom of the window until it is dismissed: no timeout, for slow readers. In the order
 * of focus it comes before the page, so that no long list lies before its button.
 */
export function Notices({ children }: { children: ReactNode }) {
  const [current, setNotice] = useState<Notice | null>(null)
  const [announcement, announce] = useState<ReactNode>(null)
  const notices = useMemo<NoticeContextValue>(
    () => ({
      current,
      showMessage: (text, action) => setNotice({ text, isError: false, ...(action && { action }) }),
      showError: (text) => setNotice({ text, isError: true }),
      announce,
      dismiss: () => setNotice(null),
    }),
    [current],
  )
  return (
    <NoticeContext value={notices}>
      <div className="notices">
        <div role="alert">
          {current?.isError && <NoticeLine notice={current} dismiss={notices.dismiss} />}
        </div>
        <div role="status">
          {current && !current.isError && <NoticeLine notice={current} dismiss={notices.dismiss} />}
        </div>
        <div role="status" className="visually-hidden">
          {announcement}
        </div>
      </div>
      {children}
    </NoticeContext>
  )
}

/** A sentence with a text of the user at `{}`, isolated: a right-to-left title must not turn the words around it. */
export function Sentence({ text, title }: { text: string; title: string | null }) {
  const [before = "", after] = text.split("{}")
  return (
    <span>
      <span>{before}</span>
      {after !== undefined && (
        <>
          <bdi>{title}</bdi>
          <span>{after}</span>
        </>
      )}
    </span>
  )
}

function NoticeLine({ notice, dismiss }: { notice: Notice; dismiss: () => void }) {
  const { text, action, isError } = notice
  return (
    <p className={isError ? "notice problem" : "notice"}>
      <span>{text}</span>
      {action && (
        <button
          type="button"
          className="link"
          onClick={() => {
            close(dismiss)
            action.run()
          }}
        >
          {action.label}
        </button>
      )}
      <button type="button" className="link" aria-label="Dismiss" onClick={() => close(dismiss)}>
        ×
      </button>
    </p>
  )
}

/** Dismiss the notice, and move the focus off its button, which is removed. */
function close(dismiss: () => void): void {
  document.querySelector("main")?.focus()
  dismiss()
}
