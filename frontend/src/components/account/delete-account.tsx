"use client"

import { useRef } from "react"
import { errorMessage, Field, Form } from "@/components/forms"
import { endSession, useSession } from "@/components/signed-in"
import { authClient } from "@/lib/auth-client"

/** Deletes the account after the password is confirmed. */
export function DeleteAccount() {
  const session = useSession()
  const dialog = useRef<HTMLDialogElement>(null)
  return (
    <section aria-labelledby="delete">
      <h2 id="delete">Delete account</h2>
      <p>
        Your account and your sessions end at once. Your tasks are erased as soon as the service hears of it,
        within seconds, and cannot be restored: download them first if you need them.
      </p>
      <button type="button" className="danger" onClick={() => dialog.current?.showModal()}>
        Delete account…
      </button>
      <dialog
        ref={dialog}
        aria-labelledby="delete-title"
        onClose={() => dialog.current?.querySelector("form")?.reset()}
      >
        <h2 id="delete-title">Delete your account?</h2>
        <p>This cannot be undone.</p>
        <Form
          submitLabel="Delete account"
          isDangerous
          submit={async ({ password = "" }) => {
            const { error } = await authClient.deleteUser({ password })
            if (!error) endSession(session)
            return errorMessage(error)
          }}
        >
          <Field label="Password" name="password" type="password" autoComplete="current-password" />
        </Form>
        <button type="button" onClick={() => dialog.current?.close()}>
          Cancel
        </button>
      </dialog>
    </section>
  )
}
