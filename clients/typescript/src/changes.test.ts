import { describe, expect, test } from "vitest"
import type { TaskChanges } from "./index.ts"
import { OK, problem, startFakeApi, testClient } from "./testing.ts"
import { startFakeService, tokenAt } from "./testing-live.ts"

async function collect(pages: AsyncIterable<TaskChanges>): Promise<TaskChanges[]> {
  const all = []
  for await (const page of pages) all.push(page)
  return all
}

/** The pages without what does not matter here. */
const short = (pages: TaskChanges[]) =>
  pages.map(({ isReset, tasks, deleted, syncToken }) => [
    isReset,
    tasks.map(({ id }) => id),
    deleted,
    syncToken,
  ])

async function listOfThree() {
  const { service, baseUrl } = await startFakeService()
  for (const id of ["a", "b", "c"]) service.write(id, {})
  return { service, ...testClient(baseUrl) }
}

describe("changes", () => {
  test("without a token are the whole list, page by page", async () => {
    const { service, client } = await listOfThree()
    service.pageSize = 2
    expect(short(await collect(client.changes("alice")))).toEqual([
      [true, ["a", "b"], [], tokenAt(2)],
      [false, ["c"], [], tokenAt(3)],
    ])
    expect(service.calls("changes").map(({ url }) => url)).toEqual([
      "/api/alice/tasks/changes?limit=1000",
      "/api/alice/tasks/changes?limit=1000&since=s-2",
    ])
  })

  test.each([
    {},
    [],
    { data: null, deleted: [], sync_token: "a", has_more: false },
    { data: [null], deleted: [], sync_token: "a", has_more: false },
    { data: [], deleted: null, sync_token: "a", has_more: false },
    { data: [], deleted: [], sync_token: null, has_more: true },
  ])("are a problem where something else is received: %j", async (json) => {
    const { baseUrl } = await startFakeApi(() => ({ json }))
    const pages = collect(testClient(baseUrl).client.changes("alice"))
    await expect(pages).rejects.toMatchObject({ name: "ApiProblem", status: 200 })
  })

  test("since a token are what was changed and deleted after it, each task once", async () => {
    const { service, client } = await listOfThree()
    service.write("a", { title: "1" })
    service.write("b", "delete")
    service.write("a", { title: "2" })
    const [page, ...others] = await collect(client.changes("alice", { since: tokenAt(3) }))
    expect(page).toMatchObject({ isReset: false, deleted: ["b"], syncToken: tokenAt(6) })
    expect(page?.tasks.map(({ id, title }) => [id, title])).toEqual([["a", "2"]])
    expect(others).toEqual([])
  })

  test("are one empty page with the same token when there are none", async () => {
    const { client } = await listOfThree()
    expect(short(await collect(client.changes("alice", { since: tokenAt(3) })))).toEqual([
      [false, [], [], tokenAt(3)],
    ])
  })

  test.each([
    ["too old", tokenAt(1)],
    ["ahead of the list", tokenAt(9)],
    ["of another service", "x"],
  ])("since a token that is %s are the whole list, and say so", async (_, since) => {
    const { service, client } = await listOfThree()
    service.horizon = 2
    service.pageSize = 2
    expect(short(await collect(client.changes("alice", { since })))).toEqual([
      [true, ["a", "b"], [], tokenAt(2)],
      [false, ["c"], [], tokenAt(3)],
    ])
  })

  test("begin again, and say so, when the token expires between two pages", async () => {
    const { service, client } = await listOfThree()
    service.pageSize = 2
    const pages = client.changes("alice", { since: tokenAt(0) })
    const first = await pages.next()
    service.write("d", {})
    service.horizon = 4
    service.pageSize = 9
    expect(short([first.value as TaskChanges, ...(await collect(pages))])).toEqual([
      [false, ["a", "b"], [], tokenAt(2)],
      [true, ["a", "b", "c", "d"], [], tokenAt(4)],
    ])
  })

  test("do not begin again for ever", async () => {
    const { baseUrl, requests } = await startFakeApi(() => problem(410))
    const { client } = testClient(baseUrl)
    await expect(collect(client.changes("alice", { since: "s" }))).rejects.toMatchObject({ status: 410 })
    expect(requests).toHaveLength(2)
    await expect(collect(client.changes("alice"))).rejects.toMatchObject({ status: 410 })
    expect(requests).toHaveLength(3)
  })

  test.each([429, 503])("wait as long as a %i says", async (status) => {
    const { service, client, record } = await listOfThree()
    service.refusals.push({ call: "changes", reply: problem(status, {}, { "Retry-After": "7" }) })
    expect(await collect(client.changes("alice"))).toHaveLength(1)
    expect(record.waits).toEqual([7000])
  })

  test("reject when that is too long for a user, with the time", async () => {
    const { service, client, record } = await listOfThree()
    service.refusals.push({ call: "changes", reply: problem(429, {}, { "Retry-After": "60" }) })
    await expect(collect(client.changes("alice"))).rejects.toMatchObject({ status: 429, retryAfter: 60 })
    expect(record.waits).toEqual([])
  })

  test("stop with the signal, between two pages, too", async () => {
    const { service, client } = await listOfThree()
    service.pageSize = 1
    const abort = new AbortController()
    const pages = client.changes("alice", { signal: abort.signal })
    await pages.next()
    abort.abort(new Error("enough"))
    await expect(pages.next()).rejects.toThrow("enough")
    expect(service.calls("changes")).toHaveLength(1)
  })

  test("are not sent for with an id that would address another resource", async () => {
    const { baseUrl, requests } = await startFakeApi(() => OK)
    await expect(collect(testClient(baseUrl).client.changes(".."))).rejects.toThrow(TypeError)
    expect(requests).toHaveLength(0)
  })
})
