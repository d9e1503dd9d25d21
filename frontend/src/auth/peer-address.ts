import { subscribe, unsubscribe } from "node:diagnostics_channel"
import type { IncomingMessage } from "node:http"
import { BlockList, isIP, isIPv4, isIPv6 } from "node:net"

/** Node publishes each request on this channel before any handler runs. */
const CHANNEL = "http.server.request.start"
const HEADER = "x-forwarded-for"
const MAX_PORT = 65535

/** How Better Auth finds the address that it counts requests by: an IPv6 address counts by its /64. */
export const IP_ADDRESS = { ipAddressHeaders: [HEADER as string], ipv6Subnet: 64 as const }

/**
 * Set X-Forwarded-For to the client's address, and to nothing else: the address of the socket's peer, or, behind trusted
 * proxies, the first address from the right of their chain that is not trusted. Next keeps the client's value of this
 * header, and its handlers never see the socket, so rate limits on sign-in would count addresses that an attacker makes
 * up. The chain is read here and not by Better Auth, which takes an entry with a port or brackets for no address, and
 * then counts all clients as one.
 *
 * @returns a function that stops it.
 */
export function forwardClientAddresses(trustedProxies: readonly string[]): () => void {
  const trusted = blockListOf(trustedProxies)
  function setHeader(message: unknown): void {
    const { request } = message as { request: IncomingMessage }
    const chain = trustedProxies.length > 0 ? String(request.headers[HEADER] ?? "") : ""
    request.headers[HEADER] = clientAddress(request.socket.remoteAddress ?? "", chain, trusted)
  }
  subscribe(CHANNEL, setHeader)
  return () => unsubscribe(CHANNEL, setHeader)
}

/** Walk from the peer towards the client, as long as each hop is trusted and well formed. */
function clientAddress(peer: string, chain: string, trusted: BlockList): string {
  let address = normalAddress(peer) ?? ""
  for (const entry of chain.split(",").reverse()) {
    if (address === "" || !trusted.check(address, isIPv4(address) ? "ipv4" : "ipv6")) break
    const next = hopAddress(entry)
    if (next === null) break
    address = next
  }
  return address
}

/** The address of an entry of X-Forwarded-For, as proxies write it: with or without a port, brackets and quotes. */
function hopAddress(entry: string): string | null {
  const text = entry.trim().replace(/^"(.*)"$/, (_, inside: string) => inside.trim())
  const withPort = /^(?:\[([^[\]]*:[^[\]]*)\]|([0-9.]+)(?=:))(?::([0-9]{1,5}))?$/.exec(text)
  if (withPort === null) return normalAddress(text)
  const [, v6, v4, port = "0"] = withPort
  return Number(port) <= MAX_PORT ? normalAddress(v6 ?? v4 ?? "") : null
}

/** An address in one form: IPv4-mapped IPv6 is IPv4, and there is no zone. `null`: it is no address. */
function normalAddress(text: string): string | null {
  if (isIPv4(text)) return text
  if (!isIPv6(text)) return null
  const { hostname } = new URL(`http://[${text.replace(/%.*$/, "")}]`) // compressed and in lower case (RFC 5952)
  const address = hostname.slice(1, -1)
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address)
  if (mapped === null) return address
  const bytes = mapped.slice(1).flatMap((group) => {
    const number = Number.parseInt(group, 16)
    return [number >> 8, number & 0xff]
  })
  return bytes.join(".")
}

/** Trusted addresses and networks; the settings have checked that each is one. */
function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [text = "", prefix] = network.split("/")
    const address = normalAddress(text) ?? text
    const family = isIPv4(address) ? "ipv4" : "ipv6"
    const mappedBits = isIP(text) === 6 && family === "ipv4" ? 96 : 0
    const bits = prefix === undefined ? (family === "ipv4" ? 32 : 128) : Number(prefix) - mappedBits
    if (bits >= 0) list.addSubnet(address, bits, family)
  }
  return list
}
