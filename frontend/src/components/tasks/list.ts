import type { Task } from "@/api-client"

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
  /** The ids of the tasks being edited: they stay visible, whatever the filter and search. */
  readonly editing?: ReadonlySet<string>
}

/** The tasks that match the view, in their order. The search covers title and description, ignoring case. */
export function visibleTasks(tasks: readonly TaskItem[], { filter, search, editing }: View): TaskItem[] {
  const term = normalize(search.trim())
  return tasks.filter(
    ({ id, title, description, completed }) =>
      editing?.has(id) ||
      ((filter === "all" || completed === (filter === "done")) &&
        (normalize(title).includes(term) || normalize(description ?? "").includes(term))),
  )
}

function normalize(text: string): string {
  return text.normalize("NFC").toLowerCase()
}

/** The list with `task` in place of the one with this id, or inserted by creation time if there is none. */
export function withTask(tasks: readonly TaskItem[], task: TaskItem, id: string = task.id): TaskItem[] {
  if (tasks.some((other) => other.id === id)) {
    return tasks
      .filter((other) => other.id === id || other.id !== task.id)
      .map((other) => (other.id === id ? task : other))
  }
  if (id !== task.id && tasks.some((other) => other.id === task.id)) return withTask(tasks, task)
  const older = tasks.findIndex((other) => other.created_at <= task.created_at)
  return older < 0 ? [...tasks, task] : [...tasks.slice(0, older), task, ...tasks.slice(older)]
}

/** The list without the task with this id. */
export function withoutTask(tasks: readonly TaskItem[], id: string): TaskItem[] {
  return tasks.filter((task) => task.id !== id)
}

/** The error message for an invalid title, else "". Characters are code points, as on the server. */
export function validateTitle(title: string): string {
  if (!title.trim()) return "Enter a title."
  return [...title.trim()].length > 255 ? "The title can have at most 255 characters." : ""
}
