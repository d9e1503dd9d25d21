import type { QueryClient } from "@tanstack/react-query"
import { type ApiClient, ChangedElsewhere, type Task, Unauthorized, Unreachable } from "evo-todo-client"
import type { Drafts, EditDraft, UnsentTask } from "./drafts"
import { hasSameText, type TaskItem, type TaskText } from "./list"
import { describeError, Gone, isGone, type Reports } from "./reports"
import { TaskChanges } from "./task-changes"
import type { TaskStore } from "./task-store"
import { type Done, type Undoable, UndoStack, whenMade } from "./undo-stack"

/** The changes of tasks: shown at once, sent in order, also after being offline, and undone. */
export class TaskActions {
  readonly undoStack: UndoStack
  readonly #client: QueryClient
  readonly #api: ApiClient
  readonly #userId: string
  readonly #store: TaskStore
  readonly #drafts: Drafts
  readonly #changes: TaskChanges
  reports: Reports = { done() {}, undone() {}, failed() {} }
  /** Opens the editor of a task again, with this text. */
  reopen: (task: Task, draft: EditDraft) => void = () => {}

  constructor(client: QueryClient, api: ApiClient, userId: string, store: TaskStore, drafts: Drafts) {
    this.#client = client
    this.#api = api
    this.#userId = userId
    this.#store = store
    this.#drafts = drafts
    this.#changes = new TaskChanges(client, userId, store)
    this.undoStack = new UndoStack(userId)
  }

