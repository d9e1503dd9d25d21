import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { readSettings, SettingError } from "./settings"

const SECRET = `${"a".repeat(31)}b`

function refusal(env: Record<string, string>): string {
  try {
    readSettings(env)
  } catch (error) {
    expect(error).toBeInstanceOf(SettingError)
    return (error as SettingError).message
  }
  throw new Error("it was accepted")
}

describe("settings", () => {
  it("needs none on this machine", () => {
    expect(readSettings({})).toEqual({
      baseURL: "http://localhost:3000",
      issuer: "http://localhost:3000",
      audience: "http://localhost:3000",
      databaseURL: null,
      secrets: null,
      dataFolder: ".evo-todo",
      apiURL: "http://localhost:8000/api",
      securityEventsURL: "http://localhost:8000/api/security-events",
      tokenLifetime: 900,
      tokenStore: "memory",
      keyRotation: 30 * 86400,
      keyGrace: 8 * 86400,
      trustedProxies: [],
    })
  })

  it("takes the guide's seven days as a token's life", () => {
    expect(readSettings({ EVO_TODO_TOKEN_LIFETIME: "7d" }).tokenLifetime).toBe(7 * 86400)
  })

  it("takes issuer and audience from the base URL unless they are set", () => {
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

  it("takes one secret without a version as the first", () => {
    expect(readSettings({ BETTER_AUTH_SECRET: SECRET }).secrets).toEqual([{ version: 1, value: SECRET }])
  })

  it("wants secrets of one's own wherever others can reach it", () => {
    const env = { BETTER_AUTH_BASE_URL: "https://app.example.com" }
    expect(refusal(env)).toContain("BETTER_AUTH_SECRETS is not set")
    expect(readSettings({ ...env, BETTER_AUTH_SECRETS: `1:${SECRET}` }).baseURL).toBe(
      "https://app.example.com",
    )
  })

  it("does not take a name that begins like a loopback address for one", () => {
    expect(refusal({ BETTER_AUTH_BASE_URL: "http://127.example.com" })).toContain("BETTER_AUTH_SECRETS")
  })

  it("keeps a replaced key published for as long as a token lives", () => {
    const env = { EVO_TODO_TOKEN_LIFETIME: "7d", EVO_TODO_KEY_GRACE: "6d" }
    expect(refusal(env)).toMatch(/^EVO_TODO_KEY_GRACE="6d": /)
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
  ])("refuses %s=%j in one line that names it and says what it takes", (name, value) => {
    const message = refusal({ [name]: value })
    expect(message).toMatch(new RegExp(`^${name}="[^\n]*": (takes|a time)`))
    expect(message).not.toContain("\n")
  })

  it.each(["short", `x:${SECRET}`, `1:${SECRET},1:${SECRET}x`, "1:short", ""])(
    "refuses the secrets %j without repeating them",
    (value) => {
      expect(refusal({ BETTER_AUTH_SECRETS: value })).toMatch(/^BETTER_AUTH_SECRETS="…": takes/)
    },
  )

  it("does not repeat a password when it refuses an address", () => {
    expect(refusal({ DATABASE_URL: "mysql://user:hidden@host/name" })).not.toContain("hidden")
  })

  it("is described, every one of them, and none that does not exist", () => {
    const source = readFileSync(new URL("settings.ts", import.meta.url), "utf8")
    const table = readFileSync(new URL("../../../docs/frontend.md", import.meta.url), "utf8")
    const names = (text: string, pattern: RegExp) => [...new Set(text.match(pattern))].sort()
    const described = names(
      table.replace(/`EVO_TODO_WEB_(HOST|PORT)`/g, ""),
      /(?<=^\|.*`)[A-Z][A-Z_]+(?=`)/gm,
    )
    expect(described).toEqual(names(source, /(?<=(read\(|env\.)"?)[A-Z][A-Z_]{5,}/g))
  })
})
