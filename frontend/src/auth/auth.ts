import { betterAuth } from "better-auth"
import { getMigrations } from "better-auth/db/migration"
import { type JwtOptions, jwt, signJWT, twoFactor } from "better-auth/plugins"
import { createDatabase, type Database, loadOrCreateSecret } from "./database"
import { MAX_PASSWORD } from "./endpoints"
import { maintainSigningKey, signingKeyOptions } from "./keys"
import { logger } from "./log"
import { Mailer } from "./mail"
import { FIND_ALL_SESSIONS, Outbox, securityEventsPlugin } from "./outbox"
import { IP_ADDRESS } from "./peer-address"
import { push, type SecurityEvent, securityEventClaims } from "./security-events"
import { readSettings, SESSION, type Settings } from "./settings"
import { TokenLifetimes, tokenLifetimesPlugin } from "./token-lifetimes"
import { discreetSignUpPlugin, trustPlugin } from "./trust"

/** The rate limit of other endpoints that check a password, the same as Better Auth's own for sign-in. `window`: seconds. */
const PASSWORD_RATE_LIMIT = { window: 10, max: 3 }

/** Longer values of User-Agent are cut: no browser sends one, and each session stores it. */
const MAX_USER_AGENT = 512

type Secrets = NonNullable<Settings["secrets"]>

/** Sign-up, and what needs a mail: with a mail server, an address has to be confirmed before the first sign-in. */
function emailOptions(settings: Settings) {
  const mailer = new Mailer(settings)
  const hasServer = settings.mail !== null && settings.mail !== "print"
  const hasMail = settings.mail !== null
  return {
    emailAndPassword: {
      enabled: true,
      autoSignIn: false, // trust.ts does it: Better Auth's own tells whether an address has an account
      requireEmailVerification: hasServer,
      maxPasswordLength: 2 * MAX_PASSWORD, // endpoints.ts counts characters; Better Auth their halves, if they have two
      revokeSessionsOnPasswordReset: true,
      ...(hasServer && { onExistingUserSignUp: async ({ user }: Addressee) => mailer.alreadySignedUp(user) }),
      ...(hasMail && {
        sendResetPassword: async ({ user, token }: Addressee & { token: string }) =>
          mailer.resetPassword(user, token),
      }),
    },
    ...(hasMail && {
      emailVerification: {
        sendOnSignUp: hasServer,
        sendOnSignIn: hasServer,
        sendVerificationEmail: async ({ user, token }: Addressee & { token: string }) =>
          mailer.verifyAddress(user, token),
      },
    }),
    user: { deleteUser: { enabled: true }, changeEmail: { enabled: hasMail } },
  }
}

type Addressee = { user: { email: string } }

/** Better Auth as this project needs it; a comment explains each option that the Python service relies on. */
function configure(
  settings: Settings,
  secrets: Secrets,
  { options }: Database,
  jwtOptions: JwtOptions,
  outbox: Outbox,
) {
  return betterAuth({
    appName: "Evo-TODO",
    // Without it, `iss` and `aud` would come from the Host header, which the client controls.
    baseURL: settings.baseURL,
    secrets: [...secrets],
    database: options,
    logger,
    telemetry: { enabled: false },
    ...emailOptions(settings),
    // No cookie cache: with it, a revoked session could still get tokens for minutes. `freshAge`: what needs more than
    // a session takes the password, however old the session is.
    session: { ...SESSION, freshAge: 0, cookieCache: { enabled: false } },
    databaseHooks: {
      session: {
        create: {
          before: async ({ userAgent }) => ({ data: { userAgent: userAgent?.slice(0, MAX_USER_AGENT) } }),
        },
      },
    },
    rateLimit: {
      enabled: true, // in development, too, so that it behaves like production
      storage: "database",
      customRules: {
        "/jwks": false, // the service must always be able to fetch the keys
        "/delete-user": PASSWORD_RATE_LIMIT,
      },
    },
    // peer-address.ts sets the header to the client's address.
    advanced: { database: FIND_ALL_SESSIONS, ipAddress: IP_ADDRESS, cookiePrefix: settings.cookiePrefix },
    plugins: [
      jwt(jwtOptions),
      twoFactor({ issuer: "Evo-TODO" }),
      securityEventsPlugin(outbox),
      tokenLifetimesPlugin(),
      trustPlugin(),
      ...(settings.mail === null || settings.mail === "print" ? [discreetSignUpPlugin()] : []),
    ],
  })
}

