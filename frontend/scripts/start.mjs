// Start the built frontend. Next's own start reads HOSTNAME, which many shells and every container set to a name of
// theirs, and then leaves for its own folder, where a relative path would be lost at the next build.
import { resolve } from "node:path"

process.umask(0o077) // the data folder's files are nobody else's business
process.env.HOSTNAME = process.env.EVO_TODO_WEB_HOST ?? "127.0.0.1"
process.env.PORT = process.env.EVO_TODO_WEB_PORT ?? "3000"
process.env.EVO_TODO_DATA = resolve(process.env.EVO_TODO_DATA ?? ".evo-todo")

// Next lets every connection end by itself, and browsers hold some open that they never use.
for (const [signal, status] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
]) {
  process.once(signal, () => setTimeout(() => process.exit(status), 5000).unref())
}

await import("../.next/standalone/server.js")
