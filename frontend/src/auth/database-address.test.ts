import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { readAddress } from "./database-address"

const document = readFileSync(new URL("../../../docs/operations.md", import.meta.url), "utf8")
const table = [...document.matchAll(/^\| `((?:postgres|jdbc)\S+)` \| [^|]+ \| ([^|]+) \|$/gm)].map(
  ([, address = "", outcome = ""]) => [
    address.replace("/etc/ssl/server-ca.pem", fileURLToPath(import.meta.url)),
    outcome,
  ],
)
const isRefused = ([, outcome = ""]: string[]) => outcome.startsWith("refused")

describe("the address of a database", () => {
  it.each(table.filter((row) => !isRefused(row)))("%s is read", (address = "") => {
    const read = readAddress(address)
    expect([read.user, read.password, read.database]).toEqual(["user", "password", "name"])
    expect(read.servers[0]).toEqual({ host: expect.stringMatching(/^host$|^\/run\/postgresql$/), port: 5432 })
  })

  it.each(table.filter(isRefused))("%s is %s", (address = "", outcome = "") => {
    const words = [...outcome.matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word)
    expect(() => readAddress(address)).toThrow(RangeError)
    for (const word of words) expect(() => readAddress(address)).toThrow(word)
  })

  it.each([
    ["postgresql://a,b:5433/name", ["a:5432", "b:5433"]],
    ["postgresql://a,b/name?port=5433", ["a:5433", "b:5433"]],
    ["postgresql:///name?host=a,b&port=1,2", ["a:1", "b:2"]],
    ["postgresql:///name?host=2001:db8::1", ["2001:db8::1:5432"]],
    ["postgresql://[2001:db8::1]:5433/name", ["2001:db8::1:5433"]],
    ["postgresql:///name?host=/tmp", ["/tmp:5432"]],
  ])("%s has the servers %j", (address, servers) => {
    expect(readAddress(address).servers.map(({ host, port }) => `${host}:${port}`)).toEqual(servers)
  })

  it.each([
    ["", "prefer", false],
    ["?sslmode=disable", "disable", undefined],
    ["?sslmode=prefer", "prefer", false],
    ["?sslmode=require", "require", false],
    ["?sslmode=verify-full&sslrootcert=system", "require", true],
    ["?sslrootcert=system", "require", true],
  ])("with %j TLS is %s", (parameters, tls, verifies) => {
    const read = readAddress(`postgresql://host/name${parameters}`)
    expect([read.tls, read.tlsOptions.rejectUnauthorized]).toEqual([tls, verifies])
  })

  it("sends what is no parameter of a client to the server", () => {
    const { settings } = readAddress(
      "postgresql://host/name?options=-c%20a%3Db&statement_timeout=5s&sslsni=1",
    )
    expect(settings).toEqual({ options: "-c a=b", statement_timeout: "5s" })
  })

  it.each(["postgresql://host:0/name", "postgresql://host:65536/name", "postgresql://%FF@host/name"])(
    "refuses %s",
    (address) => {
      expect(() => readAddress(address)).toThrow("must be postgresql://")
    },
  )
})
