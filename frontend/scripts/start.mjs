// Start the built frontend. Next's server reads HOSTNAME, which many shells and all containers set to the machine's
// name, and changes into the build folder, where files at a relative path would be deleted by the next build.
import { resolve } from "node:path"

process.umask(0o077) // files in the data folder are private to this user
process.env.HOSTNAME = process.env.EVO_TODO_WEB_HOST ?? "127.0.0.1"
process.env.PORT = process.env.EVO_TODO_WEB_PORT ?? "3000"
process.env.EVO_TODO_DATA = resolve(process.env.EVO_TODO_DATA ?? ".evo-todo")

// Next waits for every connection to close, and browsers keep idle ones open: exit after 5 seconds.
for (const [signal, status] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
]) {
  process.once(signal, () => setTimeout(() => process.exit(status), 5000).unref())
}

await import("../.next/standalone/frontend/server.js")
