"use client"

import { useQueryClient } from "@tanstack/react-query"
import { useRef, useState } from "react"
import { errorMessage, Field, Form, NewPasswordField } from "@/components/forms"
import { useNotices } from "@/components/notices"
import { authClient } from "@/lib/auth-client"

/** Changes the password and signs out all other sessions. */
export function ChangePassword() {
  const client = useQueryClient()
  const { showMessage } = useNotices()
  const [changes, setChanges] = useState(0)
  const heading = useRef<HTMLHeadingElement>(null)
  return (
    <section aria-labelledby="password">
      <h2 id="password" ref={heading} tabIndex={-1}>
        Password
      </h2>
      <Form
        key={changes}
        submitLabel="Change password"
        submit={async ({ currentPassword = "", newPassword = "" }) => {
          const { error } = await authClient.changePassword({
            currentPassword,
            newPassword,
            revokeOtherSessions: true,
          })
          if (error) return errorMessage(error)
          setChanges(changes + 1)
          heading.current?.focus()
          showMessage("Password changed. All other sessions were signed out.")
          await client.invalidateQueries({ queryKey: ["sessions"] })
          return null
        }}
      >
        <Field
          label="Current password"
          name="currentPassword"
          type="password"
          autoComplete="current-password"
        />
        <NewPasswordField />
      </Form>
    </section>
  )
}
