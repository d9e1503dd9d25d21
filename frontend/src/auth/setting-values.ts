import { isIP } from "node:net"
import ms from "ms"
import { readAddress } from "./database-address"

/** What the settings' values may be: each function returns the value, or throws a RangeError that says what is allowed. */

export const MIN_SECRET_LENGTH = 32

function invalid(expected: string): never {
  throw new RangeError(expected)
}

export function nonEmpty(value: string): string {
  return value || invalid("must not be empty")
}

function url(value: string): URL {
  const parsed = URL.canParse(value) ? new URL(value) : null
  if (!parsed || !/^https?:$/.test(parsed.protocol) || value.includes("@") || parsed.search || parsed.hash) {
    invalid("must be an http or https URL, such as https://app.example.com")
  }
  return parsed as URL
}

export function originURL(value: string): string {
  const parsed = url(value)
  if (parsed.pathname !== "/") invalid("must be a URL without a path, such as https://app.example.com")
  return parsed.origin
}

export function apiBaseURL(value: string): string {
  const { href } = url(value)
  return href.endsWith("/api")
    ? href
    : invalid("must be the URL of the API and end in /api, such as https://api.example.com/api")
}

export function httpURL(value: string): string {
  return url(value).href
}

export function smtpURL(value: string): string {
  return /^smtps?:\/\/[^\s/?#]+\/?$/i.test(value) && URL.canParse(value)
    ? value
    : invalid("must be smtp://user:password@host:587 or smtps://…, with the password percent-encoded")
}

export function mailSender(value: string): string {
  return /^[^\r\n]*@[^\r\n]+$/.test(value)
    ? value
    : invalid("must be the sender of mails, such as Evo-TODO <todo@example.com>")
}

export function postgresURL(value: string): string {
  readAddress(value)
  return value
}

/** Better Auth's own where no port is named, so that two copies on one host do not share their cookies. */
export function defaultCookiePrefix(baseURL: string): string {
  return ["better-auth", new URL(baseURL).port].filter(Boolean).join("-")
}

export function cookieName(value: string): string {
  return /^[\w-]{1,64}$/.test(value) ? value : invalid("must be letters, digits, - and _, such as todo")
}

export function schemaName(value: string): string {
  return /^(?!pg_)[a-z_][a-z0-9_]{0,62}$/.test(value)
    ? value
    : invalid("must be a schema's name: lower-case letters, digits and underscores, such as better_auth")
}

export function duration(value: string): number {
  const milliseconds = /^[0-9]/.test(value) ? ms(value as ms.StringValue) : undefined
  if (milliseconds === undefined || Number.isNaN(milliseconds) || milliseconds < 1000) {
    invalid("must be a duration with a unit, such as 15m or 7d")
  }
  return Math.floor((milliseconds as number) / 1000)
}

export function tokenStore(value: string): "memory" | "localStorage" {
  return value === "memory" || value === "localStorage" ? value : invalid("must be memory or localStorage")
}

function list(value: string): string[] {
  return value
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean)
}

export function networks(value: string): string[] {
  const entries = list(value)
  if (!entries.every(isNetwork)) invalid("must be a list of addresses and networks, such as 10.0.0.0/8,::1")
  return entries
}

function isNetwork(value: string): boolean {
  const [address = "", prefix = "0", ...rest] = value.split("/")
  const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] as number
  return rest.length === 0 && /^[0-9]{1,3}$/.test(prefix) && Number(prefix) <= bits
}

export function secret(value: string): string {
  return value.length >= MIN_SECRET_LENGTH
    ? value
    : invalid(`must be at least ${MIN_SECRET_LENGTH} random characters`)
}

export function versionedSecrets(value: string): { version: number; value: string }[] {
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
