import { describe, expect, test } from "vitest"
import type { Task } from "./index.ts"
import { startFakeApi, TASK, testClient } from "./testing.ts"

describe("listTasks", () => {
  const task = (id: string, more: Partial<Task> = {}): Task => ({ ...TASK, id, ...more })
  const page = (tasks: Task[], next: string | null) => ({
    json: { data: tasks, count: tasks.length, next_cursor: next },
  })

  test("follows next_cursor to the last page", async () => {
    const pages = [page([task("1"), task("2")], "c+1/="), page([], "c2"), page([task("3")], null)]
    const { baseUrl, requests } = await startFakeApi((_, before) => pages[before] ?? page([], null))
    expect((await testClient(baseUrl).client.listTasks("alice")).map(({ id }) => id)).toEqual(["1", "2", "3"])
    expect(requests.map(({ url }) => url)).toEqual([
      "/api/alice/tasks?limit=1000",
      "/api/alice/tasks?limit=1000&cursor=c%2B1%2F%3D",
      "/api/alice/tasks?limit=1000&cursor=c2",
    ])
  })

  test("sends the same filters with each cursor, as the API requires, and no others", async () => {
    const { baseUrl, requests } = await startFakeApi((_, before) => page([], before === 0 ? "next" : null))
    const query = { completed: false, q: "a&b", sort: undefined, signal: new AbortController().signal }
    await testClient(baseUrl).client.listTasks("alice", query)
    expect(requests.map(({ url }) => url)).toEqual([
      "/api/alice/tasks?completed=false&q=a%26b&limit=1000",
      "/api/alice/tasks?completed=false&q=a%26b&limit=1000&cursor=next",
    ])
  })

  test("returns a task that moved between two pages once, in its latest version", async () => {
    const pages = [page([task("1"), task("2")], "next"), page([task("1", { revision: 9 })], null)]
    const { baseUrl } = await startFakeApi((_, before) => pages[before] ?? page([], null))
    const tasks = await testClient(baseUrl).client.listTasks("alice", { sort: "updated_at" })
    expect(tasks.map(({ id, revision }) => [id, revision])).toEqual([
      ["1", 9],
      ["2", 1],
    ])
  })

  test.each([{}, [], null, { data: null, next_cursor: null }, { data: [] }, { data: [], next_cursor: 5 }])(
    "rejects what is no page: %j",
    async (json) => {
      const { baseUrl, requests } = await startFakeApi(() => ({ json }))
      const found = testClient(baseUrl).client.listTasks("alice")
      await expect(found).rejects.toMatchObject({ name: "ApiProblem", status: 200 })
      expect(requests).toHaveLength(1)
    },
  )

  test("fails as a whole when one page fails", async () => {
    const { baseUrl } = await startFakeApi((_, before) =>
      before === 0 ? page([task("1")], "next") : { status: 500 },
    )
    await expect(testClient(baseUrl).client.listTasks("alice")).rejects.toMatchObject({ status: 500 })
  })
})
