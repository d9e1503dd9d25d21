import { describe, expect, it } from "vitest"
import { type TaskItem, validateTitle, visibleTasks, withoutTask, withTask } from "./list"

function task(id: string, ageInMinutes: number, more: Partial<TaskItem> = {}): TaskItem {
  const createdAt = new Date(Date.UTC(2026, 0, 1) - ageInMinutes * 60_000).toISOString()
  const defaults = { user_id: "ada", description: null, completed: false, revision: 1 }
  return { ...defaults, id, title: id, created_at: createdAt, updated_at: createdAt, ...more }
}

const milk = task("milk", 0, { title: "Buy milk", completed: true })
const train = task("train", 1, { title: "Book the train", description: "to ZÜRICH, before noon" })
const plants = task("plants", 2, { title: "Water the plants" })
const all = [milk, train, plants]

function ids(tasks: readonly TaskItem[]): string[] {
  return tasks.map(({ id }) => id)
}

describe("visibleTasks", () => {
  it("returns all tasks in their order without a filter or search", () => {
    expect(visibleTasks(all, { filter: "all", search: " " })).toEqual(all)
  })

  it("filters by open and done", () => {
    expect(ids(visibleTasks(all, { filter: "open", search: "" }))).toEqual(["train", "plants"])
    expect(ids(visibleTasks(all, { filter: "done", search: "" }))).toEqual(["milk"])
  })

  it("searches title and description, ignoring case and Unicode normalization", () => {
    expect(ids(visibleTasks(all, { filter: "all", search: "the" }))).toEqual(["train", "plants"])
    expect(ids(visibleTasks(all, { filter: "all", search: "zu\u0308rich" }))).toEqual(["train"])
  })

  it("keeps tasks that are being edited, whatever the filter and search", () => {
    const editing = new Set(["milk"])
    expect(ids(visibleTasks(all, { filter: "open", search: "plants", editing }))).toEqual(["milk", "plants"])
  })

  it("combines filter and search", () => {
    expect(visibleTasks(all, { filter: "done", search: "the" })).toEqual([])
  })
})

describe("validateTitle", () => {
  it("requires 1 to 255 characters, counted as on the server", () => {
    expect(validateTitle(" ")).toBe("Enter a title.")
    expect(validateTitle(` ${"🙂".repeat(255)} `)).toBe("")
    expect(validateTitle("🙂".repeat(256))).toBe("The title can have at most 255 characters.")
  })
})

describe("withTask", () => {
  it("replaces a pending task with the confirmed one", () => {
    const pending = withTask(all, task("temporary", -1, { isPending: true }))
    expect(ids(pending)).toEqual(["temporary", "milk", "train", "plants"])
    expect(ids(withTask(pending, task("eggs", -1), "temporary"))).toEqual(["eggs", "milk", "train", "plants"])
  })

  it("does not add a new task twice if the list was refetched before the response came", () => {
    const refetched = withTask(all, task("eggs", -1))
    expect(withTask(refetched, task("eggs", -1), "temporary")).toEqual(refetched)
    const both = withTask(refetched, task("temporary", -2, { isPending: true }))
    expect(ids(withTask(both, task("eggs", -1), "temporary"))).toEqual(["eggs", "milk", "train", "plants"])
  })

  it("inserts a restored task by creation time", () => {
    expect(withTask(withoutTask(all, "train"), train)).toEqual(all)
    expect(withTask(withoutTask(all, "plants"), plants)).toEqual(all)
    expect(withTask(withoutTask(all, "milk"), milk)).toEqual(all)
  })

  it("does not modify the original list", () => {
    withTask(all, { ...milk, title: "Buy oat milk" })
    expect(all[0]).toBe(milk)
  })
})
