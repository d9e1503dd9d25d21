import { betterAuth } from "better-auth"
import { getMigrations } from "better-auth/db/migration"
import { type JwtOptions, jwt, signJWT, twoFactor } from "better-auth/plugins"
import { type Database, databaseOf, keptSecret } from "./database"
import { keepSigning, signingKeys } from "./keys"
import { logger } from "./log"
import { FIND_EVERY_SESSION, Outbox, tellingOf } from "./outbox"
import { claimsOf, type Ending, push } from "./security-events"
import { readSettings, SESSION, type Settings } from "./settings"

/** Where else a password is tried; Better Auth itself counts sign-in and the like this way. Seconds, and how many. */
const PASSWORD_TRIES = { window: 10, max: 3 }

type Secrets = NonNullable<Settings["secrets"]>

/** Better Auth as this project needs it; every line that the Python service relies on says why. */
function configure(
  settings: Settings,
  secrets: Secrets,
  { options }: Database,
  tokens: JwtOptions,
  outbox: Outbox,
) {
  return betterAuth({
    appName: "Evo-TODO",
    // Without it, `iss` and `aud` would follow the Host header, which whoever asks writes.
    baseURL: settings.baseURL,
    secrets: [...secrets],
    database: options,
    logger,
    telemetry: { enabled: false },
    emailAndPassword: { enabled: true, revokeSessionsOnPasswordReset: true },
    user: { deleteUser: { enabled: true } },
    // No cookie cache: with it, tokens could be had for minutes after a session was revoked.
    session: { ...SESSION, cookieCache: { enabled: false } },
    rateLimit: {
      enabled: true, // in development, too: what is met in production is met before
      storage: "database",
      customRules: {
        "/jwks": false, // the service must always get the keys
        "/delete-user": PASSWORD_TRIES,
        "/verify-password": PASSWORD_TRIES,
      },
    },
    // The peer's own address, put there by peer-address.ts; what a client claims counts only behind a proxy of ours.
    advanced: {
      database: FIND_EVERY_SESSION,
      ipAddress: {
        ipAddressHeaders: ["x-forwarded-for"],
        trustedProxies: [...settings.trustedProxies],
      },
    },
    plugins: [jwt(tokens), twoFactor({ issuer: "Evo-TODO" }), tellingOf(outbox)],
  })
}

export type Auth = ReturnType<typeof configure>

/** What is in a token, and who signs it. */
function tokensOf(settings: Settings, database: Database): JwtOptions {
  return {
    ...signingKeys(settings, database),
    jwt: {
      issuer: settings.issuer,
      audience: settings.audience,
      // By default the whole user row is in it. The subject is always the user's id.
      definePayload: ({ user, session }) => ({
        email: user.email,
        sid: session.id,
        jti: crypto.randomUUID(),
        exp: expiry(settings, session.expiresAt),
      }),
    },
    disableSettingJwtHeader: true, // else every look at the session would sign a token
  }
}

/** When a token made now expires, in seconds since 1970: never later than the session that it is for. */
function expiry({ tokenLifetime }: Settings, sessionExpiresAt: Date): number {
  return Math.floor(Math.min(Date.now() / 1000 + tokenLifetime, sessionExpiresAt.getTime() / 1000))
}

/** Say what was being done when it failed, and where to look. */
async function explaining(what: string, work: () => Promise<void>): Promise<void> {
  await work().catch((error: unknown) => {
    const [cause] = error instanceof AggregateError ? error.errors : [error]
    throw new Error(`${what}: ${cause instanceof Error ? cause.message : cause}`)
  })
}

/** Sign an ending with the key that signs tokens, and push it to the service. */
async function tell(
  ending: Ending,
  settings: Settings,
  options: JwtOptions,
  context: Awaited<Auth["$context"]>,
): Promise<string | null> {
  const payload = claimsOf(ending, settings, Date.now() / 1000)
  const signing = { context } as unknown as Parameters<typeof signJWT>[0]
  const event = await signJWT(signing, { options, payload, header: { typ: "secevent+jwt" } })
  return push(event, settings.securityEventsURL)
}

async function start(): Promise<Auth> {
  const settings = readSettings(process.env)
  const secrets = settings.secrets ?? [{ version: 1, value: await keptSecret(settings.dataFolder) }]
  const database = databaseOf(settings)
  const tokens = tokensOf(settings, database)
  const outbox = new Outbox()
  const auth = configure(settings, secrets, database, tokens, outbox)
  await explaining("Better Auth's tables could not be prepared, see DATABASE_URL and EVO_TODO_DATA", () =>
    database.alone(async () => (await getMigrations(auth.options)).runMigrations()),
  )
  await explaining("The signing keys can't be used, see BETTER_AUTH_SECRETS and EVO_TODO_DATA", () =>
    keepSigning(auth, tokens),
  )
  const context = await auth.$context
  outbox.open(context.adapter, (ending) => tell(ending, settings, tokens, context))
  return auth
}

// Next gives its start-up code and its routes a copy of each module; they share this.
const shared = globalThis as { evoTodoAuth?: Promise<Auth> }

/** Better Auth, its tables up to date and its first key made. Started once for the whole process. */
export function startedAuth(): Promise<Auth> {
  shared.evoTodoAuth ??= start()
  return shared.evoTodoAuth
}
