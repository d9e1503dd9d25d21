import { isIP } from "node:net"
import ms from "ms"
import { readAddress } from "./database-address"

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
const MIN_SECRET_LENGTH = 32

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

function invalid(expected: string): never {
  throw new RangeError(expected)
}

function nonEmpty(value: string): string {
  return value || invalid("must not be empty")
}

function url(value: string): URL {
  const parsed = URL.canParse(value) ? new URL(value) : null
  if (!parsed || !/^https?:$/.test(parsed.protocol) || value.includes("@") || parsed.search || parsed.hash) {
    invalid("must be an http or https URL, such as https://app.example.com")
  }
  return parsed as URL
}

function originURL(value: string): string {
  const parsed = url(value)
  if (parsed.pathname !== "/") invalid("must be a URL without a path, such as https://app.example.com")
  return parsed.origin
}

function apiBaseURL(value: string): string {
  const { href } = url(value)
  return href.endsWith("/api")
    ? href
    : invalid("must be the URL of the API and end in /api, such as https://api.example.com/api")
}

function httpURL(value: string): string {
  return url(value).href
}

function smtpURL(value: string): string {
  return /^smtps?:\/\/[^\s/?#]+\/?$/i.test(value) && URL.canParse(value)
    ? value
    : invalid("must be smtp://user:password@host:587 or smtps://…, with the password percent-encoded")
}

function mailSender(value: string): string {
  return /^[^\r\n]*@[^\r\n]+$/.test(value)
    ? value
    : invalid("must be the sender of mails, such as Evo-TODO <todo@example.com>")
}

function postgresURL(value: string): string {
  readAddress(value)
  return value
}

/** Better Auth's own where no port is named, so that two copies on one host do not share their cookies. */
function defaultCookiePrefix(baseURL: string): string {
  return ["better-auth", new URL(baseURL).port].filter(Boolean).join("-")
}

function cookieName(value: string): string {
  return /^[\w-]{1,64}$/.test(value) ? value : invalid("must be letters, digits, - and _, such as todo")
}

function schemaName(value: string): string {
  return /^(?!pg_)[a-z_][a-z0-9_]{0,62}$/.test(value)
    ? value
    : invalid("must be a schema's name: lower-case letters, digits and underscores, such as better_auth")
}

function duration(value: string): number {
  const milliseconds = /^[0-9]/.test(value) ? ms(value as ms.StringValue) : undefined
  if (milliseconds === undefined || Number.isNaN(milliseconds) || milliseconds < 1000) {
    invalid("must be a duration with a unit, such as 15m or 7d")
  }
  return Math.floor((milliseconds as number) / 1000)
}

function tokenStore(value: string): Settings["tokenStore"] {
  return value === "memory" || value === "localStorage" ? value : invalid("must be memory or localStorage")
}

function list(value: string): string[] {
  return value
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean)
}

function networks(value: string): string[] {
  const entries = list(value)
  if (!entries.every(isNetwork)) invalid("must be a list of addresses and networks, such as 10.0.0.0/8,::1")
  return entries
}

function isNetwork(value: string): boolean {
  const [address = "", prefix = "0", ...rest] = value.split("/")
  const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] as number
  return rest.length === 0 && /^[0-9]{1,3}$/.test(prefix) && Number(prefix) <= bits
}

function secret(value: string): string {
  return value.length >= MIN_SECRET_LENGTH
    ? value
    : invalid(`must be at least ${MIN_SECRET_LENGTH} random characters`)
}

function versionedSecrets(value: string): { version: number; value: string }[] {
  const found = list(value).map((entry) => {
    const [, version, text] =
      /^([0-9]+):(.+)$/.exec(entry) ??
      invalid("must be 2:<newest>,1:<older>, with a version before each secret")
    return { version: Number(version), value: secret(text as string) }
  })
  const versions = new Set(found.map(({ version }) => version))
  if (found.length === 0 || versions.size < found.length)
    invalid("must have one secret for each version, newest first")
  return found
}

export function isLoopback(url: string): boolean {
  const { hostname } = new URL(url)
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname)
}
