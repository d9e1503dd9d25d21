"use client"

import { useState } from "react"
import { errorMessage, Field, Form } from "@/components/forms"
import { authClient } from "@/lib/auth-client"
import { SecondFactorForm } from "./second-factor-form"

/** Email and password, then the second factor if the account requires it. */
export function LoginForm() {
  const [needsSecondFactor, setNeedsSecondFactor] = useState(false)
  if (needsSecondFactor) return <SecondFactorForm />
  return (
    <Form
      submitLabel="Sign in"
      submit={async ({ email = "", password = "", remember }) => {
        const rememberMe = remember !== undefined
        const { data, error } = await authClient.signIn.email({ email, password, rememberMe })
        if (error) return errorMessage(error)
        if ("twoFactorRedirect" in data && data.twoFactorRedirect) setNeedsSecondFactor(true)
        else window.location.assign("/tasks")
        return null
      }}
    >
      <Field label="Email" name="email" type="email" autoComplete="username" autoFocus />
      <Field label="Password" name="password" type="password" autoComplete="current-password" />
      <p>
        <label>
          <input type="checkbox" name="remember" defaultChecked /> Stay signed in
        </label>
      </p>
    </Form>
  )
}
