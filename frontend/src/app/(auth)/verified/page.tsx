import type { Metadata } from "next"
import Link from "next/link"

export const metadata: Metadata = { title: "Email address" }

/** Where the link in a mail leads to, after Better Auth has used it. */
export default async function Verified({ searchParams }: { searchParams: Promise<{ error?: unknown }> }) {
  const { error } = await searchParams
  return error === undefined ? (
    <>
      <h1>Email address confirmed</h1>
      <p>
        <Link href="/tasks">Go to your tasks</Link>
      </p>
    </>
  ) : (
    <>
      <h1>The link does not work</h1>
      <p>It has expired or was used already. Sign in, or change your address again, to get another one.</p>
      <p>
        <Link href="/login">Sign in</Link>
      </p>
    </>
  )
}