  /** Add a task. Its text is kept until the service has it: if that fails, it stays in `drafts.unsent`. */
  async add(task: UnsentTask): Promise<Task | null> {
    const { key, title, description } = task
    const now = new Date().toISOString()
    const shown = { user_id: this.#userId, completed: false, revision: -1, created_at: now, updated_at: now }
    this.#drafts.keepUnsent(task)
    try {
      const adding = this.#changes.make({
        scope: "add",
        operation: { taskId: key, apply: () => ({ ...shown, id: key, title, description, isPending: true }) },
        send: () => this.#api.createTask(this.#userId, title, description, { idempotencyKey: key }),
      })
      const done = () => whenMade(adding, (task) => ({ kind: "added", task }))
      const added = await this.#undoable("“{}” was added.", title, adding, done)
      this.#drafts.sent(key)
      return added
    } catch (error) {
      this.#failed("Could not add “{}”.", title, error)
      return null
    }
  }

  /** Whether this new task is on its way. */
  isSending(key: string): boolean {
    return this.#store.view().some(({ id }) => id === key)
  }

  /** Tick a task, or untick it. */
  async setCompleted(task: TaskItem, completed: boolean, isUndo = false): Promise<void> {
    const { id, title } = task
    const sentence = completed ? "“{}” is done." : "“{}” is open again."
    const done: Done = { kind: "toggled", task, wasCompleted: !completed }
    const change = this.#changes.make({
      scope: id,
      operation: { taskId: id, apply: (task) => task && { ...task, completed } },
      send: () => this.#api.setTaskCompletion(this.#userId, id, completed),
    })
    try {
      await (isUndo ? change : this.#undoable(sentence, title, change, () => done))
    } catch (error) {
      this.#failed("Could not update “{}”.", title, error)
    }
  }

  /**
   * Save a text that was made from `base`.
   *
   * Rejects with ChangedElsewhere if the text was changed elsewhere meanwhile, with Gone if the task was deleted, and
   * with what has failed otherwise; the current version is in the store then.
   */
  async edit(id: string, text: TaskText, base: EditDraft["base"], isUndo = false): Promise<void> {
    const before = { title: base.title, description: base.description }
    const saving = this.#changes.make({
      scope: id,
      operation: { taskId: id, apply: (task) => task && { ...task, ...text } },
      // A change of our own may have raised the revision; one of the text, by somebody else, must be a conflict.
      send: () => this.#api.updateTask(this.#userId, id, text, { revision: this.#revisionFor(id, base) }),
    })
    const done = () => whenMade(saving, (after) => ({ kind: "edited", id, before, after }))
    const change = isUndo ? saving : this.#undoable("“{}” was changed.", text.title, saving, done)
    await change.catch((error: unknown) => this.#editFailed(id, base.title, error))
  }

  #revisionFor(id: string, base: EditDraft["base"]): number {
    const current = this.#store.confirmed(id)
    return current && hasSameText(current, base) ? current.revision : base.revision
  }

  async #editFailed(id: string, title: string, error: unknown): Promise<never> {
    if (isGone(error)) return this.#deletedElsewhere(id, title)
    if (!(error instanceof ChangedElsewhere)) {
      this.#failed("Could not update “{}”.", title, error)
      throw error
    }
    try {
      this.#store.put(await this.#api.getTask(this.#userId, id))
    } catch (refetch) {
      if (!isGone(refetch)) throw refetch
      return this.#deletedElsewhere(id, title)
    }
    throw error
  }

  #deletedElsewhere(id: string, title: string): never {
    this.#store.remove(id)
    this.reports.failed("Could not update “{}”.", title, "It was deleted elsewhere.")
    throw new Gone()
  }

  async #undoEdit(id: string, text: TaskText, base: Task): Promise<void> {
    await this.edit(id, text, base, true).catch((error: unknown) => {
      if (!(error instanceof ChangedElsewhere || error instanceof Gone)) return // reported
      this.reports.failed(
        "Could not restore the text of “{}”.",
        base.title,
        "It was changed elsewhere since.",
      )
    })
  }

  /** Delete tasks, one after the other; undoing restores all that were. */
  async remove(tasks: readonly TaskItem[]): Promise<void> {
    const [first] = tasks
    if (!first) return
    let removed = tasks
    const removing = Promise.all(tasks.map((task) => this.#remove(task))).then((results) => {
      removed = tasks.filter((_, index) => results[index])
      if (removed.length === 0) throw new Error("nothing was deleted") // reported
    })
    const [sentence, title] =
      tasks.length === 1 ? ["“{}” was deleted.", first.title] : [`${tasks.length} tasks were deleted.`, null]
    const done = (): Done => ({ kind: "deleted", tasks: removed })
    await this.#undoable(sentence, title, removing, done, true).catch(() => {})
  }

  async #remove(task: TaskItem): Promise<boolean> {
    const { id, title } = task
    try {
      await this.#changes.make({
        scope: id,
        operation: { taskId: id, apply: () => undefined },
        send: () => this.#api.deleteTask(this.#userId, id),
      })
    } catch (error) {
      if (!isGone(error)) {
        this.#failed("Could not delete “{}”.", title, error)
        return false
      }
    }
    this.#store.remove(id)
    return true
  }

  /** Bring a deleted task back. */
  async restore(task: TaskItem): Promise<void> {
    try {
      await this.#changes.make({
        scope: task.id,
        operation: { taskId: task.id, apply: (current) => current ?? task },
        send: () => this.#api.restoreTask(this.#userId, task.id),
      })
    } catch (error) {
      this.#failed("Could not restore “{}”.", task.title, error)
    }
  }

  /** Undo the last change that can be undone. */
  async undo(): Promise<void> {
    const undone = this.undoStack.pop()
    if (!undone) return
    this.reports.undone(undone.sentence, undone.title)
    const done = await undone.done()
    if (!done) return
    if (done.kind === "added") await this.#remove(done.task)
    else if (done.kind === "toggled") await this.setCompleted(done.task, done.wasCompleted, true)
    else if (done.kind === "edited") await this.#undoEdit(done.id, done.before, done.after)
    else if (done.kind === "deleted") await Promise.all(done.tasks.map((task) => this.restore(task)))
    else this.reopen(done.task, done.draft)
  }

  /** A text was thrown away, which can be undone. */
  discarded(task: Task, draft: EditDraft): void {
    const done = (): Done => ({ kind: "discarded", task, draft })
    const sentence = "Your changes to “{}” were discarded."
    void this.#undoable(sentence, draft.base.title, Promise.resolve(), done, true)
  }

  /** Make a change that can be undone, while it is on its way too; reported when it is made. */
  async #undoable<T>(
    sentence: string,
    title: string | null,
    change: Promise<T>,
    done: Undoable["done"],
    isNoticed = false,
  ): Promise<T> {
    const entry = { sentence, title, done }
    const result = await this.undoStack.during(change, entry)
    if (this.undoStack.has(entry)) this.reports.done(sentence, title, isNoticed)
    return result
  }

  #failed(sentence: string, title: string, error: unknown): void {
    if (error instanceof Unauthorized) return // the page is about to be left
    this.reports.failed(sentence, title, describeError(error))
    // Without a response the change may have been made.
    if (error instanceof Unreachable)
      void this.#client.invalidateQueries({ queryKey: ["tasks", this.#userId] })
  }
}
