"use client"

import { type ComponentProps, type ReactNode, useId, useState } from "react"

/** A labelled input. */
export function Field({ label, hint, ...input }: { label: string; hint?: string } & ComponentProps<"input">) {
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input id={id} required aria-describedby={hint && `${id}-hint`} {...input} />
      {hint && (
        <small id={`${id}-hint`} className="muted">
          {hint}
        </small>
      )}
    </div>
  )
}

/** What went wrong, in words for a person, or `null`. */
export type Outcome = string | null

/** A form that sends its fields, is busy meanwhile, and says what went wrong. */
export function Form({
  send,
  action,
  children,
  isDangerous = false,
}: {
  send: (fields: Readonly<Record<string, string>>) => Promise<Outcome>
  /** What its button says. */
  action: string
  children: ReactNode
  isDangerous?: boolean
}) {
  const [problem, setProblem] = useState<Outcome>(null)
  const [isBusy, setBusy] = useState(false)
  return (
    <form
      // Before the page's script has come, a plain submit must not put a password into an address.
      method="post"
      aria-busy={isBusy}
      onSubmit={async (event) => {
        event.preventDefault()
        if (isBusy) return
        const fields = Object.fromEntries(new FormData(event.currentTarget)) as Record<string, string>
        setBusy(true)
        setProblem(null)
        setProblem(await send(fields).catch(() => NO_ANSWER))
        setBusy(false)
      }}
    >
      {children}
      <p role="alert" className="problem">
        {problem}
      </p>
      <button type="submit" className={isDangerous ? "danger" : "primary"} aria-disabled={isBusy}>
        {action}
      </button>
    </form>
  )
}

const NO_ANSWER = "No answer came. Are you online? Please try again."

/** What stands for Better Auth's answer when none came. */
export function noAnswer(): { error: { message: string; statusText: string; status: number } } {
  return { error: { message: NO_ANSWER, statusText: "", status: 0 } }
}

/** Better Auth's answer as an outcome. */
export function outcome(
  error: { message?: string | undefined; statusText: string; status: number } | null,
): Outcome {
  if (!error) return null
  return error.message || error.statusText || `The server answered with status ${error.status}.`
}
