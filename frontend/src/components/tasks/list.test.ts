import { describe, expect, it } from "vitest"
import { type TaskItem, titlesIn, validateDescription, validateTitle, visibleTasks } from "./list"

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
    const pinned = new Set(["milk"])
    expect(ids(visibleTasks(all, { filter: "open", search: "plants", pinned }))).toEqual(["milk", "plants"])
  })

  it("combines filter and search", () => {
    expect(visibleTasks(all, { filter: "done", search: "the" })).toEqual([])
  })
})

describe("validateTitle", () => {
  it("requires 1 to 255 characters, counted as on the server", () => {
    expect(validateTitle(" ")).toBe("Enter a title.")
    expect(validateTitle(` ${"🙂".repeat(255)} `)).toBe("")
    expect(validateTitle("🙂".repeat(256))).toBe("The title can have at most 255 characters; it has 256.")
  })
})

describe("validateDescription", () => {
  it("allows 2000 code points", () => {
    expect(validateDescription("🙂".repeat(2000))).toBe("")
    expect(validateDescription("🙂".repeat(2001))).toContain("at most 2000 characters; it has 2001")
  })
})

describe("titlesIn", () => {
  it("is the lines with text, whatever ends them", () => {
    expect(titlesIn("one\r\n  two \n\n\u2028three\rfour")).toEqual(["one", "two", "three", "four"])
  })
})
