"use client"

import Link from "next/link"
import { useEffect, useState } from "react"
import { errorMessage, Form, NewPasswordField } from "@/components/forms"
import { authClient } from "@/lib/auth-client"

/** Sets a new password with the token of a link. */
export function ResetForm({ token }: { token: string }) {
  const [isDone, setDone] = useState(false)
  // Out of the history and of the address bar: the token is as good as the password.
  useEffect(() => window.history.replaceState(null, "", "/reset-password"), [])
  if (isDone) {
    return (
      <p role="status" className="note">
        The password is changed, and all sessions are signed out. <Link href="/login">Sign in</Link>
      </p>
    )
  }
  if (!token) return <p>Open the link in the mail again: this page forgets it when it is reloaded.</p>
  return (
    <Form
      submitLabel="Set password"
      submit={async ({ newPassword = "" }) => {
        const { error } = await authClient.resetPassword({ newPassword, token })
        setDone(!error)
        return error?.code === "INVALID_TOKEN"
          ? "The link has expired or was used already. Send another one."
          : errorMessage(error)
      }}
    >
      <NewPasswordField autoFocus />
    </Form>
  )
}
