import type { Metadata } from "next"
import Link from "next/link"
import { LoginForm } from "@/components/auth/login-form"
import { redirectIfSignedIn } from "@/lib/session"

export const metadata: Metadata = { title: "Sign in" }

export default async function Login({ searchParams }: { searchParams: Promise<{ expired?: string }> }) {
  const { expired } = await searchParams
  // The API may reject the tokens of a valid session; redirecting back to /tasks would then be a redirect loop.
  if (!expired) await redirectIfSignedIn()
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
        <Link href="/forgot">Forgotten your password?</Link>
      </p>
      <p>
        No account yet? <Link href="/signup">Sign up</Link>
      </p>
    </>
  )
}
