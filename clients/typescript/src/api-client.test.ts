import { describe, expect, test } from "vitest"
import { ApiClient } from "./index.ts"
import { fakeSession, OK, startFakeApi, TASK, testClient } from "./testing.ts"

const ID = TASK.id

describe("each method sends the request that the contract defines", () => {
  const list = "/api/alice/tasks"
  const one = `${list}/${ID}`
  const calls: [string, (client: ApiClient) => Promise<unknown>, string, string, string?][] = [
    ["getTask", (client) => client.getTask("alice", ID), `GET ${one}`, ""],
    [
      "createTask",
      (client) => client.createTask("alice", "Milk", "Two"),
      `POST ${list}`,
      '{"title":"Milk","description":"Two"}',
    ],
    [
      "createTask without a description",
      (client) => client.createTask("alice", "Milk"),
      `POST ${list}`,
      '{"title":"Milk","description":null}',
    ],
    [
      "updateTask",
      (client) => client.updateTask("alice", ID, { title: "Tea" }),
      `PUT ${one}`,
      '{"title":"Tea"}',
    ],
    [
      "updateTask at a revision",
      (client) => client.updateTask("alice", ID, {}, { revision: 7 }),
      `PUT ${one}`,
      "{}",
      '"7"',
    ],
    [
      "toggleTaskCompletion",
      (client) => client.toggleTaskCompletion("alice", ID),
      `PATCH ${one}/complete`,
      "",
    ],
    [
      "setTaskCompletion",
      (client) => client.setTaskCompletion("alice", ID, false),
      `PATCH ${one}/complete`,
      '{"completed":false}',
    ],
    [
      "setTaskCompletion at a revision",
      (client) => client.setTaskCompletion("alice", ID, true, { revision: 0 }),
      `PATCH ${one}/complete`,
      '{"completed":true}',
      '"0"',
    ],
    ["restoreTask", (client) => client.restoreTask("alice", ID), `POST ${one}/restore`, ""],
  ]

  test.each(calls)("%s", async (_, call, line, body, ifMatch) => {
    const { baseUrl, requests } = await startFakeApi(() => OK)
    expect(await call(testClient(baseUrl).client)).toEqual(TASK)
    const [request] = requests
    expect(requests).toHaveLength(1)
    expect(`${request?.method} ${request?.url}`).toBe(line)
    expect(request?.body).toBe(body)
    expect(request?.headers["content-type"]).toBe(body === "" ? undefined : "application/json")
    expect(request?.headers["if-match"]).toBe(ifMatch)
  })

  test.each([undefined, { revision: 3 }])("deleteTask %o resolves with nothing", async (options) => {
    const { baseUrl, requests } = await startFakeApi(() => ({ status: 204 }))
    expect(await testClient(baseUrl).client.deleteTask("alice", ID, options)).toBeUndefined()
    expect(requests[0]).toMatchObject({ method: "DELETE", url: one, body: "" })
    expect(requests[0]?.headers["if-match"]).toBe(options && '"3"')
  })
})

describe("every request", () => {
  test("has the token in its Authorization header, and nowhere else", async () => {
    const { baseUrl, requests } = await startFakeApi(() => OK)
    const session = fakeSession()
    await testClient(baseUrl, { tokens: session.tokens }).client.createTask("alice", "Milk")
    const { headers: { authorization, ...others } = {}, ...rest } = requests[0] ?? {}
    expect(authorization).toBe(`Bearer ${session.issued[0]}`)
    expect(JSON.stringify({ others, rest })).not.toContain(session.issued[0])
    expect(others.cookie).toBeUndefined()
  })

  test("sends no cookies and follows no redirects, whatever the method", async () => {
    const seen: string[] = []
    const fetch = async (input: RequestInfo | URL) => {
      const { method, credentials, redirect } = input as Request
      seen.push(`${method} ${credentials} ${redirect}`)
      return Response.json(TASK)
    }
    const { client } = testClient("http://127.0.0.1/api", { fetch })
    await client.getTask("alice", ID)
    await client.updateTask("alice", ID, {})
    expect(seen).toEqual(["GET omit error", "PUT omit error"])
  })

  test("percent-encodes the ids in its path", async () => {
    const { baseUrl, requests } = await startFakeApi(() => OK)
    await testClient(baseUrl).client.getTask("a/b?c#d{task_id}", "ü %2F")
    expect(requests[0]?.url).toBe("/api/a%2Fb%3Fc%23d%7Btask_id%7D/tasks/%C3%BC%20%252F")
  })

  test.each(["", ".", ".."])(
    "is not sent with %o as an id: the URL would address another resource",
    async (id) => {
      const { baseUrl, requests } = await startFakeApi(() => ({ status: 204 }))
      const { client } = testClient(baseUrl)
      await expect(client.deleteTask("alice", id)).rejects.toThrow(TypeError)
      await expect(client.listTasks(id)).rejects.toThrow(TypeError)
      expect(requests).toHaveLength(0)
    },
  )

  test("uses localhost:8000 by default, and ignores a trailing slash of the base URL", async () => {
    const urls: string[] = []
    const fetch = async (input: RequestInfo | URL) => {
      urls.push((input as Request).url)
      return Response.json(TASK)
    }
    const { tokens } = fakeSession()
    await new ApiClient({ tokens, fetch }).getTask("alice", "1")
    await new ApiClient({ tokens, fetch, baseUrl: "https://tasks.example/v2/api/" }).getTask("alice", "1")
    expect(urls).toEqual([
      "http://localhost:8000/api/alice/tasks/1",
      "https://tasks.example/v2/api/alice/tasks/1",
    ])
  })
})
