import type { Metadata } from "next"
import Link from "next/link"
import { SignUpForm } from "@/components/entry/sign-up-form"
import { sendSignedInUserToTasks } from "@/lib/session"

export const metadata: Metadata = { title: "Create an account" }

export default async function SignUp() {
  await sendSignedInUserToTasks()
  return (
    <>
      <h1>Create an account</h1>
      <SignUpForm />
      <p>
        Have one already? <Link href="/login">Sign in</Link>
      </p>
    </>
  )
}
