import { describe, expect, it } from "vitest"
import { type ShownTask, titleProblem, visible, withoutTask, withTask } from "./list"

function task(id: string, age: number, more: Partial<ShownTask> = {}): ShownTask {
  const at = new Date(Date.UTC(2026, 0, 1) - age * 60_000).toISOString()
  const none = { user_id: "ada", description: null, completed: false, revision: 1 }
  return { ...none, id, title: id, created_at: at, updated_at: at, ...more }
}

const milk = task("milk", 0, { title: "Buy milk", completed: true })
const train = task("train", 1, { title: "Book the train", description: "to ZÜRICH, before noon" })
const plants = task("plants", 2, { title: "Water the plants" })
const all = [milk, train, plants]

function ids(tasks: readonly ShownTask[]): string[] {
  return tasks.map(({ id }) => id)
}

describe("what is visible", () => {
  it("is everything, in its order, when nothing is asked for", () => {
    expect(visible(all, { filter: "all", search: " " })).toEqual(all)
  })

  it("is what is open, or what is done", () => {
    expect(ids(visible(all, { filter: "open", search: "" }))).toEqual(["train", "plants"])
    expect(ids(visible(all, { filter: "done", search: "" }))).toEqual(["milk"])
  })

  it("is what has the words in title or description, whatever the case and the spelling of an umlaut", () => {
    expect(ids(visible(all, { filter: "all", search: "the" }))).toEqual(["train", "plants"])
    expect(ids(visible(all, { filter: "all", search: "zu\u0308rich" }))).toEqual(["train"])
  })

  it("keeps what is being edited, whatever else is asked for", () => {
    const editing = new Set(["milk"])
    expect(ids(visible(all, { filter: "open", search: "plants", editing }))).toEqual(["milk", "plants"])
  })

  it("fits filter and search", () => {
    expect(visible(all, { filter: "done", search: "the" })).toEqual([])
  })
})

describe("a title", () => {
  it("has one to 255 characters, counted as the service counts them", () => {
    expect(titleProblem(" ")).toBe("A task needs a title.")
    expect(titleProblem(` ${"🙂".repeat(255)} `)).toBe("")
    expect(titleProblem("🙂".repeat(256))).toBe("A title has 255 characters at most.")
  })
})

describe("a list with one change", () => {
  it("has a confirmed task in the place of its draft", () => {
    const drafted = withTask(all, task("draft", -1, { isUnconfirmed: true }))
    expect(ids(drafted)).toEqual(["draft", "milk", "train", "plants"])
    expect(ids(withTask(drafted, task("eggs", -1), "draft"))).toEqual(["eggs", "milk", "train", "plants"])
  })

  it("has a new task once, though the list has brought it before its own answer came", () => {
    const brought = withTask(all, task("eggs", -1))
    expect(withTask(brought, task("eggs", -1), "draft")).toEqual(brought)
    const both = withTask(brought, task("draft", -2, { isUnconfirmed: true }))
    expect(ids(withTask(both, task("eggs", -1), "draft"))).toEqual(["eggs", "milk", "train", "plants"])
  })

  it("has a task that comes back at its place by age", () => {
    expect(withTask(withoutTask(all, "train"), train)).toEqual(all)
    expect(withTask(withoutTask(all, "plants"), plants)).toEqual(all)
    expect(withTask(withoutTask(all, "milk"), milk)).toEqual(all)
  })

  it("leaves the list it was made from as it was", () => {
    withTask(all, { ...milk, title: "Buy oat milk" })
    expect(all[0]).toBe(milk)
  })
})
