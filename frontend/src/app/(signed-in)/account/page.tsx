import type { Metadata } from "next"
import { ChangePassword } from "@/components/account/change-password"
import { DeleteAccount } from "@/components/account/delete-account"
import { Sessions } from "@/components/account/sessions"
import { TwoFactor } from "@/components/account/two-factor"
import { requireUser } from "@/lib/session"

export const metadata: Metadata = { title: "Account" }

export default async function AccountPage() {
  const { name, email, hasTwoFactor } = await requireUser()
  return (
    <>
      <h1>Account</h1>
      <p className="muted">
        {name}, {email}
      </p>
      <Sessions />
      <TwoFactor isEnabled={hasTwoFactor} />
      <ChangePassword />
      <DeleteAccount />
    </>
  )
}
