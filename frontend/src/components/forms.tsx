"use client"

import { type ComponentProps, type ReactNode, useId, useState } from "react"
import { belongsToInputMethod } from "@/lib/input-method"

/** A labelled input. No `maxLength`: a browser would cut what is pasted without a word; the service says what is too long. */
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

/** A new password, by the rules of the sign-in service. */
export function NewPasswordField({
  label = "New password",
  name = "newPassword",
  ...input
}: { label?: string; name?: string } & ComponentProps<"input">) {
  return (
    <Field
      label={label}
      name={name}
      type="password"
      autoComplete="new-password"
      minLength={8}
      hint="At least 8 characters."
      {...input}
    />
  )
}

/** An error message for the user; `null` on success. */
export type FormError = string | null

/** A form that submits its fields, with a busy state and an error message. */
export function Form({
  submit,
  submitLabel,
  children,
  isDangerous = false,
}: {
  submit: (fields: Readonly<Record<string, string>>) => Promise<FormError>
  /** The label of the submit button. */
  submitLabel: string
  children: ReactNode
  isDangerous?: boolean
}) {
  const [error, setError] = useState<FormError>(null)
  const [isBusy, setBusy] = useState(false)
  return (
    <form
      // Without it, a submit before the script has loaded would put the password into the URL.
      method="post"
      aria-busy={isBusy}
      onKeyDown={(event) => {
        if (event.key === "Enter" && belongsToInputMethod(event.nativeEvent)) event.preventDefault()
      }}
      onSubmit={async (event) => {
        event.preventDefault()
        if (isBusy) return
        const fields = Object.fromEntries(new FormData(event.currentTarget)) as Record<string, string>
        setBusy(true)
        setError(null)
        setError(await submit(fields).catch(() => NO_RESPONSE))
        setBusy(false)
      }}
    >
      {children}
      <p role="alert" className="problem">
        {error}
      </p>
      <button type="submit" className={isDangerous ? "danger" : "primary"} aria-disabled={isBusy}>
        {submitLabel}
      </button>
    </form>
  )
}

const NO_RESPONSE = "No response from the server. Check your connection and try again."

/** A result in the form of Better Auth's, for a request without a response. */
export function noResponse(): { error: { message: string; statusText: string; status: number } } {
  return { error: { message: NO_RESPONSE, statusText: "", status: 0 } }
}

/** The message of a Better Auth error. */
export function errorMessage(
  error: { message?: string | undefined; statusText: string; status: number } | null,
): FormError {
  if (!error) return null
  return error.message || error.statusText || `The request failed (status ${error.status}).`
}
