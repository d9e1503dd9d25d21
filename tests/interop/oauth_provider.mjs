// A Better Auth with its OAuth provider, in memory, for tests: serves /api/auth on the port in its first argument, lets
// one person sign up and applications get tokens for them (RFC 6749 §4.1, RFC 7636, RFC 9449), and writes those tokens
// as one line of JSON. It runs until its standard input is closed. Packages are resolved from the working folder.
import { createHash, randomBytes } from "node:crypto"
import { createServer } from "node:http"
import { createRequire } from "node:module"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"

const { resolve: find } = createRequire(resolve("package.json"))
const load = (name) => import(pathToFileURL(find(name)))
const [{ betterAuth }, { memoryAdapter }, { toNodeHandler }, { jwt }, { oauthProvider }, jose] = await Promise.all(
  [
    "better-auth",
    "better-auth/adapters/memory",
    "better-auth/node",
    "better-auth/plugins",
    "@better-auth/oauth-provider",
    "jose",
  ].map(load),
)

const port = Number(process.argv[2])
const baseURL = `http://localhost:${port}`
const redirectURL = "https://app.example.com/callback"
const scopes = ["openid", "profile", "tasks"]
const tables = ["user", "session", "account", "verification", "jwks", "rateLimit", "oauthClient", "oauthResource"]
const more = ["oauthClientResource", "oauthAccessToken", "oauthRefreshToken", "oauthConsent", "oauthClientAssertion"]
const auth = betterAuth({
  baseURL,
  secret: randomBytes(32).toString("hex"),
  database: memoryAdapter(Object.fromEntries([...tables, ...more].map((name) => [name, []]))),
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  plugins: [
    jwt({ jwt: { issuer: baseURL, audience: baseURL }, disableSettingJwtHeader: true }),
    oauthProvider({ loginPage: "/sign-in", consentPage: "/consent", scopes, resources: [baseURL], enforcePerClientResources: false }),
  ],
})
const server = createServer(toNodeHandler(auth)).listen(port, "127.0.0.1")
const call = (path, init) =>
  auth.handler(new Request(`${baseURL}/api/auth${path}`, { ...init, headers: { origin: baseURL, ...init?.headers } }))
const post = (path, body, headers) =>
  call(path, {
    method: "POST",
    body: body instanceof URLSearchParams ? body : JSON.stringify(body),
    headers: { ...(body instanceof URLSearchParams ? {} : { "content-type": "application/json" }), ...headers },
  })

const signedUp = await post("/sign-up/email", {
  name: "Somebody",
  email: "somebody@example.com",
  password: randomBytes(16).toString("hex"),
})
const cookie = signedUp.headers
  .getSetCookie()
  .map((line) => line.split(";")[0])
  .join("; ")
const { user } = await signedUp.json()
const registered = {
  redirect_uris: [redirectURL],
  scope: scopes.join(" "),
  skip_consent: true,
  token_endpoint_auth_method: "none",
  grant_types: ["authorization_code"],
}
const client = await auth.api.adminCreateOAuthClient({ body: registered, headers: new Headers({ cookie }) })

async function proof(pair, path) {
  const jwk = await jose.exportJWK(pair.publicKey)
  return new jose.SignJWT({ htm: "POST", htu: `${baseURL}/api/auth${path}`, jti: randomBytes(16).toString("hex") })
    .setProtectedHeader({ typ: "dpop+jwt", alg: "ES256", jwk })
    .setIssuedAt()
    .sign(pair.privateKey)
}

async function token(scope, pair) {
  const verifier = randomBytes(32).toString("base64url")
  const asked = new URLSearchParams({
    response_type: "code",
    client_id: client.client_id,
    redirect_uri: redirectURL,
    scope,
    state: "a-state",
    resource: baseURL,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  })
  const authorized = await call(`/oauth2/authorize?${asked}`, { headers: { cookie }, redirect: "manual" })
  const location = authorized.headers.get("location") ?? (await authorized.json()).url
  const granted = new URLSearchParams({
    grant_type: "authorization_code",
    client_id: client.client_id,
    code: new URL(location).searchParams.get("code"),
    redirect_uri: redirectURL,
    code_verifier: verifier,
    resource: baseURL,
  })
  const headers = pair ? { dpop: await proof(pair, "/oauth2/token") } : {}
  const answer = await (await post("/oauth2/token", granted, headers)).json()
  if (!answer.access_token) throw new Error(JSON.stringify(answer))
  return answer
}

const [wrong, right, several] = [await token("openid profile"), await token("tasks"), await token("openid tasks")]
const bound = await token("tasks", await jose.generateKeyPair("ES256"))
const own = await (await call("/token", { headers: { cookie } })).json()
const tokens = {
  user: user.id,
  own: own.token,
  wrong: wrong.access_token,
  right: right.access_token,
  several: several.access_token,
  bound: bound.access_token,
  id: several.id_token,
}
process.stdout.write(`${JSON.stringify(tokens)}\n`)
process.stdin.resume().on("end", () => server.close(() => process.exit()))
