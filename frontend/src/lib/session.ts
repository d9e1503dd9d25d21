import { headers } from "next/headers"
import { redirect } from "next/navigation"
import { connection } from "next/server"
import { startedAuth } from "@/auth/auth"

export interface User {
  readonly id: string
  readonly name: string
  readonly email: string
  readonly hasTwoFactor: boolean
}

async function currentUser(): Promise<User | null> {
  await connection() // before anything of this request is known, nothing can be prepared
  const auth = await startedAuth()
  // A page can't set the cookie that a renewed session needs; the page's own calls for tokens renew it.
  const found = await auth.api.getSession({ headers: await headers(), query: { disableRefresh: true } })
  if (!found) return null
  const { id, name, email, twoFactorEnabled } = found.user
  return { id, name, email, hasTwoFactor: twoFactorEnabled === true }
}

/** Who is signed in; everybody else is sent to sign in. */
export async function signedInUser(): Promise<User> {
  return (await currentUser()) ?? redirect("/login")
}

/** Whoever is signed in already has nothing to do on the pages where one signs in. */
export async function sendSignedInUserToTasks(): Promise<void> {
  if (await currentUser()) redirect("/tasks")
}
