import EventEmitter, { once } from "node:events"
import { afterEach, describe, expect, test, vi } from "vitest"
import { ApiClient, MemoryTokenStore, Unauthorized } from "./index.ts"
import {
  fakeSession,
  OK,
  problem,
  type Received,
  type Reply,
  startFakeApi,
  TASK,
  testClient,
} from "./testing.ts"

afterEach(() => vi.unstubAllGlobals())

const tokenOf = (request: Received) => request.headers.authorization?.replace("Bearer ", "")

/** A request that has arrived at the API and gets its reply after `release()`; others get 401 until `api.accepts`. */
async function lateRequest(reply: Reply) {
  const signals = new EventEmitter()
  const api = { accepts: false, released: false }
  const { baseUrl } = await startFakeApi(async ({ url }) => {
    if (!url.endsWith("/slow")) return api.accepts ? OK : problem(401)
    queueMicrotask(() => signals.emit("arrival"))
    if (!api.released) await once(signals, "release")
    return reply
  })
  const release = () => {
    api.released = true
    signals.emit("release")
  }
  const session = fakeSession()
  const { client, record } = testClient(baseUrl, { tokens: session.tokens })
  const arrival = once(signals, "arrival")
  const slow = client.getTask("alice", "slow")
  slow.catch(() => {})
  await arrival
  return { client, record, session, slow, release, api }
}

describe("a rejected token", () => {
  test("is renewed once, and the same request is sent again, also if it is a change", async () => {
    const { baseUrl, requests } = await startFakeApi((_, before) => (before === 0 ? problem(401) : OK))
    const session = fakeSession()
    const { client, record } = testClient(baseUrl, { tokens: session.tokens })
    await expect(client.updateTask("alice", "1", { title: "Tea" }, { revision: 7 })).resolves.toEqual(TASK)
    expect(requests.map(tokenOf)).toEqual(session.issued)
    const [first, second] = requests.map(({ headers: { authorization, ...headers }, ...rest }) => ({
      ...rest,
      headers,
    }))
    expect(second).toEqual(first)
    expect(second?.body).toBe('{"title":"Tea"}')
    expect(record).toEqual({ sessionEnds: 0, waits: [] })
  })

  test("is renewed once for all concurrent requests", async () => {
    const session = fakeSession()
    const { baseUrl, requests } = await startFakeApi((request) =>
      tokenOf(request) === session.issued[0] ? problem(401) : OK,
    )
    const { client } = testClient(baseUrl, { tokens: session.tokens })
    await Promise.all(["1", "2", "3", "4"].map((id) => client.getTask("alice", id)))
    expect(session.issued).toHaveLength(2)
    expect(requests).toHaveLength(8)
  })

  test("and a rejected new one end the session: one event, no token, the server's message", async () => {
    const { baseUrl, requests } = await startFakeApi(() => problem(401, { detail: "The token was revoked." }))
    const session = fakeSession()
    const { client, record } = testClient(baseUrl, { tokens: session.tokens })
    const failure = await client.getTask("alice", "1").catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(Unauthorized)
    expect(failure).toMatchObject({ status: 401, message: "The token was revoked." })
    expect(requests).toHaveLength(2)
    expect(record.sessionEnds).toBe(1)
    expect(session.store.read()).toBeNull()
  })

  test("is renewed once per call, also when a read is retried in between", async () => {
    const replies = [problem(401), problem(503), problem(401)]
    const { baseUrl, requests } = await startFakeApi((_, before) => replies[before] ?? OK)
    const { client, record } = testClient(baseUrl)
    await expect(client.getTask("alice", "1")).rejects.toThrow(Unauthorized)
    expect(requests).toHaveLength(3)
    expect(record.sessionEnds).toBe(1)
  })

  const calls: [string, (client: ApiClient) => Promise<unknown>][] = [
    ["a read", (client) => client.getTask("alice", "1")],
    ["a create", (client) => client.createTask("alice", "Milk")],
    ["another change", (client) => client.updateTask("alice", "1", {})],
  ]
  test.each(calls)("that cannot be renewed for lack of a response ends nothing: %s", async (_, call) => {
    const { baseUrl } = await startFakeApi(() => problem(401))
    const session = fakeSession()
    const { client, record } = testClient(baseUrl, { tokens: session.tokens })
    const token = await session.tokens.get()
    session.isDown = true
    await expect(call(client)).rejects.toMatchObject({ name: "Unreachable" })
    expect(await session.tokens.get()).toBe(token)
    expect(record.sessionEnds).toBe(0)
  })
})

