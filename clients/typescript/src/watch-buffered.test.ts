import { describe, expect, test } from "vitest"
import { testClient } from "./testing.ts"
import { startFakeService, tokenAt } from "./testing-live.ts"
import { startFakeProxy } from "./testing-proxy.ts"
import { TIMES, watchList } from "./testing-watch.ts"

async function setUp(times = {}) {
  const { service, port } = await startFakeService()
  const proxy = await startFakeProxy(port)
  service.write("a", {})
  const { client } = testClient(proxy.baseUrl, {
    watchTimes: { ...TIMES, ready: 100, ...times },
    timeoutMs: 500,
  })
  return { service, proxy, client }
}

describe.each(["body", "everything"] as const)("a proxy that holds back %s", (holds) => {
  test("is replaced by polls; once it lets events pass, the stream is used again", async () => {
    const { service, proxy, client } = await setUp()
    proxy.holds = holds
    const { log, changes, logged } = watchList(client, { since: tokenAt(1) })
    await logged("polling")
    service.write("b", {})
    await logged("changed b 2")
    service.write("b", "delete")
    await logged("deleted b ?")
    proxy.holds = "nothing"
    await logged("live")
    service.write("c", {})
    await logged("changed c 4")
    expect(changes()).toEqual(["changed b 2", "deleted b ?", "changed c 4"])
    expect(log.filter((line) => /^[a-z]+$/.test(line))).toEqual(["connecting", "polling", "live"])
  })

  test("without a token has the list read once, and then polls", async () => {
    const { service, proxy, client } = await setUp()
    proxy.holds = holds
    const { log, tasks, logged } = watchList(client)
    await logged("polling")
    service.write("b", {})
    await logged("changed b 2")
    expect(log).toEqual(["connecting", "reset", "polling", "changed b 2"])
    expect([...tasks.values()]).toEqual(service.tasks())
  })
})

test("polls begin anew, and have the list read, when their token has expired", async () => {
  const { service, proxy, client } = await setUp()
  proxy.holds = "body"
  const { tasks, logged } = watchList(client, { since: tokenAt(1) })
  await logged("polling")
  service.write("b", {})
  service.write("c", {})
  await logged("changed c 3")
  service.fallBack(2)
  await logged("reset")
  service.write("d", {})
  await logged("changed d 2")
  expect([...tasks.keys()].sort()).toEqual(["a", "d"])
})

test("a stream of which everything comes at its end is replaced by polls, too", async () => {
  const { service, proxy, client } = await setUp({ ready: 2_000, proof: 1_000 })
  proxy.holds = "everything"
  const ending = setInterval(() => service.endStreams("stopping"), 20)
  const { changes, logged } = watchList(client, { since: tokenAt(1) })
  await logged("polling")
  service.write("b", {})
  await logged("changed b 2")
  clearInterval(ending)
  expect(changes()).toEqual(["changed b 2"])
})

test("a stream that falls silent right after ready is replaced by polls", async () => {
  const { service, client } = await setUp({ silence: 100 })
  service.heartbeatMs = 100_000
  const { log, logged } = watchList(client, { since: tokenAt(1) })
  await logged("polling")
  expect(log).toEqual(["connecting", "live", "polling"])
})
