import type { Metadata, Viewport } from "next"
import { connection } from "next/server"
import "./globals.css"

export const metadata: Metadata = {
  title: { default: "Evo-TODO", template: "%s · Evo-TODO" },
  description: "A to-do list that only you can see.",
  robots: { index: false },
}

export const viewport: Viewport = {
  colorScheme: "light dark",
  width: "device-width",
  initialScale: 1,
  interactiveWidget: "resizes-content", // else a phone's keyboard covers the notices
  themeColor: [
    { media: "(prefers-color-scheme: light)", color: "#f7f7fa" },
    { media: "(prefers-color-scheme: dark)", color: "#131318" },
  ],
}

export default async function Layout({ children }: { children: React.ReactNode }) {
  await connection() // each response has its own nonce, so no page can be prerendered
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  )
}