describe("the end of a session", () => {
  test("is reported once, however many requests fail at the same time or later", async () => {
    const { baseUrl, requests } = await startFakeApi(() => OK)
    const session = fakeSession()
    session.ended = true
    const { client, record } = testClient(baseUrl, { tokens: session.tokens })
    const outcomes = await Promise.allSettled(["1", "2", "3"].map((id) => client.getTask("alice", id)))
    expect(outcomes.map((outcome) => outcome.status === "rejected" && outcome.reason.name)).toEqual(
      Array(3).fill("Unauthorized"),
    )
    await expect(client.getTask("alice", "4")).rejects.toThrow(Unauthorized)
    expect(record.sessionEnds).toBe(1)
    expect(requests).toHaveLength(0)
  })

  test("is reported again after a request has succeeded in between", async () => {
    const { baseUrl } = await startFakeApi(() => OK)
    const session = fakeSession()
    const { client, record } = testClient(baseUrl, { tokens: session.tokens })
    for (const ended of [true, false, true]) {
      session.ended = ended
      session.tokens.clear()
      await client.getTask("alice", "1").catch(() => {})
    }
    expect(record.sessionEnds).toBe(2)
  })

  test("found by a late response does not end a session that has started since", async () => {
    const { client, record, session, slow, release, api } = await lateRequest(problem(401))
    await expect(client.getTask("alice", "1")).rejects.toThrow(Unauthorized)
    api.accepts = true
    await client.getTask("alice", "1")
    release()
    await expect(slow).rejects.toThrow(Unauthorized)
    expect(record.sessionEnds).toBe(1)
    expect(session.store.read()).toBe(session.issued.at(-1))
  })

  test("found again by a late response is not reported again, but its token is cleared", async () => {
    const { client, record, session, slow, release } = await lateRequest(problem(401))
    await expect(client.getTask("alice", "1")).rejects.toThrow(Unauthorized)
    release()
    await expect(slow).rejects.toThrow(Unauthorized)
    expect(session.issued).toHaveLength(3)
    expect(session.store.read()).toBeNull()
    expect(record.sessionEnds).toBe(1)
  })

  test("is not undone by a late response that succeeds", async () => {
    const { client, record, slow, release } = await lateRequest(OK)
    await expect(client.getTask("alice", "1")).rejects.toThrow(Unauthorized)
    release()
    await expect(slow).resolves.toEqual(TASK)
    await expect(client.getTask("alice", "1")).rejects.toThrow(Unauthorized)
    expect(record.sessionEnds).toBe(1)
  })

  test("leaves no token behind", async () => {
    const { baseUrl } = await startFakeApi(() => problem(401))
    const session = fakeSession()
    const { client } = testClient(baseUrl, { tokens: session.tokens })
    await Promise.allSettled(["1", "2", "3"].map((id) => client.getTask("alice", id)))
    expect(session.store.read()).toBeNull()
    await client.getTask("alice", "4").catch(() => {})
    expect(session.issued.length).toBeGreaterThan(2)
    expect(session.store.read()).toBeNull()
  })

  test("is dispatched on the window, if there is one, after the token was cleared", async () => {
    const page = new EventTarget()
    vi.stubGlobal("window", page)
    const calls: string[] = []
    class RecordingStore extends MemoryTokenStore {
      override clear() {
        calls.push("clear")
      }
    }
    const session = fakeSession(new RecordingStore())
    session.ended = true
    page.addEventListener("auth:unauthorized", () => calls.push("event"))
    await new ApiClient({ tokens: session.tokens }).getTask("alice", "1").catch(() => {})
    expect(calls.slice(-2)).toEqual(["clear", "event"])
  })

  test("is also thrown without a window", async () => {
    const session = fakeSession()
    session.ended = true
    const client = new ApiClient({ tokens: session.tokens })
    await expect(client.getTask("alice", "1")).rejects.toThrow(Unauthorized)
  })
})

test.each([403, 503])("a %i does not end the session", async (status) => {
  const { baseUrl } = await startFakeApi(() => problem(status))
  const session = fakeSession()
  const { client, record } = testClient(baseUrl, { tokens: session.tokens })
  const failure = await client.createTask("bob", "Milk").catch((error: unknown) => error)
  expect(failure).toMatchObject({ name: "ApiProblem", status })
  expect(failure).not.toBeInstanceOf(Unauthorized)
  expect(record.sessionEnds).toBe(0)
  expect(await session.tokens.get()).toBe(session.issued[0])
  expect(session.issued).toHaveLength(1)
})
