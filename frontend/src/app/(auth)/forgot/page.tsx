import type { Metadata } from "next"
import Link from "next/link"
import { ForgotForm } from "@/components/auth/forgot-form"
import { hasMail } from "@/lib/session"

export const metadata: Metadata = { title: "Forgotten password" }

export default async function Forgot() {
  return (
    <>
      <h1>Forgotten password</h1>
      {(await hasMail()) ? (
        <ForgotForm />
      ) : (
        <p>This site sends no mail. Ask the people who run it to set a new password for you.</p>
      )}
      <p>
        <Link href="/login">Back to sign in</Link>
      </p>
    </>
  )
}
