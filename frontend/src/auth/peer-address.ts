import { subscribe, unsubscribe } from "node:diagnostics_channel"
import type { IncomingMessage } from "node:http"

/** Node publishes each request on this channel before any handler runs. */
const CHANNEL = "http.server.request.start"

/**
 * Set X-Forwarded-For to the peer's address, as a last proxy would. Next keeps the client's value of this header, and
 * its handlers never see the socket, so rate limits on sign-in would count addresses that an attacker makes up.
 * Behind trusted proxies the peer's address is appended, and Better Auth walks the chain from its trusted end.
 *
 * @returns a function that stops it.
 */
export function forwardPeerAddresses({ behindProxies }: { behindProxies: boolean }): () => void {
  function setHeader(message: unknown): void {
    const { request } = message as { request: IncomingMessage }
    const peer = request.socket.remoteAddress ?? ""
    const claimed = request.headers["x-forwarded-for"]
    request.headers["x-forwarded-for"] = behindProxies && claimed ? `${claimed}, ${peer}` : peer
  }
  subscribe(CHANNEL, setHeader)
  return () => unsubscribe(CHANNEL, setHeader)
}
