import { expect, onTestFinished, test, vi } from "vitest"
import { ApiClient, subjectOf, type Task } from "./index.ts"
import { fakeSession, testClient } from "./testing.ts"
import { startFakeService } from "./testing-live.ts"
import { startFakeProxy } from "./testing-proxy.ts"
import { TIMES, watchList } from "./testing-watch.ts"

/**
 * The fake service, or a real one: TASKS_API_URL, which ends in `/api`, and TASKS_API_TOKEN, an access token for it.
 * Both are reached through a proxy that cuts connections.
 */
async function startService() {
  const url = process.env.TASKS_API_URL
  const token = process.env.TASKS_API_TOKEN ?? ""
  if (url) {
    const { hostname, port } = new URL(url)
    const proxy = await startFakeProxy(Number(port), hostname)
    const tokens = { get: async () => token, renew: async () => token, clear() {} }
    return { baseUrl: url, proxy, tokens, userId: subjectOf(token) ?? "" }
  }
  const { port, baseUrl } = await startFakeService()
  return { baseUrl, proxy: await startFakeProxy(port), tokens: fakeSession().tokens, userId: "alice" }
}

test("readers behind broken connections end with the true list: nothing lost, nothing twice", {
  timeout: 120_000,
}, async () => {
  const { baseUrl, proxy, tokens, userId } = await startService()
  const direct = new ApiClient({ baseUrl, tokens })
  const watchTimes = { ...TIMES, ready: 500 }
  proxy.cutAfter = () => 300 + Math.floor(Math.random() * 3_000)
  const readers = Array.from({ length: 4 }, () => {
    const { client } = testClient(proxy.baseUrl, { tokens, watchTimes })
    const revisions: number[] = []
    const tasks = new Map<string, Task>()
    const reader = watchList(
      client,
      {
        onReset: async () => {
          revisions.length = 0
          tasks.clear()
          for (const task of await listOf(direct, userId)) tasks.set(task.id, task)
        },
        onChange: (task) => {
          revisions.push(task.revision)
          if ((tasks.get(task.id)?.revision ?? 0) <= task.revision) tasks.set(task.id, task)
        },
        onDelete: (id, revision) => {
          if (revision !== undefined) revisions.push(revision)
          tasks.delete(id)
        },
      },
      userId,
    )
    return { ...reader, tasks, revisions }
  })

  const cutting = setInterval(() => proxy.cutAll(), 150)
  onTestFinished(() => clearInterval(cutting))
  const ids: string[] = []
  for (let i = 0; i < 300; i++) {
    const id = ids[Math.floor(Math.random() * ids.length)]
    if (id === undefined || i % 3 === 0) ids.push((await direct.createTask(userId, `Task ${i}`)).id)
    else if (i % 3 === 1) await direct.updateTask(userId, id, { title: `Changed ${i}` })
    else {
      await direct.deleteTask(userId, id)
      ids.splice(ids.indexOf(id), 1)
    }
    if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  }
  clearInterval(cutting)
  proxy.cutAfter = () => undefined

  const byId = (tasks: Iterable<Task>) => [...tasks].map(({ id, revision }) => `${id} ${revision}`).sort()
  const truth = byId(await listOf(direct, userId))
  for (const { tasks, revisions, stop } of readers) {
    await vi.waitFor(() => expect(byId(tasks.values())).toEqual(truth), { timeout: 30_000 })
    expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b))
    await stop()
  }
})

async function listOf(client: ApiClient, userId: string): Promise<Task[]> {
  const tasks: Task[] = []
  for await (const page of client.changes(userId)) tasks.push(...page.tasks)
  return tasks
}
