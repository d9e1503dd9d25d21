"use client"

import { Field, Form, outcome } from "@/components/forms"
import { authClient } from "@/lib/auth-client"

export function SignUpForm() {
  return (
    <Form
      action="Create account"
      send={async ({ name = "", email = "", password = "" }) => {
        const { error } = await authClient.signUp.email({ name, email, password })
        if (!error) window.location.assign("/tasks")
        return outcome(error)
      }}
    >
      <Field label="Name" name="name" autoComplete="name" autoFocus />
      <Field label="E-mail address" name="email" type="email" autoComplete="username" />
      <Field
        label="Password"
        name="password"
        type="password"
        autoComplete="new-password"
        minLength={8}
        maxLength={128}
        hint="At least 8 characters."
      />
    </Form>
  )
}
