// Next leaves static files out of its standalone output, for a CDN. Here the server itself serves them.
import { cp } from "node:fs/promises"

await cp(".next/static", ".next/standalone/frontend/.next/static", { recursive: true })
