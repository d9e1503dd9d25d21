"use client"

import { useRouter } from "next/navigation"
import { useState } from "react"
import { errorMessage, Field, Form } from "@/components/forms"
import { useNotices } from "@/components/notices"
import { useSession } from "@/components/signed-in"
import { authClient } from "@/lib/auth-client"

/** Changes the name, and the email address where the site can send or print a mail. */
export function Profile({ hasMail }: { hasMail: boolean }) {
  const { user } = useSession()
  const { showMessage } = useNotices()
  const router = useRouter()
  const [changes, setChanges] = useState(0)
  return (
    <section aria-labelledby="profile">
      <h2 id="profile">Name and address</h2>
      <Form
        submitLabel="Change name"
        submit={async ({ name = "" }) => {
          const { error } = await authClient.updateUser({ name })
          if (!error) {
            showMessage("Name changed.")
            router.refresh()
          }
          return errorMessage(error)
        }}
      >
        <Field
          label="Name"
          name="name"
          autoComplete="name"
          dir="auto"
          defaultValue={user.name}
          key={user.name}
        />
      </Form>
      {hasMail && (
        <Form
          key={changes}
          submitLabel="Change address"
          submit={async ({ newEmail = "", password = "" }) => {
            const change = { newEmail, password }
            const { error } = await authClient.changeEmail(change)
            if (!error) {
              setChanges(changes + 1)
              showMessage("Open the link in the mail to the new address: it is changed by that.")
            }
            return errorMessage(error)
          }}
        >
          <Field label="New email address" name="newEmail" type="email" autoComplete="email" />
          <Field label="Password" name="password" type="password" autoComplete="current-password" />
        </Form>
      )}
    </section>
  )
}
