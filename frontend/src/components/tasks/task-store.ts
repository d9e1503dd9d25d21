import type { Task } from "evo-todo-client"
import { hasSameText, type TaskItem } from "./list"

/** A change that was sent, or will be, and is not confirmed. */
export interface Operation {
  readonly taskId: string
  /** The task as it will be; undefined if it will be gone. */
  apply(task: TaskItem | undefined): TaskItem | undefined
}

/**
 * The user's tasks: what the service has said, each task at its highest revision, and on top of that the changes that
 * are on their way. A change that fails is dropped, and so undone; nothing depends on the order of responses and events.
 */
export class TaskStore {
  #tasks = new Map<string, Task>()
  /** The revision up to which a task is known to be deleted. */
  readonly #deleted = new Map<string, number>()
  #operations: readonly Operation[] = []
  /** What has arrived since the list was requested, which the list may not have yet. */
  #news: Map<string, Task | null> | null = null
  /** New tasks that have arrived while the response to their own creation is awaited: the event may come first. */
  readonly #own = new Map<Operation, Task>()
  #sorted: Task[] | null = null
  #view: readonly TaskItem[] | null = null
  readonly #listeners = new Set<() => void>()

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The tasks, newest first, with the changes that are on their way; unconfirmed new ones at the top. */
  readonly view = (): readonly TaskItem[] => {
    this.#view ??= this.#withOperations()
    return this.#view
  }

  /** The number of tasks that the service has. */
  readonly count = (): number => this.#tasks.size

  /** The task as the service has it. */
  confirmed(id: string): Task | undefined {
    return this.#tasks.get(id)
  }

  /** Call before the list is requested. */
  beginLoad(): void {
    this.#news = new Map()
  }

  /** The list as the service has sent it. */
  load(tasks: readonly Task[]): void {
    const news = this.#news ?? new Map<string, Task | null>()
    this.#news = null
    this.#tasks = new Map(tasks.map((task) => [task.id, task]))
    for (const task of this.#own.values()) this.#tasks.delete(task.id)
    for (const [id, task] of news) {
      if (task && ![...this.#own.values()].some((own) => own.id === id)) this.#putTask(task)
      else if (!task) this.#removeTask(id)
    }
    this.#changed(true)
  }

  /** A task as the service has it: from a response or an event. An earlier revision than the known one is ignored. */
  put(task: Task): void {
    this.#news?.set(task.id, task)
    const creation = this.#tasks.has(task.id) ? undefined : this.#creationOf(task)
    if (creation) this.#own.set(creation, task)
    else if (this.#putTask(task)) this.#changed(true)
  }

  /** The unconfirmed new task that this one is: it has its text. */
  #creationOf(task: Task): Operation | undefined {
    return this.#operations.find((operation) => {
      const awaited = operation.apply(undefined)
      const known = this.#own.get(operation)
      return awaited?.isPending && hasSameText(awaited, task) && (!known || known.id === task.id)
    })
  }

  /** A task was deleted, at this revision if it is known. */
  remove(id: string, revision?: number): void {
    const known = this.#tasks.get(id)
    if (known && revision !== undefined && known.revision > revision) return // restored since
    this.#news?.set(id, null)
    this.#deleted.set(id, Math.max(revision ?? 0, known?.revision ?? 0, this.#deleted.get(id) ?? 0))
    if (this.#removeTask(id)) this.#changed(true)
  }

  /** Show a change until `end`. */
  begin(operation: Operation): void {
    this.#operations = [...this.#operations, operation]
    this.#changed(false)
  }

  end(operation: Operation): void {
    this.#operations = this.#operations.filter((other) => other !== operation)
    const own = this.#own.get(operation)
    this.#own.delete(operation)
    this.#changed(own !== undefined && this.#putTask(own))
  }

  /** Forget everything, when the session has ended. */
  clear(): void {
    this.#tasks.clear()
    this.#operations = []
    this.#changed(true)
  }

  #putTask(task: Task): boolean {
    const known = this.#tasks.get(task.id)
    if (known && known.revision >= task.revision) return false
    if ((this.#deleted.get(task.id) ?? -1) >= task.revision) return false
    this.#deleted.delete(task.id)
    this.#tasks.set(task.id, task)
    return true
  }

  #removeTask(id: string): boolean {
    return this.#tasks.delete(id)
  }

  #changed(tasksToo: boolean): void {
    if (tasksToo) this.#sorted = null
    this.#view = null
    for (const listener of this.#listeners) listener()
  }

  #withOperations(): readonly TaskItem[] {
    this.#sorted ??= [...this.#tasks.values()].sort(newestFirst)
    if (this.#operations.length === 0) return this.#sorted
    const changed = new Map<string, TaskItem | undefined>()
    for (const operation of this.#operations) {
      const { taskId } = operation
      const task = changed.has(taskId) ? changed.get(taskId) : this.#tasks.get(taskId)
      changed.set(taskId, operation.apply(task))
    }
    const added: TaskItem[] = []
    const restored: TaskItem[] = []
    for (const [id, task] of changed) {
      if (!task || this.#tasks.has(id)) continue
      if (task.isPending) added.unshift(task)
      else restored.push(task)
    }
    const known = this.#sorted.flatMap((task) => (changed.has(task.id) ? (changed.get(task.id) ?? []) : task))
    const placed = restored.length > 0 ? [...known, ...restored].sort(newestFirst) : known
    return [...added, ...placed]
  }
}

/** By the service's time of creation, and where that is the same by id, which rises with it. */
function newestFirst(one: Task, other: Task): number {
  return compare(instant(other), instant(one)) || compare(other.id, one.id)
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}

const instants = new WeakMap<Task, string>()

/** `created_at` with nine fractional digits, so that instants compare as texts. */
function instant(task: Task): string {
  const known = instants.get(task)
  if (known !== undefined) return known
  const padded = task.created_at.replace(
    /(?:\.(\d*))?Z$/,
    (_, digits: string | undefined) => `.${(digits ?? "").padEnd(9, "0")}`,
  )
  instants.set(task, padded)
  return padded
}
