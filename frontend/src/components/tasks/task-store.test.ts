import { describe, expect, it } from "vitest"
import type { TaskItem } from "./list"
import { TaskStore } from "./task-store"

function task(id: string, revision = 1, more: Partial<TaskItem> = {}): TaskItem {
  const rest = { user_id: "ada", description: null, completed: false, updated_at: "2026-01-01T00:00:00Z" }
  return { ...rest, id, title: id, revision, created_at: "2026-01-01T00:00:00Z", ...more }
}

function loaded(...tasks: TaskItem[]): TaskStore {
  const store = new TaskStore()
  store.load(tasks)
  return store
}

const titles = (store: TaskStore) => store.view().map(({ title }) => title)

describe("TaskStore", () => {
  it("sorts by the service's time of creation, whatever its precision, then by id", () => {
    const at = (time: string) => ({ created_at: `2026-01-01T00:00:${time}Z` })
    const store = loaded(
      task("c", 1, at("01")),
      task("b", 1, at("01.5")),
      task("d", 1, at("01.50")),
      task("a"),
    )
    expect(titles(store)).toEqual(["d", "b", "c", "a"])
  })

  it("keeps the highest revision of a task, in whatever order responses and events arrive", () => {
    const store = loaded(task("a", 5))
    store.put(task("a", 7, { title: "seven" }))
    store.put(task("a", 6, { title: "six" }))
    expect(titles(store)).toEqual(["seven"])
  })

  it("ignores what is older than a deletion, and takes what is newer", () => {
    const store = loaded(task("a", 5))
    store.remove("a", 6)
    store.put(task("a", 5))
    expect(titles(store)).toEqual([])
    store.put(task("a", 7))
    store.remove("a", 6)
    expect(titles(store)).toEqual(["a"])
  })

  it("ignores a late state of a task whose deletion was polled without a revision", () => {
    const store = loaded(task("a", 5))
    store.remove("a")
    store.put(task("a", 5))
    expect(titles(store)).toEqual([])
  })

  it("loses nothing that arrives while the list is read", () => {
    const store = loaded(task("a", 1), task("b", 2))
    store.beginLoad()
    store.put(task("c", 4))
    store.remove("b", 5)
    store.put(task("a", 6, { title: "six" }))
    store.load([task("a", 1), task("b", 2)])
    expect(titles(store)).toEqual(["c", "six"])
  })

  it("shows a change until it ends, and undoes it if nothing has confirmed it", () => {
    const store = loaded(task("a"))
    const tick = { taskId: "a", apply: (task?: TaskItem) => task && { ...task, completed: true } }
    store.begin(tick)
    expect(store.view()[0]?.completed).toBe(true)
    store.put(task("a", 2, { title: "changed elsewhere" }))
    expect(store.view()[0]).toMatchObject({ title: "changed elsewhere", completed: true })
    store.end(tick)
    expect(store.view()[0]?.completed).toBe(false)
  })

  it("shows new tasks at the top, the last one first, until they are confirmed in their place", () => {
    const store = loaded(task("a", 1, { created_at: "2030-01-01T00:00:00Z" })) // the client's clock is slow
    const add = (id: string) => ({ taskId: id, apply: () => task(id, -1, { isPending: true }) })
    const [first, second] = [add("first"), add("second")]
    store.begin(first)
    store.begin(second)
    expect(titles(store)).toEqual(["second", "first", "a"])
    store.put(task("1", 2, { created_at: "2030-01-01T00:00:01Z" }))
    store.end(first)
    expect(titles(store)).toEqual(["second", "1", "a"])
  })

  it("shows a new task once, although its event arrives before the response", () => {
    const store = loaded(task("a"))
    const add = { taskId: "key", apply: () => task("key", -1, { title: "milk", isPending: true }) }
    const again = { taskId: "key2", apply: () => task("key2", -1, { title: "milk", isPending: true }) }
    store.begin(add)
    store.begin(again)
    store.put(task("m1", 2, { title: "milk" }))
    expect(titles(store)).toEqual(["milk", "milk", "a"])
    store.put(task("m1", 2, { title: "milk" })) // the response
    store.end(add)
    expect(titles(store)).toEqual(["milk", "milk", "a"])
    store.put(task("m2", 3, { title: "milk" }))
    expect(titles(store)).toEqual(["milk", "milk", "a"])
    store.end(again)
    expect(store.view().map(({ id }) => id)).toEqual(["m2", "m1", "a"])
  })

  it("shows a task that is being restored in its place", () => {
    const store = loaded(task("c", 1), task("a", 2))
    store.begin({ taskId: "b", apply: (current) => current ?? task("b") })
    expect(titles(store)).toEqual(["c", "b", "a"])
  })

  it("returns the same view until something changes", () => {
    const store = loaded(task("a", 5))
    const view = store.view()
    store.put(task("a", 4))
    expect(store.view()).toBe(view)
  })
})
