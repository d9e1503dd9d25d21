// Creates Better Auth's other kinds of tokens with the key that signs access tokens. Reads its arguments as JSON from
// standard input and writes the tokens as JSON to standard output. Packages are resolved from the working folder.
import { createRequire } from "node:module"
import { resolve } from "node:path"
import { text } from "node:stream/consumers"
import { pathToFileURL } from "node:url"

const { resolve: find } = createRequire(resolve("package.json"))
const load = (name) => import(pathToFileURL(find(name)))
const [{ betterAuth }, { jwt, signJWT }, { default: pg }] = await Promise.all([
  load("better-auth"),
  load("better-auth/plugins"),
  load("pg"),
])

const { databaseURL, secret, baseURL, cookie, user } = JSON.parse(await text(process.stdin))
const pool = new pg.Pool({ connectionString: databaseURL, options: "-c search_path=auth" })
const options = { jwt: { issuer: baseURL, audience: baseURL }, sessionCookieCache: true }
const auth = betterAuth({
  baseURL,
  database: pool,
  secrets: [{ version: 1, value: secret }],
  session: { cookieCache: { enabled: true, strategy: "jwt" } },
  advanced: { cookiePrefix: `better-auth-${new URL(baseURL).port}` }, // as the frontend names its cookies
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  plugins: [jwt(options)],
})
const ctx = { context: await auth.$context }
const claims = { iat: Math.floor(Date.now() / 1000), sub: user, jti: crypto.randomUUID() }
const events = { "http://schemas.openid.net/event/backchannel-logout": {} }
const sign = (payload, header) => signJWT(ctx, { options, payload, header })

const session = await auth.handler(new Request(`${baseURL}/api/auth/get-session`, { headers: { cookie } }))
const cached = session.headers.getSetCookie().find((header) => header.includes("session_data="))

process.stdout.write(
  JSON.stringify({
    access: await sign(claims),
    logout: await sign({ ...claims, events }, { typ: "logout+jwt" }),
    "logout, by its type only": await sign(claims, { typ: "logout+jwt" }),
    "logout, by its claims only": await sign({ ...claims, events }),
    "session cache": /session_data=([^;]+)/.exec(cached)[1],
    "session cache, by its type only": await sign(claims, { typ: "better-auth.session-cache+jwt" }),
  }),
)
await pool.end()
