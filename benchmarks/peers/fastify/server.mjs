// What a Node.js team would write: Fastify with schemas, jose, pg. TOKEN_CACHE=1 caches verified tokens.
import { randomUUID } from "node:crypto"
import Fastify from "fastify"
import { createRemoteJWKSet, jwtVerify } from "jose"
import pg from "pg"

const { ISSUER, PORT, DATABASE_URL, TOKEN_CACHE } = process.env
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 10 })
const keys = createRemoteJWKSet(new URL(`${ISSUER}/api/auth/jwks`))
const verified = new Map()

async function subject(token) {
  if (TOKEN_CACHE) {
    const known = verified.get(token)
    if (known && known.exp * 1000 > Date.now()) return known.sub
  }
  const { payload } = await jwtVerify(token, keys, { issuer: ISSUER, audience: ISSUER, algorithms: ["EdDSA"] })
  if (TOKEN_CACHE) {
    if (verified.size >= 10_000) verified.delete(verified.keys().next().value)
    verified.set(token, payload)
  }
  return payload.sub
}

const task = {
  type: "object",
  properties: {
    id: { type: "string" }, user_id: { type: "string" }, title: { type: "string" },
    description: { type: "string", nullable: true }, completed: { type: "boolean" },
    created_at: { type: "string", format: "date-time" }, updated_at: { type: "string", format: "date-time" },
  },
}
const page = { type: "object", properties: { data: { type: "array", items: task }, count: { type: "integer" } } }
const newTask = {
  type: "object", required: ["title"], additionalProperties: false,
  properties: {
    title: { type: "string", minLength: 1, maxLength: 255 },
    description: { type: "string", maxLength: 2000, nullable: true },
  },
}

const app = Fastify()
app.get("/health", async () => ({ status: "ok" }))
app.register(async (api) => {
  api.addHook("onRequest", async (request, reply) => {
    const header = request.headers.authorization ?? ""
    try {
      const sub = await subject(header.slice("Bearer ".length))
      if (sub !== request.params.user_id) return reply.code(403).send({ detail: "denied" })
    } catch {
      return reply.code(401).send({ detail: "invalid token" })
    }
  })
  api.get("/api/:user_id/tasks", { schema: { response: { 200: page } } }, async ({ params, query }) => {
    const { rows } = await pool.query({
      name: "list", text: "SELECT * FROM guide_tasks WHERE user_id = $1 ORDER BY id LIMIT $2",
      values: [params.user_id, Number(query.limit ?? 1000)],
    })
    return { data: rows, count: rows.length }
  })
  api.post("/api/:user_id/tasks", { schema: { body: newTask, response: { 201: task } } }, async (request, reply) => {
    const { rows } = await pool.query({
      name: "create",
      text: "INSERT INTO guide_tasks (id, user_id, title, description) VALUES ($1, $2, $3, $4) RETURNING *",
      values: [randomUUID(), request.params.user_id, request.body.title, request.body.description ?? null],
    })
    return reply.code(201).send(rows[0])
  })
  api.get("/api/:user_id/tasks/:task_id", { schema: { response: { 200: task } } }, async ({ params }, reply) => {
    const { rows } = await pool.query({
      name: "get", text: "SELECT * FROM guide_tasks WHERE user_id = $1 AND id = $2",
      values: [params.user_id, params.task_id],
    })
    return rows[0] ?? reply.code(404).send({ detail: "not found" })
  })
})

await app.listen({ port: Number(PORT), host: "127.0.0.1" })
