import { describe, expect, test, vi } from "vitest"
import { problem } from "./testing.ts"
import { tokenAt } from "./testing-live.ts"
import { setUpWatch, until } from "./testing-watch.ts"

describe("a watch", () => {
  test("without a token has the list read first, then reports each change", async () => {
    const { service, watch } = await setUpWatch()
    const { log, tasks, logged } = watch()
    await logged("live")
    service.write("b", { title: "ä€🎉" })
    service.write("a", "delete")
    await logged("deleted a 3")
    expect(log).toEqual(["connecting", "reset", "live", "changed b 2", "deleted a 3"])
    expect([...tasks.values()]).toEqual(service.tasks())
  })

  test("with a token reports what changed since, and does not have the list read", async () => {
    const { service, watch } = await setUpWatch({ since: tokenAt(1) })
    service.write("b", {})
    const { log, logged } = watch()
    await logged("changed b 2")
    expect(log).toEqual(["connecting", "live", "changed b 2"])
  })

  test("sends its tokens in header fields, none in the URL", async () => {
    const { service, session, watch } = await setUpWatch({ since: tokenAt(1) })
    await watch().logged("live")
    const [request] = service.calls("events")
    expect(request).toMatchObject({ url: "/api/alice/tasks/events", token: session.issued[0] })
    expect(request?.headers).toMatchObject({ accept: "text/event-stream", "last-event-id": tokenAt(1) })
  })

  test("ignores unknown events and comments, but goes on from their ids", async () => {
    const { service, watch } = await setUpWatch()
    const { log, logged, stop } = watch()
    await logged("live")
    service.sendRaw(": x\n\nevent: future\nid: s-1000\ndata: ?\n\nid: s-1001\n\ndata: a\n\n")
    service.write("b", {})
    service.sendRaw("id: s-1002\n\n")
    await logged("changed b 2")
    service.endStreams("stopping")
    await until(() => service.calls("events").length === 2)
    expect(service.calls("events")[1]?.headers["last-event-id"]).toBe("s-1002")
    expect(log.slice(0, 4)).toEqual(["connecting", "reset", "live", "changed b 2"])
    await stop()
  })

  test("waits for a callback before the next, and counts no change that was not processed", async () => {
    const seen: number[] = []
    let release = () => {}
    const { service, watch } = await setUpWatch({
      since: tokenAt(1),
      onChange: async ({ revision }) => {
        seen.push(revision)
        if (revision === 3) await new Promise<void>((resolve) => (release = resolve))
      },
    })
    const { logged, stop } = watch()
    await logged("live")
    for (const id of ["b", "c", "d"]) service.write(id, {})
    await until(() => seen.length === 2)
    expect(seen).toEqual([2, 3])
    expect(await stop()).toBe(tokenAt(2))
    release()
    expect(seen).toEqual([2, 3])
  })

  test.each(["onChange", "onDelete", "onReset", "onStatus"])("ends with what %s throws", async (name) => {
    const error = new Error("of the caller")
    const fail = vi.fn(() => {
      throw error
    })
    const { service, watch } = await setUpWatch({ [name]: fail })
    const { done } = watch()
    service.write("a", {})
    setTimeout(() => service.write("b", {}), 50)
    setTimeout(() => service.write("b", "delete"), 100)
    await expect(done).rejects.toBe(error)
    await until(() => service.streams.size === 0)
    expect(fail).toHaveBeenCalledTimes(1)
  })

  test("ends with what a callback rejects with, also if that is transient for the API", async () => {
    const { watch } = await setUpWatch({
      onReset: () => Promise.reject(new DOMException("x", "TimeoutError")),
    })
    await expect(watch().done).rejects.toMatchObject({ name: "TimeoutError" })
  })
})

describe("a reset", () => {
  test("has the list read anew, and goes on from there", async () => {
    const { service, watch } = await setUpWatch({ since: tokenAt(0) })
    service.horizon = 1
    const { log, logged } = watch()
    await logged("reset")
    service.write("b", {})
    await logged("changed b 2")
    expect(log).toEqual(["connecting", "live", "reset", "changed b 2"])
  })

  test("forgets the revisions: a list that was restored may have lower ones", async () => {
    const { service, watch } = await setUpWatch()
    for (const id of ["b", "c", "d"]) service.write(id, {})
    const { changes, logged, tasks } = watch()
    await logged("live")
    service.write("e", {})
    await logged("changed e 5")
    service.fallBack(3)
    service.endStreams("stopping")
    await until(() => service.calls("events").length === 2 && service.streams.size === 1)
    service.write("f", {})
    await logged("changed f 3")
    expect(changes()).toEqual(["changed e 5", "changed f 3"])
    await until(() => tasks.size === 3)
    expect([...tasks.keys()].sort()).toEqual(["a", "b", "f"])
  })

  test("is what a 410 means, too", async () => {
    const { service, watch } = await setUpWatch({ since: tokenAt(1) })
    service.refusals.push({ call: "events", reply: problem(410) })
    const { log, logged } = watch()
    await logged("live")
    expect(log).toEqual(["connecting", "reset", "live"])
    expect(service.calls("events").map(({ headers }) => headers["last-event-id"])).toEqual([
      tokenAt(1),
      undefined,
    ])
  })
})
