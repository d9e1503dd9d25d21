"use client"

import { useState } from "react"
import { errorMessage, Field, Form } from "@/components/forms"
import { authClient } from "@/lib/auth-client"

/** Asks for a link that sets a new password. The response is the same whether or not there is an account. */
export function ForgotForm() {
  const [isSent, setSent] = useState(false)
  return (
    <>
      <div role="status">
        {isSent && (
          <p className="note">
            If there is an account with this address, a link is on its way to it. It works for an hour.
          </p>
        )}
      </div>
      {!isSent && (
        <Form
          submitLabel="Send a link"
          submit={async ({ email = "" }) => {
            const { error } = await authClient.requestPasswordReset({ email })
            setSent(!error)
            return errorMessage(error)
          }}
        >
          <Field label="Email" name="email" type="email" autoComplete="username" autoFocus />
        </Form>
      )}
    </>
  )
}
