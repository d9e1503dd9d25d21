import type { Metadata } from "next"
import { ChangePassword } from "@/components/account/change-password"
import { DeleteAccount } from "@/components/account/delete-account"
import { ExportTasks } from "@/components/account/export-tasks"
import { Profile } from "@/components/account/profile"
import { Sessions } from "@/components/account/sessions"
import { TwoFactor } from "@/components/account/two-factor"
import { hasMail, requireUser } from "@/lib/session"

export const metadata: Metadata = { title: "Account" }

export default async function AccountPage() {
  const { name, email, hasTwoFactor } = await requireUser()
  return (
    <>
      <h1>Account</h1>
      <p className="muted">
        <bdi>{name}</bdi>, <bdi>{email}</bdi>
      </p>
      <Sessions />
      <TwoFactor isEnabled={hasTwoFactor} />
      <Profile hasMail={await hasMail()} />
      <ChangePassword />
      <ExportTasks />
      <DeleteAccount />
    </>
  )
}
