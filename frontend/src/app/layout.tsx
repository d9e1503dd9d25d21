import type { Metadata, Viewport } from "next"
import { connection } from "next/server"
import "./globals.css"

export const metadata: Metadata = {
  title: { default: "Evo-TODO", template: "%s · Evo-TODO" },
  description: "Your tasks, and nobody else's.",
  robots: { index: false },
}

export const viewport: Viewport = { colorScheme: "light dark", width: "device-width", initialScale: 1 }

export default async function Layout({ children }: { children: React.ReactNode }) {
  await connection() // each page bears a nonce of its own, so none can be made ahead
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  )
}
