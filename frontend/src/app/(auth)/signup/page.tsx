import type { Metadata } from "next"
import Link from "next/link"
import { SignUpForm } from "@/components/auth/sign-up-form"
import { redirectIfSignedIn } from "@/lib/session"

export const metadata: Metadata = { title: "Sign up" }

export default async function SignUp() {
  await redirectIfSignedIn()
  return (
    <>
      <h1>Sign up</h1>
      <SignUpForm />
      <p>
        Already have an account? <Link href="/login">Sign in</Link>
      </p>
    </>
  )
}
