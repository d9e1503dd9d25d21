import { readSettings } from "@/auth/settings"
import { SignedIn } from "@/components/signed-in"
import { requireUser } from "@/lib/session"

export default async function SignedInLayout({ children }: { children: React.ReactNode }) {
  const user = await requireUser()
  const { apiURL, tokenStore } = readSettings(process.env)
  return (
    <SignedIn user={user} apiURL={apiURL} tokenStore={tokenStore}>
      {children}
    </SignedIn>
  )
}
