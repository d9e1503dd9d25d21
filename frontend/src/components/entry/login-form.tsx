"use client"

import { useState } from "react"
import { Field, Form, outcome } from "@/components/forms"
import { authClient } from "@/lib/auth-client"
import { SecondFactorForm } from "./second-factor-form"

/** E-mail address and password and, where the account asks for it, the second factor. */
export function LoginForm() {
  const [needsSecondFactor, setNeedsSecondFactor] = useState(false)
  if (needsSecondFactor) return <SecondFactorForm />
  return (
    <Form
      action="Sign in"
      send={async ({ email = "", password = "" }) => {
        const { data, error } = await authClient.signIn.email({ email, password })
        if (error) return outcome(error)
        if ("twoFactorRedirect" in data && data.twoFactorRedirect) setNeedsSecondFactor(true)
        else window.location.assign("/tasks")
        return null
      }}
    >
      <Field label="E-mail address" name="email" type="email" autoComplete="username" autoFocus />
      <Field label="Password" name="password" type="password" autoComplete="current-password" />
    </Form>
  )
}
