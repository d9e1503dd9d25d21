import EventEmitter, { once } from "node:events"
import { afterEach, describe, expect, test, vi } from "vitest"
import { ApiClient, MemoryTokenStore, Unauthorized } from "./index"
import { A_TASK, aClient, apiDouble, aSession, OK, problem, type Received, type Reply } from "./testing"

afterEach(() => vi.unstubAllGlobals())

const tokenOf = (request: Received) => request.headers.authorization?.replace("Bearer ", "")

/** A request that is at the API and gets its answer after `depart()`; others get 401 until `api.accepts`. */
async function aStraggler(answer: Reply) {
  const moments = new EventEmitter()
  const api = { accepts: false, departed: false }
  const { baseUrl } = await apiDouble(async ({ url }) => {
    if (!url.endsWith("/slow")) return api.accepts ? OK : problem(401)
    queueMicrotask(() => moments.emit("arrival"))
    if (!api.departed) await once(moments, "departure")
    return answer
  })
  const depart = () => {
    api.departed = true
    moments.emit("departure")
  }
  const session = aSession()
  const { client, record } = aClient(baseUrl, { tokens: session.tokens })
  const arrival = once(moments, "arrival")
  const slow = client.getTask("alice", "slow")
  slow.catch(() => {})
  await arrival
  return { client, record, session, slow, depart, api }
}

describe("a rejected token", () => {
  test("is renewed once, and the same request sent again, a change too", async () => {
    const { baseUrl, requests } = await apiDouble((_, before) => (before === 0 ? problem(401) : OK))
    const session = aSession()
    const { client, record } = aClient(baseUrl, { tokens: session.tokens })
    await expect(client.updateTask("alice", "1", { title: "Tea" }, { revision: 7 })).resolves.toEqual(A_TASK)
    expect(requests.map(tokenOf)).toEqual(session.given)
    const [first, second] = requests.map(({ headers: { authorization, ...headers }, ...rest }) => ({
      ...rest,
      headers,
    }))
    expect(second).toEqual(first)
    expect(second?.body).toBe('{"title":"Tea"}')
    expect(record).toEqual({ losses: 0, waits: [] })
  })

  test("is renewed once for all requests at the same time", async () => {
    const session = aSession()
    const { baseUrl, requests } = await apiDouble((request) =>
      tokenOf(request) === session.given[0] ? problem(401) : OK,
    )
    const { client } = aClient(baseUrl, { tokens: session.tokens })
    await Promise.all(["1", "2", "3", "4"].map((id) => client.getTask("alice", id)))
    expect(session.given).toHaveLength(2)
    expect(requests).toHaveLength(8)
  })

  test("and a second one lose the session: told once, nothing kept, the server's words", async () => {
    const { baseUrl, requests } = await apiDouble(() => problem(401, { detail: "The token was revoked." }))
    const session = aSession()
    const { client, record } = aClient(baseUrl, { tokens: session.tokens })
    const lost = await client.getTask("alice", "1").catch((error: unknown) => error)
    expect(lost).toBeInstanceOf(Unauthorized)
    expect(lost).toMatchObject({ status: 401, message: "The token was revoked." })
    expect(requests).toHaveLength(2)
    expect(record.losses).toBe(1)
    expect(session.store.read()).toBeNull()
  })

  test("is renewed once in a call, also when a read is tried again in between", async () => {
    const answers = [problem(401), problem(503), problem(401)]
    const { baseUrl, requests } = await apiDouble((_, before) => answers[before] ?? OK)
    const { client, record } = aClient(baseUrl)
    await expect(client.getTask("alice", "1")).rejects.toThrow(Unauthorized)
    expect(requests).toHaveLength(3)
    expect(record.losses).toBe(1)
  })

  test("that can't be renewed for want of an answer ends nothing", async () => {
    const { baseUrl } = await apiDouble(() => problem(401))
    const session = aSession()
    const { client, record } = aClient(baseUrl, { tokens: session.tokens })
    const token = await session.tokens.get()
    session.down = true
    await expect(client.createTask("alice", "Milk")).rejects.toMatchObject({ name: "Unreachable" })
    expect(await session.tokens.get()).toBe(token)
    expect(record.losses).toBe(0)
  })
})

