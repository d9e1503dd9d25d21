"use client"

import { useRef } from "react"
import { Field, Form, outcome } from "@/components/forms"
import { signedOut, useSession } from "@/components/signed-in"
import { authClient } from "@/lib/auth-client"

/** Deletes the account, once the password is given again. */
export function DeleteAccount() {
  const session = useSession()
  const dialog = useRef<HTMLDialogElement>(null)
  return (
    <section aria-labelledby="delete">
      <h2 id="delete">Delete account</h2>
      <p>
        Your account and all its sessions end for good. Your tasks stay stored, but nobody can reach them any
        more, not even you.
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
          action="Delete for good"
          isDangerous
          send={async ({ password = "" }) => {
            const { error } = await authClient.deleteUser({ password })
            if (!error) signedOut(session)
            return outcome(error)
          }}
        >
          <Field label="Password" name="password" type="password" autoComplete="current-password" />
        </Form>
        <button type="button" onClick={() => dialog.current?.close()}>
          Keep it
        </button>
      </dialog>
    </section>
  )
}
