"use client"

import { createContext, type ReactNode, useContext, useMemo, useState } from "react"

interface Notice {
  readonly text: string
  readonly isError: boolean
  readonly action?: { readonly label: string; run(): void }
}

interface NoticeContextValue {
  /** Show a message, with an optional action. */
  showMessage(text: string, action?: Notice["action"]): void
  /** Show an error message. */
  showError(text: string): void
  dismiss(): void
}

const NoticeContext = createContext<NoticeContextValue | null>(null)

export function useNotices(): NoticeContextValue {
  const notices = useContext(NoticeContext)
  if (!notices) throw new Error("useNotices must be used within <Notices>")
  return notices
}

/** Shows the latest notice at the bottom of the window until it is dismissed: no timeout, for slow readers. */
export function Notices({ children }: { children: ReactNode }) {
  const [notice, setNotice] = useState<Notice | null>(null)
  const notices = useMemo<NoticeContextValue>(
    () => ({
      showMessage: (text, action) => setNotice({ text, isError: false, ...(action && { action }) }),
      showError: (text) => setNotice({ text, isError: true }),
      dismiss: () => setNotice(null),
    }),
    [],
  )
  return (
    <NoticeContext value={notices}>
      {children}
      <div className="notices">
        <div role="alert">{notice?.isError && <NoticeLine notice={notice} dismiss={notices.dismiss} />}</div>
        <div role="status">
          {notice && !notice.isError && <NoticeLine notice={notice} dismiss={notices.dismiss} />}
        </div>
      </div>
    </NoticeContext>
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