describe("the loss of a session", () => {
  test("is told once, however many requests find it at the same time or later", async () => {
    const { baseUrl, requests } = await apiDouble(() => OK)
    const session = aSession()
    session.over = true
    const { client, record } = aClient(baseUrl, { tokens: session.tokens })
    const outcomes = await Promise.allSettled(["1", "2", "3"].map((id) => client.getTask("alice", id)))
    expect(outcomes.map((outcome) => outcome.status === "rejected" && outcome.reason.name)).toEqual(
      Array(3).fill("Unauthorized"),
    )
    await expect(client.getTask("alice", "4")).rejects.toThrow(Unauthorized)
    expect(record.losses).toBe(1)
    expect(requests).toHaveLength(0)
  })

  test("is told again after a request has succeeded in between", async () => {
    const { baseUrl } = await apiDouble(() => OK)
    const session = aSession()
    const { client, record } = aClient(baseUrl, { tokens: session.tokens })
    for (const over of [true, false, true]) {
      session.over = over
      session.tokens.clear()
      await client.getTask("alice", "1").catch(() => {})
    }
    expect(record.losses).toBe(2)
  })

  test("found by a straggler does not end the session that was begun since", async () => {
    const { client, record, session, slow, depart, api } = await aStraggler(problem(401))
    await expect(client.getTask("alice", "1")).rejects.toThrow(Unauthorized)
    api.accepts = true
    await client.getTask("alice", "1")
    depart()
    await expect(slow).rejects.toThrow(Unauthorized)
    expect(record.losses).toBe(1)
    expect(session.store.read()).toBe(session.given.at(-1))
  })

  test("found again by a straggler is not told again, but what it fetched is dropped", async () => {
    const { client, record, session, slow, depart } = await aStraggler(problem(401))
    await expect(client.getTask("alice", "1")).rejects.toThrow(Unauthorized)
    depart()
    await expect(slow).rejects.toThrow(Unauthorized)
    expect(session.given).toHaveLength(3)
    expect(session.store.read()).toBeNull()
    expect(record.losses).toBe(1)
  })

  test("is not over because a straggler from before succeeds", async () => {
    const { client, record, slow, depart } = await aStraggler(OK)
    await expect(client.getTask("alice", "1")).rejects.toThrow(Unauthorized)
    depart()
    await expect(slow).resolves.toEqual(A_TASK)
    await expect(client.getTask("alice", "1")).rejects.toThrow(Unauthorized)
    expect(record.losses).toBe(1)
  })

  test("leaves no token behind", async () => {
    const { baseUrl } = await apiDouble(() => problem(401))
    const session = aSession()
    const { client } = aClient(baseUrl, { tokens: session.tokens })
    await Promise.allSettled(["1", "2", "3"].map((id) => client.getTask("alice", id)))
    expect(session.store.read()).toBeNull()
    await client.getTask("alice", "4").catch(() => {})
    expect(session.given.length).toBeGreaterThan(2)
    expect(session.store.read()).toBeNull()
  })

  test("is told to the window where there is one, after the token was dropped", async () => {
    const page = new EventTarget()
    vi.stubGlobal("window", page)
    const told: string[] = []
    class ToldStore extends MemoryTokenStore {
      override clear() {
        told.push("clear")
      }
    }
    const session = aSession(new ToldStore())
    session.over = true
    page.addEventListener("auth:unauthorized", () => told.push("event"))
    await new ApiClient({ tokens: session.tokens }).getTask("alice", "1").catch(() => {})
    expect(told.slice(-2)).toEqual(["clear", "event"])
  })

  test("is thrown all the same where there is no window", async () => {
    const session = aSession()
    session.over = true
    const client = new ApiClient({ tokens: session.tokens })
    await expect(client.getTask("alice", "1")).rejects.toThrow(Unauthorized)
  })
})

test.each([403, 503])("a %i signs nobody out", async (status) => {
  const { baseUrl } = await apiDouble(() => problem(status))
  const session = aSession()
  const { client, record } = aClient(baseUrl, { tokens: session.tokens })
  const refused = await client.createTask("bob", "Milk").catch((error: unknown) => error)
  expect(refused).toMatchObject({ name: "ApiProblem", status })
  expect(refused).not.toBeInstanceOf(Unauthorized)
  expect(record.losses).toBe(0)
  expect(await session.tokens.get()).toBe(session.given[0])
  expect(session.given).toHaveLength(1)
})
