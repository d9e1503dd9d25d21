// Next leaves what a CDN would serve out of its standalone output; this server serves it itself.
import { cp } from "node:fs/promises"

await cp(".next/static", ".next/standalone/.next/static", { recursive: true })
