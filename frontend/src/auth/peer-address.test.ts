import { createServer, request } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, beforeEach, expect, it } from "vitest"
import { forwardPeerAddresses } from "./peer-address"

const server = createServer((request, response) => response.end(request.headers["x-forwarded-for"]))
let stop: () => void

beforeEach(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
})

afterEach(async () => {
  stop()
  await new Promise((resolve) => server.close(resolve))
})

/** The X-Forwarded-For header that a handler sees when a client sends these headers. */
function forwardedFor(headers: Record<string, string>): Promise<string> {
  const { port } = server.address() as AddressInfo
  return new Promise((resolve, reject) => {
    const outgoing = request({ port, host: "127.0.0.1", headers, agent: false }, async (response) => {
      resolve((await response.toArray()).join(""))
    })
    outgoing.on("error", reject).end()
  })
}

it("replaces the address that the client claims with the peer's address", async () => {
  stop = forwardPeerAddresses({ behindProxies: false })
  expect(await forwardedFor({})).toBe("127.0.0.1")
  expect(await forwardedFor({ "X-Forwarded-For": "203.0.113.9" })).toBe("127.0.0.1")
})

it("appends the peer's address to the chain of a proxy", async () => {
  stop = forwardPeerAddresses({ behindProxies: true })
  expect(await forwardedFor({ "X-Forwarded-For": "203.0.113.9" })).toBe("203.0.113.9, 127.0.0.1")
  expect(await forwardedFor({})).toBe("127.0.0.1")
})
