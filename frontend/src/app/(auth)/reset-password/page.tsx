import type { Metadata } from "next"
import Link from "next/link"
import { ResetForm } from "@/components/auth/reset-form"

export const metadata: Metadata = { title: "New password", referrer: "no-referrer" }

export default async function ResetPassword({
  searchParams,
}: {
  searchParams: Promise<{ token?: unknown }>
}) {
  const { token } = await searchParams
  return (
    <>
      <h1>New password</h1>
      <ResetForm token={typeof token === "string" ? token : ""} />
      <p>
        <Link href="/forgot">Send another link</Link>
      </p>
    </>
  )
}
