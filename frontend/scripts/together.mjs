// Run the API and the built frontend on this machine until one of them exits: node together.mjs PATH_TO_EVO_TODO
import { resolve } from "node:path"
import concurrently from "concurrently"

const port = process.env.EVO_TODO_WEB_PORT ?? "3000"
const web = new URL(process.env.BETTER_AUTH_BASE_URL ?? `http://localhost:${port}`).origin
process.env.BETTER_AUTH_BASE_URL = web
process.env.EVO_TODO_DATA = resolve(process.env.EVO_TODO_DATA ?? ".evo-todo")
process.env.EVO_TODO_WEB_PORT ??= new URL(web).port || "3000"
process.env.EVO_TODO_JWKS_URL ??= `${web}/api/auth/jwks`
process.env.EVO_TODO_CORS_ORIGINS ??= web
process.env.NEXT_PUBLIC_API_URL ??= `http://localhost:${process.env.EVO_TODO_PORT ?? 8000}/api`

const { result } = concurrently(
  [
    {
      name: "api",
      command: 'exec "$API" dev --data "$EVO_TODO_DATA"',
      env: { API: resolve(process.argv[2]) },
    },
    { name: "web", command: 'exec node "$WEB"', env: { WEB: resolve(import.meta.dirname, "start.mjs") } },
  ],
  { killOthersOn: ["failure", "success"], prefixColors: ["blue", "magenta"] },
)
console.log(`Open ${web}`)
await result.catch(() => {
  process.exitCode = 1
})
