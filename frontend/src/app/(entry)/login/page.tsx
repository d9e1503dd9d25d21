import type { Metadata } from "next"
import Link from "next/link"
import { LoginForm } from "@/components/entry/login-form"
import { sendSignedInUserToTasks } from "@/lib/session"

export const metadata: Metadata = { title: "Sign in" }

export default async function Login({ searchParams }: { searchParams: Promise<{ expired?: string }> }) {
  const { expired } = await searchParams
  // A service that refuses a good session's tokens sends people here, too: sent back, they would go round in circles.
  if (!expired) await sendSignedInUserToTasks()
  return (
    <>
      <h1>Sign in</h1>
      {expired && (
        <p role="status" className="note">
          Your session has ended. Please sign in again.
        </p>
      )}
      <LoginForm />
      <p>
        New here? <Link href="/signup">Create an account</Link>
      </p>
    </>
  )
}
