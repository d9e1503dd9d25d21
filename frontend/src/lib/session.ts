import { headers } from "next/headers"
import { redirect } from "next/navigation"
import { connection } from "next/server"
import { getAuth } from "@/auth/auth"
import { readSettings } from "@/auth/settings"

export interface User {
  readonly id: string
  readonly name: string
  readonly email: string
  readonly hasTwoFactor: boolean
}

async function currentUser(): Promise<User | null> {
  await connection() // depends on the request, so nothing can be prerendered
  const auth = await getAuth()
  // A page cannot set the cookie that a renewed session needs; the page's requests for tokens renew the session.
  const found = await auth.api.getSession({ headers: await headers(), query: { disableRefresh: true } })
  if (!found) return null
  const { id, name, email, twoFactorEnabled } = found.user
  return { id, name, email, hasTwoFactor: twoFactorEnabled === true }
}

/** The signed-in user. Redirects to /login if there is none. */
export async function requireUser(): Promise<User> {
  return (await currentUser()) ?? redirect("/login")
}

/** Redirect a signed-in user from the sign-in and sign-up pages to /tasks. */
export async function redirectIfSignedIn(): Promise<void> {
  if (await currentUser()) redirect("/tasks")
}

/** Whether this site can send mails, or prints them. */
export async function hasMail(): Promise<boolean> {
  await connection()
  return readSettings(process.env).mail !== null
}
