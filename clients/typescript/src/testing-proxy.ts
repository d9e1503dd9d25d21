import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"
import { onTestFinished } from "vitest"

/** What stands between a client and the service: it can cut, delay and hold back what the service sends. */
export class FakeProxy {
  port = 0
  /** After how many bytes from the service to close the connection with this number, counted from 0. */
  cutAfter: (connection: number) => number | undefined = () => undefined
  /** Hold all bytes of an event stream back until the service ends it. `body`: let the header fields pass. */
  holds: "nothing" | "body" | "everything" = "nothing"
  connections = 0
  readonly sockets = new Set<Socket>()

  get baseUrl(): string {
    return `http://127.0.0.1:${this.port}/api`
  }

  cutAll(): void {
    for (const socket of this.sockets) socket.destroy()
  }

  accept(client: Socket, target: { host: string; port: number }): void {
    const limit = this.cutAfter(this.connections++) ?? Number.POSITIVE_INFINITY
    const upstream = connect(target)
    let sent = 0
    let held: Buffer[] = []
    const pass = (bytes: Buffer) => {
      if (sent + bytes.length >= limit) client.end(bytes.subarray(0, limit - sent), () => client.destroy())
      else client.write(bytes)
      sent += bytes.length
    }
    upstream.on("data", (bytes) => {
      if (sent >= limit) return
      if (held.length === 0 && (this.holds === "nothing" || !bytes.includes("text/event-stream")))
        return pass(bytes)
      const head = held.length === 0 && this.holds === "body" ? bytes.indexOf("\r\n\r\n") + 4 : 0
      if (head > 0) pass(bytes.subarray(0, head))
      held.push(bytes.subarray(head))
      if (bytes.subarray(-5).toString() === "0\r\n\r\n") release() // the last chunk of the response
    })
    const release = () => {
      for (const bytes of held) pass(bytes)
      held = []
    }
    upstream.on("end", () => {
      release()
      client.end()
    })
    client.on("data", (bytes) => upstream.write(bytes))
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => {
        this.sockets.delete(socket)
        if (socket === client) other.destroy()
      })
    }
  }
}

export async function startFakeProxy(port: number, host = "127.0.0.1"): Promise<FakeProxy> {
  const proxy = new FakeProxy()
  const server = createServer((socket) => proxy.accept(socket, { host, port }))
  proxy.port = await listen(server)
  onTestFinished(() => proxy.cutAll())
  return proxy
}

/** Listens on a free port of this machine until the test has finished. */
export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}
