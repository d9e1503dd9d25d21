import { createServer, request } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, beforeEach, expect, it } from "vitest"
import { countPeerAddresses } from "./peer-address"

const server = createServer((request, response) => response.end(request.headers["x-forwarded-for"]))
let stop: () => void

beforeEach(async () => {
  await new Promise<void>((listens) => server.listen(0, "127.0.0.1", listens))
})

afterEach(async () => {
  stop()
  await new Promise((closed) => server.close(closed))
})

/** What a handler sees of the header when a client sends this. */
function seen(headers: Record<string, string>): Promise<string> {
  const { port } = server.address() as AddressInfo
  return new Promise((resolve, reject) => {
    const asked = request({ port, host: "127.0.0.1", headers, agent: false }, async (answer) => {
      resolve((await answer.toArray()).join(""))
    })
    asked.on("error", reject).end()
  })
}

it("puts the peer's address in the place of what the client claims", async () => {
  stop = countPeerAddresses({ behindProxies: false })
  expect(await seen({})).toBe("127.0.0.1")
  expect(await seen({ "X-Forwarded-For": "203.0.113.9" })).toBe("127.0.0.1")
})

it("puts the peer's address after what a proxy tells", async () => {
  stop = countPeerAddresses({ behindProxies: true })
  expect(await seen({ "X-Forwarded-For": "203.0.113.9" })).toBe("203.0.113.9, 127.0.0.1")
  expect(await seen({})).toBe("127.0.0.1")
})
