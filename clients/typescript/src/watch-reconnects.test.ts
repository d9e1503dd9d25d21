import { describe, expect, test } from "vitest"
import { Unauthorized } from "./index.ts"
import { freshToken, problem, type Reply } from "./testing.ts"
import { tokenAt } from "./testing-live.ts"
import { setUpWatch, until, watchList } from "./testing-watch.ts"

describe("a stream that ends", () => {
  test.each(["stopping", "token-expired", "session-revoked", "something new"])(
    "by %s is opened again from the last change",
    async (reason) => {
      const { service, watch } = await setUpWatch()
      const { changes, logged } = watch()
      await logged("live")
      service.write("b", {})
      await logged("changed b 2")
      service.endStreams(reason)
      service.write("c", {})
      await logged("changed c 3")
      expect(service.calls("events")[1]?.headers["last-event-id"]).toBe(tokenAt(2))
      expect(changes()).toEqual(["changed b 2", "changed c 3"])
    },
  )

  test("because its token has expired is opened with a new one", async () => {
    const { service, session, watch } = await setUpWatch()
    const { logged } = watch()
    await logged("live")
    service.rejectedTokens.add(session.issued[0] ?? "")
    service.endStreams("token-expired")
    await until(() => service.calls("events").length === 2)
    expect(service.calls("events").map(({ token }) => token)).toEqual(session.issued)
  })

  test("at any byte is opened again: nothing is lost, nothing comes twice", { timeout: 60_000 }, async () => {
    const { service, proxy, client } = await setUpWatch({ viaProxy: true })
    for (const id of ["b", "c"]) service.write(id, { title: "ä€🎉" })
    service.write("b", "delete")
    let cut = 0
    proxy.cutAfter = () => (cut++ % 2 === 0 ? offset : undefined)
    let offset = 0
    const whole = ["changed a 1", "changed c 3", "deleted b 4"]
    for (offset = 1; offset < 1500; offset += 19) {
      cut = 0
      const { logged, changes, stop } = watchList(client, { since: tokenAt(0) })
      await logged("deleted b 4")
      expect(changes(), `cut after ${offset} bytes`).toEqual(whole)
      await stop()
    }
  })

  test("silently is noticed, and opened again", async () => {
    const { service, watch } = await setUpWatch({ times: { silence: 100 } })
    const { changes, logged } = watch()
    await logged("live")
    service.heartbeatMs = 100_000
    service.endStreams("stopping") // the next stream has no heartbeat
    await until(() => service.calls("events").length >= 3)
    service.write("b", {})
    await logged("changed b 2")
    expect(changes()).toEqual(["changed b 2"])
  })

  test("with a malformed event is opened again, and that event counts as not received", async () => {
    const { service, watch } = await setUpWatch()
    const { changes, logged } = watch()
    await logged("live")
    for (const data of ["{", "null", '{"id":"x"}', '{"revision":9}'])
      service.sendRaw(`event: task.changed\nid: s-9\ndata: ${data}\n\n`)
    await until(() => service.calls("events").length === 2)
    expect(service.calls("events")[1]?.headers["last-event-id"]).toBe(tokenAt(1))
    service.write("b", {})
    await logged("changed b 2")
    expect(changes()).toEqual(["changed b 2"])
  })
})

describe("a newer token", () => {
  test("opens the next stream before the old one ends: always live, nothing lost or twice", async () => {
    const { service, session, watch } = await setUpWatch({ times: { tokenCheck: 5 } })
    const { log, changes, logged } = watch()
    await logged("live")
    for (let i = 2; i <= 60; i++) {
      service.write(`t${i}`, {})
      if (i % 10 === 0) {
        session.store.write(freshToken(`other tab ${i}`))
        const token = session.store.read()
        await until(() => [...service.streams].every((stream) => stream.token === token))
      }
    }
    await logged("changed t60 60")
    expect(changes()).toEqual(Array.from({ length: 59 }, (_, i) => `changed t${i + 2} ${i + 2}`))
    expect(log.filter((line) => /^[a-z]+$/.test(line))).toEqual(["connecting", "reset", "live"])
    expect(service.mostStreams).toBe(2)
    await until(() => service.streams.size === 1)
  })

  test("leaves the old stream as it is when the next can't be opened", async () => {
    const { service, session, watch } = await setUpWatch({ times: { tokenCheck: 5 } })
    const { log, logged } = watch()
    await logged("live")
    service.refusals.push({ call: "events", reply: problem(429) })
    session.store.write(freshToken("other tab"))
    await until(() => service.calls("events").length === 2)
    service.write("b", {})
    await logged("changed b 2")
    expect(log).toEqual(["connecting", "reset", "live", "changed b 2"])
  })

  test("that there is none for, the session having ended, ends the watch", async () => {
    const { session, record, watch } = await setUpWatch({ times: { tokenCheck: 5 } })
    const { logged, done } = watch()
    await logged("live")
    session.ended = true
    session.store.clear()
    await expect(done).rejects.toThrow(Unauthorized)
    expect(record.sessionEnds).toBe(1)
  })
})

describe("a stream that is refused", () => {
  test("for its token is opened with a new one, once", async () => {
    const { service, session, record, watch } = await setUpWatch()
    service.refusals.push({ call: "events", reply: problem(401) })
    await watch().logged("live")
    expect(service.calls("events").map(({ token }) => token)).toEqual(session.issued)
    expect(session.issued).toHaveLength(2)
    expect(record.sessionEnds).toBe(0)
  })

  test("for the new token, too, ends the session", async () => {
    const { service, record, watch } = await setUpWatch()
    for (let i = 0; i < 2; i++) service.refusals.push({ call: "events", reply: problem(401) })
    await expect(watch().done).rejects.toThrow(Unauthorized)
    expect(record.sessionEnds).toBe(1)
    expect(service.calls("events")).toHaveLength(2)
  })

  test.each([400, 403, 404, 422])("with %i ends the watch", async (status) => {
    const { service, record, watch } = await setUpWatch()
    service.refusals.push({ call: "events", reply: problem(status) })
    await expect(watch().done).rejects.toMatchObject({ status })
    expect(record.sessionEnds).toBe(0)
  })

  const transient: [string, Reply][] = [
    ["429", problem(429)],
    ["500", problem(500)],
    ["503", problem(503, {}, { "Retry-After": "0" })],
    ["a page of a captive portal", { status: 200, text: "<html>", headers: { "Content-Type": "text/html" } }],
    ["a closed connection", { failure: "disconnect" }],
  ]
  test.each(transient)("with %s is tried again", async (_, reply) => {
    const { service, watch } = await setUpWatch()
    service.refusals.push({ call: "events", reply })
    await watch().logged("live")
    expect(service.calls("events")).toHaveLength(2)
  })

  test("with Retry-After is not tried again before", async () => {
    const { service, watch } = await setUpWatch()
    service.refusals.push({ call: "events", reply: problem(503, {}, { "Retry-After": "1" }) })
    const start = performance.now()
    await watch().logged("live")
    expect(performance.now() - start).toBeGreaterThan(990)
  })

  test("again and again is replaced by polls until it is not", async () => {
    const { service, watch } = await setUpWatch({ since: tokenAt(1) })
    for (let i = 0; i < 6; i++) service.refusals.push({ call: "events", reply: problem(429) })
    const { log, logged } = watch()
    await logged("polling")
    service.write("b", {})
    await logged("changed b 2", "live")
    expect(log.filter((line) => line !== "changed b 2")).toEqual(["connecting", "polling", "live"])
  })
})
