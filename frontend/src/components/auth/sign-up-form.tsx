"use client"

import { errorMessage, Field, Form } from "@/components/forms"
import { authClient } from "@/lib/auth-client"

export function SignUpForm() {
  return (
    <Form
      submitLabel="Sign up"
      submit={async ({ name = "", email = "", password = "" }) => {
        const { error } = await authClient.signUp.email({ name, email, password })
        if (!error) window.location.assign("/tasks")
        return errorMessage(error)
      }}
    >
      <Field label="Name" name="name" autoComplete="name" autoFocus />
      <Field label="Email" name="email" type="email" autoComplete="username" />
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
