"use client"

import { useState } from "react"
import { errorMessage, Field, Form } from "@/components/forms"
import { authClient } from "@/lib/auth-client"

/** Verifies a code of the authenticator app, or a backup code. */
export function SecondFactorForm() {
  const [usesBackupCode, setUsesBackupCode] = useState(false)
  return (
    <>
      <Form
        key={String(usesBackupCode)}
        submitLabel="Verify"
        submit={async ({ code = "" }) => {
          const verify = usesBackupCode
            ? authClient.twoFactor.verifyBackupCode
            : authClient.twoFactor.verifyTotp
          const { error } = await verify({ code })
          if (!error) window.location.assign("/tasks")
          return errorMessage(error)
        }}
      >
        {usesBackupCode ? (
          <Field label="Backup code" name="code" autoComplete="off" autoFocus />
        ) : (
          <Field
            label="Code from your authenticator app"
            name="code"
            inputMode="numeric"
            autoComplete="one-time-code"
            autoFocus
          />
        )}
      </Form>
      <p>
        <button type="button" className="link" onClick={() => setUsesBackupCode(!usesBackupCode)}>
          {usesBackupCode ? "Use your authenticator app" : "Use a backup code"}
        </button>
      </p>
    </>
  )
}
