import { isIP } from "node:net"
import ms from "ms"

/** A setting can't be read; the message is one line that names it, its value, and what it takes. */
export class SettingError extends Error {
  override name = "SettingError"
}

/** Everything one can set; docs/frontend.md says what each means. Times are in seconds. */
export interface Settings {
  readonly baseURL: string
  readonly issuer: string
  readonly audience: string
  /** `null`: an embedded database in the data folder. */
  readonly databaseURL: string | null
  /** Newest first. `null`: one that is made at the first start and kept in the data folder. */
  readonly secrets: readonly { version: number; value: string }[] | null
  readonly dataFolder: string
  readonly apiURL: string
  /** Where the service hears of sessions and accounts that have ended. */
  readonly securityEventsURL: string
  readonly tokenLifetime: number
  readonly tokenStore: "memory" | "localStorage"
  readonly keyRotation: number
  readonly keyGrace: number
  readonly trustedProxies: readonly string[]
}

type Environment = Readonly<Record<string, string | undefined>>

const SESSION_LIFETIME = 7 * 24 * 3600
const SHORTEST_SECRET = 32

/**
 * Read the settings.
 *
 * @throws SettingError when one can't be read.
 */
export function readSettings(env: Environment): Settings {
  const read = reader(env)
  const baseURL = read("BETTER_AUTH_BASE_URL", "http://localhost:3000", origin)
  const secrets = readSecrets(env, read)
  if (secrets === null && !isLoopback(baseURL)) {
    throw new SettingError(
      `BETTER_AUTH_SECRETS is not set, and ${baseURL} is not this machine: set 1:<at least ${SHORTEST_SECRET} random characters>`,
    )
  }
  const apiURL = read("NEXT_PUBLIC_API_URL", "http://localhost:8000/api", apiAddress)
  const tokenLifetime = read("EVO_TODO_TOKEN_LIFETIME", "15m", duration)
  const keyGrace = read("EVO_TODO_KEY_GRACE", "8d", duration)
  if (keyGrace < tokenLifetime) {
    throw new SettingError(
      `EVO_TODO_KEY_GRACE="${env.EVO_TODO_KEY_GRACE ?? "8d"}": a replaced key must stay published for as long as a token lives`,
    )
  }
  return {
    baseURL,
    issuer: read("EVO_TODO_ISSUER", baseURL, text),
    audience: read("EVO_TODO_AUDIENCE", baseURL, text),
    databaseURL: env.DATABASE_URL === undefined ? null : read("DATABASE_URL", "", postgresURL),
    secrets,
    dataFolder: read("EVO_TODO_DATA", ".evo-todo", text),
    apiURL,
    securityEventsURL: read("EVO_TODO_SECURITY_EVENTS_URL", `${apiURL}/security-events`, eventsAddress),
    tokenLifetime,
    tokenStore: read("EVO_TODO_TOKEN_STORE", "memory", tokenStore),
    keyRotation: read("EVO_TODO_KEY_ROTATION", "30d", duration),
    keyGrace,
    trustedProxies: read("EVO_TODO_TRUSTED_PROXIES", "", networks),
  }
}

/** How long a session lives without being used; using it a day later renews it. */
export const SESSION = { expiresIn: SESSION_LIFETIME, updateAge: 24 * 3600 } as const

function reader(env: Environment) {
  return <T>(name: string, byDefault: string, parse: (value: string) => T): T => {
    const value = env[name] ?? byDefault
    try {
      return parse(value.trim())
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      const isSecret = name.includes("SECRET") || name === "DATABASE_URL"
      const shown = isSecret ? "…" : value.replace(/[^/]*@/, "…@")
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

function refuse(takes: string): never {
  throw new RangeError(takes)
}

function text(value: string): string {
  return value || refuse("takes a value that is not empty")
}

function url(value: string): URL {
  const parsed = URL.canParse(value) ? new URL(value) : null
  if (!parsed || !/^https?:$/.test(parsed.protocol) || parsed.username || parsed.search || parsed.hash) {
    refuse("takes an http or https address, such as https://app.example.com")
  }
  return parsed as URL
}

function origin(value: string): string {
  const parsed = url(value)
  if (parsed.pathname !== "/") refuse("takes an address without a path, such as https://app.example.com")
  return parsed.origin
}

function apiAddress(value: string): string {
  const { href } = url(value)
  return href.endsWith("/api")
    ? href
    : refuse("takes the API's address with /api at its end, such as https://api.example.com/api")
}

function eventsAddress(value: string): string {
  return url(value).href
}

function postgresURL(value: string): string {
  return /^postgres(ql)?:\/\/./.test(value)
    ? value
    : refuse("takes postgresql://user:password@host/name; leave it unset for an embedded database")
}

function duration(value: string): number {
  const milliseconds = /^[0-9]/.test(value) ? ms(value as ms.StringValue) : undefined
  if (milliseconds === undefined || Number.isNaN(milliseconds) || milliseconds < 1000) {
    refuse("takes a time with its unit, such as 15m or 7d")
  }
  return Math.floor((milliseconds as number) / 1000)
}

function tokenStore(value: string): Settings["tokenStore"] {
  return value === "memory" || value === "localStorage" ? value : refuse("takes memory or localStorage")
}

function list(value: string): string[] {
  return value
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean)
}

function networks(value: string): string[] {
  const entries = list(value)
  if (!entries.every(isNetwork)) refuse("takes addresses and networks, such as 10.0.0.0/8,::1")
  return entries
}

function isNetwork(value: string): boolean {
  const [address = "", prefix = "0", ...rest] = value.split("/")
  const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] as number
  return rest.length === 0 && /^[0-9]{1,3}$/.test(prefix) && Number(prefix) <= bits
}

function secret(value: string): string {
  return value.length >= SHORTEST_SECRET
    ? value
    : refuse(`takes at least ${SHORTEST_SECRET} random characters`)
}

function versionedSecrets(value: string): { version: number; value: string }[] {
  const found = list(value).map((entry) => {
    const [, version, rest] =
      /^([0-9]+):(.+)$/.exec(entry) ?? refuse("takes 2:<newest>,1:<older>: a version before each secret")
    return { version: Number(version), value: secret(rest as string) }
  })
  const versions = new Set(found.map(({ version }) => version))
  if (found.length === 0 || versions.size < found.length)
    refuse("takes one secret for each version, newest first")
  return found
}

function isLoopback(address: string): boolean {
  const { hostname } = new URL(address)
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname)
}
