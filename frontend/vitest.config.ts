import { join } from "node:path"
import { defineConfig } from "vitest/config"

const client = join(import.meta.dirname, "../clients/typescript/src/index.ts")

export default defineConfig({
  resolve: { alias: { "evo-todo-client": client, "@": join(import.meta.dirname, "src") } },
  test: { include: ["src/**/*.test.ts"] },
})
