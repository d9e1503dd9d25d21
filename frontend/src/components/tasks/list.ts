import type { Task } from "@/api-client"

/** A task as the page shows it: one that the service has not confirmed yet bears the time of its making as its id. */
export type ShownTask = Task & { readonly isUnconfirmed?: boolean }

/** What can be written about a task. */
export interface Edit {
  readonly title: string
  readonly description: string | null
}

/** Whether both read the same; being done or not is no part of what is written. */
export function isSame(one: Edit, other: Edit): boolean {
  return one.title === other.title && one.description === other.description
}

export type Filter = "all" | "open" | "done"

export interface View {
  readonly filter: Filter
  readonly search: string
  /** The tasks that are being edited: they stay, whatever else is asked for. */
  readonly editing?: ReadonlySet<string>
}

/** The tasks that the view asks for, in their order. Searching looks at title and description, whatever the case. */
export function visible(tasks: readonly ShownTask[], { filter, search, editing }: View): ShownTask[] {
  const words = folded(search.trim())
  return tasks.filter(
    ({ id, title, description, completed }) =>
      editing?.has(id) ||
      ((filter === "all" || completed === (filter === "done")) &&
        (folded(title).includes(words) || folded(description ?? "").includes(words))),
  )
}

function folded(text: string): string {
  return text.normalize("NFC").toLowerCase()
}

/** With the task in the place of the one that had this id; at its place by age where there was none. */
export function withTask(tasks: readonly ShownTask[], task: ShownTask, id: string = task.id): ShownTask[] {
  if (tasks.some((one) => one.id === id)) {
    return tasks
      .filter((one) => one.id === id || one.id !== task.id)
      .map((one) => (one.id === id ? task : one))
  }
  if (id !== task.id && tasks.some((one) => one.id === task.id)) return withTask(tasks, task)
  const older = tasks.findIndex((one) => one.created_at <= task.created_at)
  return older < 0 ? [...tasks, task] : [...tasks.slice(0, older), task, ...tasks.slice(older)]
}

export function withoutTask(tasks: readonly ShownTask[], id: string): ShownTask[] {
  return tasks.filter((one) => one.id !== id)
}

/** What is wrong with a title, for a person, or nothing. Characters are code points, as the service counts them. */
export function titleProblem(title: string): string {
  if (!title.trim()) return "A task needs a title."
  return [...title.trim()].length > 255 ? "A title has 255 characters at most." : ""
}
