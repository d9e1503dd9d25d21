"use client"

import { useState } from "react"
import { Field, Form, outcome } from "@/components/forms"
import { authClient } from "@/lib/auth-client"

/** The code of an authenticator app, or one of the backup codes. */
export function SecondFactorForm() {
  const [usesBackupCode, setUsesBackupCode] = useState(false)
  return (
    <>
      <Form
        key={String(usesBackupCode)}
        action="Continue"
        send={async ({ code = "" }) => {
          const verify = usesBackupCode
            ? authClient.twoFactor.verifyBackupCode
            : authClient.twoFactor.verifyTotp
          const { error } = await verify({ code: code.replace(/\s/g, "") })
          if (!error) window.location.assign("/tasks")
          return outcome(error)
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
            pattern="[0-9 ]{6,7}"
            title="six digits"
            autoFocus
          />
        )}
      </Form>
      <p>
        <button type="button" className="link" onClick={() => setUsesBackupCode(!usesBackupCode)}>
          {usesBackupCode ? "Use the authenticator app" : "Use a backup code"}
        </button>
      </p>
    </>
  )
}
