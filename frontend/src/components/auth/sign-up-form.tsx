"use client"

import Link from "next/link"
import { useState } from "react"
import { errorMessage, Field, Form, NewPasswordField } from "@/components/forms"
import { authClient } from "@/lib/auth-client"

/** Signs up. Nothing here tells whether the address has an account already, but that its password is another one. */
export function SignUpForm() {
  const [outcome, setOutcome] = useState<"mail" | "unknown" | null>(null)
  if (outcome === "mail") {
    return (
      <p role="status" className="note">
        A mail is on its way to you. Open the link in it to confirm your address, then sign in.
      </p>
    )
  }
  return (
    <>
      <Form
        submitLabel="Sign up"
        submit={async ({ name = "", email = "", password = "" }) => {
          setOutcome(null)
          const { data, error } = await authClient.signUp.email({ name, email, password })
          if (error) return errorMessage(error)
          if (!data.token) setOutcome("mail")
          else if ((await authClient.getSession()).data) window.location.assign("/tasks")
          else setOutcome("unknown")
          return null
        }}
      >
        <Field label="Name" name="name" autoComplete="name" dir="auto" autoFocus />
        <Field label="Email" name="email" type="email" autoComplete="username" />
        <NewPasswordField label="Password" name="password" />
      </Form>
      <div role="alert">
        {outcome === "unknown" && (
          <p className="note">
            You could not be signed in. If you have an account with this address,{" "}
            <Link href="/login">sign in</Link> or <Link href="/forgot">set a new password</Link>.
          </p>
        )}
      </div>
    </>
  )
}
