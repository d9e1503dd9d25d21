import { expect, onTestFinished, vi } from "vitest"
import type { ApiClient, Task, WatchOptions, WatchTimes } from "./index.ts"
import { fakeSession, testClient } from "./testing.ts"
import { startFakeService } from "./testing-live.ts"
import { startFakeProxy } from "./testing-proxy.ts"

/** So short that a test waits for nothing long, so long that a busy machine does not reach them by chance. */
export const TIMES: WatchTimes = {
  ready: 2_000,
  silence: 5_000,
  proof: 0,
  tokenCheck: 10_000,
  poll: 5,
  polling: 50,
  restart: 10,
  maxBackoff: 50,
}

/** Everything that a watch reports, in order, and a copy of the list made from it. */
export function watchList(client: ApiClient, options: Partial<WatchOptions> = {}, userId = "alice") {
  const abort = new AbortController()
  const log: string[] = []
  const tasks = new Map<string, Task>()
  const read = async () => {
    tasks.clear()
    for await (const page of client.changes(userId, { signal: abort.signal })) {
      if (page.isReset) tasks.clear()
      for (const task of page.tasks) tasks.set(task.id, task)
      for (const id of page.deleted) tasks.delete(id)
    }
  }
  const done = client.watch(userId, {
    signal: abort.signal,
    onChange(task) {
      log.push(`changed ${task.id} ${task.revision}`)
      if ((tasks.get(task.id)?.revision ?? 0) <= task.revision) tasks.set(task.id, task)
    },
    onDelete(id, revision) {
      log.push(`deleted ${id} ${revision ?? "?"}`)
      if ((tasks.get(id)?.revision ?? 0) <= (revision ?? Number.POSITIVE_INFINITY)) tasks.delete(id)
    },
    async onReset() {
      log.push("reset")
      await read()
    },
    onStatus: (status) => log.push(status),
    ...options,
  })
  done.catch(() => {})
  const stop = () => {
    abort.abort(new Error("stopped"))
    return done
  }
  onTestFinished(async () => void (await stop().catch(() => {})))
  /** Waits until the log has, or is, these lines. */
  const logged = (...lines: string[]) =>
    vi.waitFor(() => expect(log).toEqual(expect.arrayContaining(lines)), { timeout: 20_000, interval: 5 })
  const changes = () => log.filter((line) => /^(changed|deleted) /.test(line))
  return { log, tasks, done, stop, logged, changes, abort, read }
}

/** A watch of the list of one task, by a fake service. */
export async function setUpWatch(
  options: { times?: Partial<WatchTimes>; viaProxy?: boolean } & Partial<WatchOptions> = {},
) {
  const { times, viaProxy, ...more } = options
  const { service, port, baseUrl } = await startFakeService()
  const proxy = await startFakeProxy(port)
  const session = fakeSession()
  service.write("a", {})
  const { client, record } = testClient(viaProxy ? proxy.baseUrl : baseUrl, {
    tokens: session.tokens,
    watchTimes: { ...TIMES, ...times },
    timeoutMs: 2_000,
  })
  return { service, proxy, session, client, record, watch: () => watchList(client, more) }
}

/** Waits until the condition holds. */
export const until = (condition: () => unknown) =>
  vi.waitFor(() => expect(condition()).toBeTruthy(), { timeout: 20_000, interval: 5 })
