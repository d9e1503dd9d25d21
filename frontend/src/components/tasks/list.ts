import type { Task } from "evo-todo-client"
import { matches, searchParts } from "./search"

/** A task in the list. While `isPending`, the server has not confirmed it, and its id is temporary. */
export type TaskItem = Task & { readonly isPending?: boolean }

/** The editable text of a task. */
export interface TaskText {
  readonly title: string
  readonly description: string | null
}

/** Whether both have the same title and description. */
export function hasSameText(one: TaskText, other: TaskText): boolean {
  return one.title === other.title && one.description === other.description
}

export type Filter = "all" | "open" | "done"

export interface View {
  readonly filter: Filter
  readonly search: string
  /** The ids of tasks that stay visible, whatever the filter and search: being edited, or just added. */
  readonly pinned?: ReadonlySet<string>
}

/** The tasks that match the view, in their order. */
export function visibleTasks(tasks: readonly TaskItem[], { filter, search, pinned }: View): TaskItem[] {
  const parts = searchParts(search)
  return tasks.filter(
    (task) =>
      pinned?.has(task.id) ||
      ((filter === "all" || task.completed === (filter === "done")) && matches(task, parts)),
  )
}

export const MAX_TITLE = 255
export const MAX_DESCRIPTION = 2000

/** The error message for an invalid title, else "". Characters are code points, as on the server. */
export function validateTitle(title: string): string {
  if (!title.trim()) return "Enter a title."
  return tooLong("title", title.trim(), MAX_TITLE)
}

/** The error message for an invalid description, else "". */
export function validateDescription(description: string): string {
  return tooLong("description", description, MAX_DESCRIPTION)
}

function tooLong(name: string, text: string, limit: number): string {
  const length = [...text].length
  return length > limit ? `The ${name} can have at most ${limit} characters; it has ${length}.` : ""
}

/** The lines of a text that could each be a task. */
export function titlesIn(text: string): string[] {
  return text
    .split(/\r\n|[\r\n\u2028\u2029]/)
    .map((line) => line.trim())
    .filter(Boolean)
}

/** The text of the fields. What was not touched is given back as it was, although fields change some line breaks. */
export function textOf(
  fields: { title: string; description: string },
  base: TaskText,
  trims = true,
): TaskText {
  const title = trims ? fields.title.trim() : fields.title
  const baseDescription = base.description ?? ""
  return {
    title: title === oneLine(base.title) ? base.title : title,
    description:
      unixLines(fields.description) === unixLines(baseDescription)
        ? base.description
        : fields.description || null,
  }
}

function oneLine(text: string): string {
  return text.replace(/[\r\n]/g, "")
}

function unixLines(text: string): string {
  return text.replace(/\r\n?/g, "\n")
}
