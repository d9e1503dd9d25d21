"use client"

import { createContext, type ReactNode, useContext, useMemo, useState } from "react"

interface Notice {
  readonly text: string
  readonly isProblem: boolean
  readonly action?: { readonly label: string; run(): void }
}

interface NoticeBoard {
  /** Say what happened and, where there is one, offer what can be done about it. */
  say(text: string, action?: Notice["action"]): void
  /** Say what went wrong. */
  problem(text: string): void
  dismiss(): void
}

const NoticeContext = createContext<NoticeBoard | null>(null)

export function useNotices(): NoticeBoard {
  const board = useContext(NoticeContext)
  if (!board) throw new Error("notices need <Notices> around them")
  return board
}

/** One line at the foot of the window; the newest notice stays until it is dismissed, so that nobody has to hurry. */
export function Notices({ children }: { children: ReactNode }) {
  const [notice, setNotice] = useState<Notice | null>(null)
  const board = useMemo<NoticeBoard>(
    () => ({
      say: (text, action) => setNotice({ text, isProblem: false, ...(action && { action }) }),
      problem: (text) => setNotice({ text, isProblem: true }),
      dismiss: () => setNotice(null),
    }),
    [],
  )
  return (
    <NoticeContext value={board}>
      {children}
      <div className="notices">
        <div role="alert">{notice?.isProblem && <Line notice={notice} dismiss={board.dismiss} />}</div>
        <div role="status">
          {notice && !notice.isProblem && <Line notice={notice} dismiss={board.dismiss} />}
        </div>
      </div>
    </NoticeContext>
  )
}

function Line({ notice, dismiss }: { notice: Notice; dismiss: () => void }) {
  const { text, action, isProblem } = notice
  return (
    <p className={isProblem ? "notice problem" : "notice"}>
      <span>{text}</span>
      {action && (
        <button
          type="button"
          className="link"
          onClick={() => {
            leave(dismiss)
            action.run()
          }}
        >
          {action.label}
        </button>
      )}
      <button type="button" className="link" aria-label="Dismiss" onClick={() => leave(dismiss)}>
        ×
      </button>
    </p>
  )
}

/** The focus must not vanish with the button that had it. */
function leave(dismiss: () => void): void {
  document.querySelector("main")?.focus()
  dismiss()
}
