import { createServer, request } from "node:http"
import type { AddressInfo } from "node:net"
import { getIP } from "better-auth/api"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { forwardClientAddresses, IP_ADDRESS } from "./peer-address"

const server = createServer((request, response) => response.end(request.headers["x-forwarded-for"]))
let stop: () => void

beforeEach(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
})

afterEach(async () => {
  stop()
  await new Promise((resolve) => server.close(resolve))
})

/** The X-Forwarded-For header that a handler sees when a client sends these values of it, each in a line. */
function forwardedFor(...values: string[]): Promise<string> {
  const { port } = server.address() as AddressInfo
  const headers = values.length > 0 ? { "X-Forwarded-For": values } : {}
  return new Promise((resolve, reject) => {
    const outgoing = request({ port, host: "127.0.0.1", headers, agent: false }, async (response) => {
      resolve((await response.toArray()).join(""))
    })
    outgoing.on("error", reject).end()
  })
}

/** What Better Auth counts that request by. */
async function identity(...values: string[]): Promise<string | null> {
  const headers = new Headers({ "X-Forwarded-For": await forwardedFor(...values) })
  return getIP(headers, { advanced: { ipAddress: IP_ADDRESS } })
}

describe("without trusted proxies", () => {
  beforeEach(() => {
    stop = forwardClientAddresses([])
  })

  it("replaces the address that the client claims with the peer's address", async () => {
    expect(await forwardedFor()).toBe("127.0.0.1")
    expect(await forwardedFor("203.0.113.9")).toBe("127.0.0.1")
    expect(await forwardedFor("203.0.113.9, 127.0.0.1")).toBe("127.0.0.1")
  })
})

describe("behind trusted proxies", () => {
  beforeEach(() => {
    stop = forwardClientAddresses(["127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48", "::ffff:172.16.0.0/108"])
  })

  it.each([
    ["203.0.113.9", "203.0.113.9"],
    ["1.2.3.4, 203.0.113.9", "203.0.113.9"],
    ["203.0.113.9, 10.0.0.2,\t[2001:db8:1::5]:443, 172.16.0.1:8080", "203.0.113.9"],
    ["203.0.113.7:51234", "203.0.113.7"],
    ["203.0.113.7:0", "203.0.113.7"],
    ["[2001:db8:2::9]", "2001:db8:2::9"],
    ["[2001:DB8:2:0::9]:443", "2001:db8:2::9"],
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["[::ffff:cb00:7107]:65535", "203.0.113.7"],
    ["fe80::9%eth0", "fe80::9"],
    ["[fe80::9%25eth0]:443", "fe80::9"],
    ['"203.0.113.7:51234"', "203.0.113.7"],
    [' "[2001:db8:2::9]:443" ', "2001:db8:2::9"],
  ])("reads %j as %s", async (chain, address) => {
    expect(await forwardedFor(chain)).toBe(address)
    expect(await forwardedFor("1.2.3.4", chain)).toBe(address)
    expect(await forwardedFor(`${chain}, 10.0.0.2:8080`)).toBe(address)
  })

  it("takes the first of a chain of proxies alone", async () => {
    expect(await forwardedFor("10.0.0.3, 10.0.0.2")).toBe("10.0.0.3")
    expect(await forwardedFor()).toBe("127.0.0.1")
  })

  it.each([
    ...["", "unknown", "_hidden", "203.0.113.9,", "1.2.3.4.5", '"', '"203.0.113.9', ":80", "203.0.113.9:"],
    ...[
      "203.0.113.9:x",
      "203.0.113.9:65536",
      "203.0.113.9:80:80",
      "[2001:db8::1",
      "2001:db8::1]",
      "[::1]443",
    ],
    ...[
      "[::1]:",
      "[]:80",
      "[[::1]]",
      "[203.0.113.9]:80",
      "203.0.113.9%eth0",
      "203.0.113.9/32",
      "for=1.2.3.4",
    ],
  ])("ends the walk at the last trusted proxy where an entry is %j", async (garbage) => {
    expect(await forwardedFor(`203.0.113.9, ${garbage}, 10.0.0.2`)).toBe("10.0.0.2")
    expect(await forwardedFor(`203.0.113.9, ${garbage}`)).toBe("127.0.0.1")
  })

  it("gives four people behind one proxy that writes ports four identities", async () => {
    const people = ["203.0.113.1:1", "203.0.113.2:1", "[2001:db8:2::1]:1", "[2001:db8:2:1::1]:1"]
    expect(new Set(await Promise.all(people.map((one) => identity(one)))).size).toBe(4)
  })

  it("gives all addresses of a /64, and all forms of an IPv4 address, one identity", async () => {
    const site = ["2001:db8:2::1", "[2001:db8:2::2]", "[2001:db8:2:0:ffff::]:443", "2001:db8:2::3%eth0"]
    expect(new Set(await Promise.all(site.map((one) => identity(one)))).size).toBe(1)
    const forms = ["203.0.113.7", "203.0.113.7:1", "::ffff:203.0.113.7", '"[::ffff:203.0.113.7]:2"']
    expect(new Set(await Promise.all(forms.map((one) => identity(one)))).size).toBe(1)
  })
})
