import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { readSettings, SettingError } from "./settings"

const SECRET = `${"a".repeat(31)}b`

function errorMessage(env: Record<string, string>): string {
  try {
    readSettings(env)
  } catch (error) {
    expect(error).toBeInstanceOf(SettingError)
    return (error as SettingError).message
  }
  throw new Error("the settings are valid")
}

describe("settings", () => {
  it("has defaults for everything on this machine", () => {
    expect(readSettings({})).toEqual({
      baseURL: "http://localhost:3000",
      issuer: "http://localhost:3000",
      audience: "http://localhost:3000",
      databaseURL: null,
      authSchema: null,
      secrets: null,
      dataFolder: ".evo-todo",
      apiURL: "http://localhost:8000/api",
      securityEventsURL: "http://localhost:8000/api/security-events",
      tokenLifetime: 900,
      tokenStore: "memory",
      keyRotation: 30 * 86400,
      keyGrace: 8 * 86400,
      trustedProxies: [],
      cookiePrefix: "better-auth-3000",
      mail: "print",
    })
  })

  it("allows a token lifetime of seven days", () => {
    expect(readSettings({ EVO_TODO_TOKEN_LIFETIME: "7d" }).tokenLifetime).toBe(7 * 86400)
  })

  it("derives issuer and audience from the base URL unless they are set", () => {
    const env = { BETTER_AUTH_BASE_URL: "http://localhost:4000/", EVO_TODO_AUDIENCE: "tasks" }
    const { baseURL, issuer, audience } = readSettings(env)
    expect([baseURL, issuer, audience]).toEqual(["http://localhost:4000", "http://localhost:4000", "tasks"])
  })

  it("reads versioned secrets, newest first", () => {
    expect(readSettings({ BETTER_AUTH_SECRETS: `2:${SECRET}, 1:${SECRET}x` }).secrets).toEqual([
      { version: 2, value: SECRET },
      { version: 1, value: `${SECRET}x` },
    ])
  })

  it("treats a secret without a version as version 1", () => {
    expect(readSettings({ BETTER_AUTH_SECRET: SECRET }).secrets).toEqual([{ version: 1, value: SECRET }])
  })

  it("requires secrets when the base URL is not on this machine", () => {
    const env = { BETTER_AUTH_BASE_URL: "https://app.example.com" }
    expect(errorMessage(env)).toContain("BETTER_AUTH_SECRETS is not set")
    expect(readSettings({ ...env, BETTER_AUTH_SECRETS: `1:${SECRET}` }).baseURL).toBe(
      "https://app.example.com",
    )
  })

  it("does not accept a host name that starts like a loopback address as one", () => {
    expect(errorMessage({ BETTER_AUTH_BASE_URL: "http://127.example.com" })).toContain("BETTER_AUTH_SECRETS")
  })

  it.each([
    ["http://localhost:3000", "better-auth-3000"],
    ["http://localhost:4000", "better-auth-4000"],
    ["http://localhost", "better-auth"],
    ["https://localhost:8443", "better-auth-8443"],
  ])("has cookies of its own at %s, with the prefix %s", (url, prefix) => {
    expect(readSettings({ BETTER_AUTH_BASE_URL: url }).cookiePrefix).toBe(prefix)
    expect(readSettings({ BETTER_AUTH_BASE_URL: url, EVO_TODO_COOKIE_PREFIX: "todo" }).cookiePrefix).toBe(
      "todo",
    )
  })

  it("rejects a key grace period shorter than the token lifetime", () => {
    const env = { EVO_TODO_TOKEN_LIFETIME: "7d", EVO_TODO_KEY_GRACE: "6d" }
    expect(errorMessage(env)).toMatch(/^EVO_TODO_KEY_GRACE="6d": /)
  })

  it.each([
    ["BETTER_AUTH_BASE_URL", "app.example.com"],
    ["BETTER_AUTH_BASE_URL", "https://app.example.com/path"],
    ["BETTER_AUTH_BASE_URL", "ftp://app.example.com"],
    ["NEXT_PUBLIC_API_URL", "https://api.example.com"],
    ["NEXT_PUBLIC_API_URL", "https://name:word@api.example.com/api"],
    ["EVO_TODO_SECURITY_EVENTS_URL", "api:8000"],
    ["EVO_TODO_SECURITY_EVENTS_URL", "https://name:word@api.example.com/api/security-events"],
    ["DATABASE_URL", "sqlite:///tasks.db"],
    ["DATABASE_URL", ""],
    ["EVO_TODO_ISSUER", ""],
    ["EVO_TODO_AUDIENCE", " "],
    ["EVO_TODO_TOKEN_LIFETIME", "900"],
    ["EVO_TODO_TOKEN_LIFETIME", "soon"],
    ["EVO_TODO_TOKEN_LIFETIME", "0s"],
    ["EVO_TODO_TOKEN_LIFETIME", "-15m"],
    ["EVO_TODO_KEY_ROTATION", "30"],
    ["EVO_TODO_TOKEN_STORE", "cookie"],
    ["EVO_TODO_TRUSTED_PROXIES", "10.0.0.0/8,nginx"],
    ["EVO_TODO_COOKIE_PREFIX", "a b"],
    ["EVO_TODO_AUTH_SCHEMA", "pg_catalog"],
    ["EVO_TODO_AUTH_SCHEMA", 'a"b'],
  ])("rejects %s=%j in one line with its name and what is allowed", (name, value) => {
    const message = errorMessage({ [name]: value })
    expect(message).toMatch(new RegExp(`^${name}="[^\n]*": must `))
    expect(message).not.toContain("\n")
  })

  it.each(["short", `x:${SECRET}`, `1:${SECRET},1:${SECRET}x`, "1:short", ""])(
    "rejects the secrets %j without repeating them",
    (value) => {
      expect(errorMessage({ BETTER_AUTH_SECRETS: value })).toMatch(/^BETTER_AUTH_SECRETS="…": must/)
    },
  )

  it.each([
    ["DATABASE_URL", "mysql://user:hidden@host/name"],
    ["DATABASE_URL", "postgresql://user:my@hidden:word@host/name"],
    ["DATABASE_URL", "postgresql://user:a/hidden@host/name"],
    ["DATABASE_URL", "postgresql://user:12?hidden@host/name"],
    ["DATABASE_URL", "postgresql://user:12#hidden@host/name"],
    ["DATABASE_URL", "postgresql://user:%zzhidden@host/name"],
    ["BETTER_AUTH_BASE_URL", "https://user:hidden@host"],
    ["NEXT_PUBLIC_API_URL", "https://us/er:hidden@host/api"],
    ["EVO_TODO_SECURITY_EVENTS_URL", "https://user:hid/hidden@host"],
  ])("does not repeat the password of %s=%j", (name, value) => {
    const message = errorMessage({ [name]: value })
    expect(message).toMatch(/^[A-Z_]+="…": must/)
    expect(message).not.toContain("hid")
  })

  it.each([
    "postgresql://host/name",
    "postgres://user:p%40ss%2Fword:!$&'()*+,;=@host:5432/name?sslmode=require&host=/tmp",
    "postgresql:///name?host=/tmp",
  ])("accepts the database %j", (url) => {
    expect(readSettings({ DATABASE_URL: url }).databaseURL).toBe(url)
  })

  it("documents every setting, and none that does not exist", () => {
    const source = readFileSync(new URL("settings.ts", import.meta.url), "utf8")
    const table = readFileSync(new URL("../../../docs/frontend.md", import.meta.url), "utf8")
    const names = (text: string, pattern: RegExp) => [...new Set(text.match(pattern))].sort()
    const documented = names(
      table.replace(/`EVO_TODO_WEB_(HOST|PORT)`/g, ""),
      /(?<=^\|.*`)[A-Z][A-Z_]+(?=`)/gm,
    )
    expect(documented).toEqual(names(source, /(?<=(read\(|env\.)"?)[A-Z][A-Z_]{5,}/g))
  })
})

describe("mail", () => {
  const server = { EVO_TODO_SMTP_URL: "smtp://user:p%40ss@mail.example.com:587" }

  it("is printed on this machine only, and sent by a server that is set", () => {
    expect(readSettings({}).mail).toBe("print")
    const elsewhere = { BETTER_AUTH_BASE_URL: "https://app.example.com", BETTER_AUTH_SECRETS: `1:${SECRET}` }
    expect(readSettings(elsewhere).mail).toBeNull()
    const from = "Evo-TODO <todo@example.com>"
    expect(readSettings({ ...server, EVO_TODO_MAIL_FROM: from }).mail).toEqual({
      url: server.EVO_TODO_SMTP_URL,
      from,
    })
  })

  it("needs a sender, in one line", () => {
    expect(errorMessage(server)).toContain("EVO_TODO_MAIL_FROM")
    expect(errorMessage({ ...server, EVO_TODO_MAIL_FROM: "a@b\r\nBcc: c@d" })).toContain("must be the sender")
  })

  it.each(["mail.example.com", "http://mail.example.com", "smtp://", "smtp://a b", "smtp://u:p/w@host"])(
    "refuses %s as a server, and shows no part of a password",
    (url) => {
      const message = errorMessage({ EVO_TODO_SMTP_URL: url, EVO_TODO_MAIL_FROM: "a@b" })
      expect(message).toMatch(/^EVO_TODO_SMTP_URL=.*must be smtp:/)
      expect(message).not.toContain("p/w")
    },
  )
})
