import {
  apiBaseURL,
  cookieName,
  defaultCookiePrefix,
  duration,
  httpURL,
  isLoopback,
  MIN_SECRET_LENGTH,
  mailSender,
  networks,
  nonEmpty,
  originURL,
  postgresURL,
  schemaName,
  secret,
  smtpURL,
  tokenStore,
  versionedSecrets,
} from "./setting-values"

/** A setting is invalid. The message is one line with its name, its value and what is allowed. */
export class SettingError extends Error {
  override name = "SettingError"
}

/** All settings; docs/frontend.md documents each. Times are in seconds. */
export interface Settings {
  readonly baseURL: string
  readonly issuer: string
  readonly audience: string
  /** `null`: an embedded database in the data folder. */
  readonly databaseURL: string | null
  /** Of Better Auth's tables in PostgreSQL. `null`: the usual one. */
  readonly authSchema: string | null
  /** Newest first. `null`: a secret generated at the first start and stored in the data folder. */
  readonly secrets: readonly { version: number; value: string }[] | null
  readonly dataFolder: string
  readonly apiURL: string
  /** The endpoint that receives an event for each session and account that has ended. */
  readonly securityEventsURL: string
  readonly tokenLifetime: number
  readonly tokenStore: "memory" | "localStorage"
  readonly keyRotation: number
  readonly keyGrace: number
  readonly trustedProxies: readonly string[]
  /** What the names of the cookies begin with: browsers send them to every port of a host. */
  readonly cookiePrefix: string
  /** How mails are sent; `print`: their text is printed instead, on this machine only; `null`: there are none. */
  readonly mail: { readonly url: string; readonly from: string } | "print" | null
}

type Environment = Readonly<Record<string, string | undefined>>

const SESSION_LIFETIME = 7 * 24 * 3600

/**
 * Read the settings.
 *
 * @throws SettingError if one is invalid.
 */
export function readSettings(env: Environment): Settings {
  const read = reader(env)
  const baseURL = read("BETTER_AUTH_BASE_URL", "http://localhost:3000", originURL)
  const secrets = readSecrets(env, read)
  if (secrets === null && !isLoopback(baseURL)) {
    throw new SettingError(
      `BETTER_AUTH_SECRETS is not set, and ${baseURL} is not on this machine: set it to 1:<at least ${MIN_SECRET_LENGTH} random characters>`,
    )
  }
  const apiURL = read("NEXT_PUBLIC_API_URL", "http://localhost:8000/api", apiBaseURL)
  const tokenLifetime = read("EVO_TODO_TOKEN_LIFETIME", "15m", duration)
  const keyGrace = read("EVO_TODO_KEY_GRACE", "8d", duration)
  if (keyGrace < tokenLifetime) {
    throw new SettingError(
      `EVO_TODO_KEY_GRACE="${env.EVO_TODO_KEY_GRACE ?? "8d"}": must not be shorter than EVO_TODO_TOKEN_LIFETIME, so that a replaced key is published until its tokens expire`,
    )
  }
  return {
    baseURL,
    issuer: read("EVO_TODO_ISSUER", baseURL, nonEmpty),
    audience: read("EVO_TODO_AUDIENCE", baseURL, nonEmpty),
    databaseURL: env.DATABASE_URL === undefined ? null : read("DATABASE_URL", "", postgresURL),
    authSchema: env.EVO_TODO_AUTH_SCHEMA === undefined ? null : read("EVO_TODO_AUTH_SCHEMA", "", schemaName),
    secrets,
    dataFolder: read("EVO_TODO_DATA", ".evo-todo", nonEmpty),
    apiURL,
    securityEventsURL: read("EVO_TODO_SECURITY_EVENTS_URL", `${apiURL}/security-events`, httpURL),
    tokenLifetime,
    tokenStore: read("EVO_TODO_TOKEN_STORE", "memory", tokenStore),
    keyRotation: read("EVO_TODO_KEY_ROTATION", "30d", duration),
    keyGrace,
    trustedProxies: read("EVO_TODO_TRUSTED_PROXIES", "", networks),
    cookiePrefix: read("EVO_TODO_COOKIE_PREFIX", defaultCookiePrefix(baseURL), cookieName),
    mail: readMail(env, read, baseURL),
  }
}

/** A session expires after `expiresIn` seconds without use; using it after `updateAge` seconds renews it. */
export const SESSION = { expiresIn: SESSION_LIFETIME, updateAge: 24 * 3600 } as const

function reader(env: Environment) {
  return <T>(name: string, defaultValue: string, parse: (value: string) => T): T => {
    const value = env[name] ?? defaultValue
    try {
      return parse(value.trim())
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      const isSecret = name.includes("SECRET") || ["DATABASE_URL", "EVO_TODO_SMTP_URL"].includes(name)
      const shown = isSecret || value.includes("@") ? "…" : value
      throw new SettingError(`${name}="${shown}": ${error.message}`)
    }
  }
}

function readSecrets(env: Environment, read: ReturnType<typeof reader>): Settings["secrets"] {
  if (env.BETTER_AUTH_SECRETS !== undefined) return read("BETTER_AUTH_SECRETS", "", versionedSecrets)
  if (env.BETTER_AUTH_SECRET !== undefined)
    return [{ version: 1, value: read("BETTER_AUTH_SECRET", "", secret) }]
  return null
}

function readMail(env: Environment, read: ReturnType<typeof reader>, baseURL: string): Settings["mail"] {
  if (env.EVO_TODO_SMTP_URL === undefined) return isLoopback(baseURL) ? "print" : null
  const url = read("EVO_TODO_SMTP_URL", "", smtpURL)
  return { url, from: read("EVO_TODO_MAIL_FROM", "", mailSender) }
}
