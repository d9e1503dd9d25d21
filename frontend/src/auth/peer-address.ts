import { subscribe, unsubscribe } from "node:diagnostics_channel"
import type { IncomingMessage } from "node:http"

/** Told of each request, by Node, before anybody handles it. */
const CHANNEL = "http.server.request.start"

/**
 * Put the peer's own address into X-Forwarded-For, as the last proxy would. Next keeps whatever a client wrote there,
 * and its handlers never see the socket; limits on sign-in would count addresses that an attacker makes up.
 * Behind proxies of our own the chain is kept, for Better Auth to walk from its trusted end.
 * What it returns ends it.
 */
export function countPeerAddresses({ behindProxies }: { behindProxies: boolean }): () => void {
  function count(message: unknown): void {
    const { request } = message as { request: IncomingMessage }
    const peer = request.socket.remoteAddress ?? ""
    const claimed = request.headers["x-forwarded-for"]
    request.headers["x-forwarded-for"] = behindProxies && claimed ? `${claimed}, ${peer}` : peer
  }
  subscribe(CHANNEL, count)
  return () => unsubscribe(CHANNEL, count)
}
