import { describe, expect, it } from "vitest"
import { Drafts } from "./drafts"

class FakeStorage {
  readonly items = new Map<string, string>()
  get length() {
    return this.items.size
  }
  key = (index: number) => [...this.items.keys()][index] ?? null
  getItem = (name: string) => this.items.get(name) ?? null
  setItem = (name: string, value: string) => void this.items.set(name, value)
  removeItem = (name: string) => void this.items.delete(name)
}

const BASE = { title: "Buy milk", description: null, revision: 3 }

describe("Drafts", () => {
  it("keeps texts of each user apart, and forgets those of one", () => {
    const store = new FakeStorage()
    const [ada, bob] = [new Drafts("ada", store), new Drafts("bob", store)]
    ada.setNewTask({ title: "Ada's", description: null })
    ada.setEdit("1", { title: "Buy oat milk", description: null, base: BASE })
    ada.keepUnsent({ key: "k", title: "sent?", description: null })
    bob.setNewTask({ title: "Bob's", description: null })
    ada.clear()
    expect([...store.items.keys()]).toEqual(["evo-todo:draft:bob:new"])
    expect([ada.newTask(), ada.edits(), ada.unsent()]).toEqual([null, [], []])
  })

  it("has no draft of a text that is as it was", () => {
    const drafts = new Drafts("ada", new FakeStorage())
    drafts.setEdit("1", { title: "x", description: null, base: BASE })
    expect(drafts.edits().map(({ id }) => id)).toEqual(["1"])
    drafts.setEdit("1", { ...BASE, base: BASE })
    expect(drafts.edits()).toEqual([])
    drafts.setNewTask({ title: "", description: "" })
    expect(drafts.newTask()).toBeNull()
  })

  it("keeps unsent tasks in the order in which they were added, whatever the clock shows", () => {
    const store = new FakeStorage()
    const drafts = new Drafts("ada", store)
    for (const key of ["z", "a", "m"]) drafts.keepUnsent({ key, title: key, description: null })
    expect(drafts.unsent().map(({ key }) => key)).toEqual(["z", "a", "m"])
    drafts.sent("a")
    expect(drafts.unsent().map(({ key, isSafe }) => [key, isSafe])).toEqual([
      ["z", true],
      ["m", true],
    ])
    expect(drafts.unsent(Date.now() + 24 * 3600 * 1000).every(({ isSafe }) => !isSafe)).toBe(true)
  })

  it("survives a value that is not its own", () => {
    const store = new FakeStorage()
    store.setItem("evo-todo:draft:ada:new", "{")
    expect(new Drafts("ada", store).newTask()).toBeNull()
  })
})