export type Auth = ReturnType<typeof configure>

/** The claims of an access token and the keys that sign it. */
function createJwtOptions(settings: Settings, database: Database): JwtOptions {
  return {
    ...signingKeyOptions(settings, database),
    jwt: {
      issuer: settings.issuer,
      audience: settings.audience,
      // By default the payload contains the whole user row. `sub` is always the user's id.
      definePayload: ({ user, session }) => ({
        email: user.email,
        sid: session.id,
        jti: crypto.randomUUID(),
        exp: expiryTime(settings, session.expiresAt),
      }),
    },
    disableSettingJwtHeader: true, // else each call of /get-session would sign a token
  }
}

/** `exp` of a token issued now, in seconds since 1970: never later than the end of its session. */
function expiryTime({ tokenLifetime }: Settings, sessionExpiresAt: Date): number {
  return Math.floor(Math.min(Date.now() / 1000 + tokenLifetime, sessionExpiresAt.getTime() / 1000))
}

/** Run a step of the start; if it fails, prefix the error message with `description`. */
async function withErrorPrefix(description: string, step: () => Promise<void>): Promise<void> {
  await step().catch((error: unknown) => {
    const [cause] = error instanceof AggregateError ? error.errors : [error]
    throw new Error(`${description}: ${cause instanceof Error ? cause.message : cause}`)
  })
}

/** Sign a security event with the key that signs access tokens, and push it to the service. */
async function deliver(
  event: SecurityEvent,
  settings: Settings,
  options: JwtOptions,
  context: Awaited<Auth["$context"]>,
  lifetimes: TokenLifetimes,
): Promise<string | null> {
  const payload = securityEventClaims(event, settings, Date.now() / 1000, await lifetimes.longest())
  const signingContext = { context } as unknown as Parameters<typeof signJWT>[0]
  const token = await signJWT(signingContext, { options, payload, header: { typ: "secevent+jwt" } })
  return push(token, settings.securityEventsURL)
}

async function start(): Promise<Auth> {
  const settings = readSettings(process.env)
  const secrets = settings.secrets ?? [{ version: 1, value: await loadOrCreateSecret(settings.dataFolder) }]
  const database = createDatabase(settings)
  const jwtOptions = createJwtOptions(settings, database)
  const outbox = new Outbox()
  const auth = configure(settings, secrets, database, jwtOptions, outbox)
  await withErrorPrefix("Cannot migrate Better Auth's tables (check DATABASE_URL and EVO_TODO_DATA)", () =>
    database.withLock(async () => {
      await database.prepare()
      await (await getMigrations(auth.options)).runMigrations()
    }),
  )
  await withErrorPrefix("Cannot use the signing keys (check BETTER_AUTH_SECRETS and EVO_TODO_DATA)", () =>
    maintainSigningKey(auth, jwtOptions),
  )
  const context = await auth.$context
  const lifetimes = new TokenLifetimes(context.adapter, settings.tokenLifetime)
  await withErrorPrefix("Cannot record the tokens' lifetime (check DATABASE_URL and EVO_TODO_DATA)", () =>
    lifetimes.record(),
  )
  lifetimes.recordRegularly()
  outbox.open(context.adapter, (event) => deliver(event, settings, jwtOptions, context, lifetimes))
  return auth
}

// Next loads a separate copy of each module for start-up code and for routes; `globalThis` is shared by both.
const shared = globalThis as { evoTodoAuth?: Promise<Auth> }

/** The Better Auth instance of this process, migrated and with a signing key; started on the first call. */
export function getAuth(): Promise<Auth> {
  shared.evoTodoAuth ??= start()
  return shared.evoTodoAuth
}
