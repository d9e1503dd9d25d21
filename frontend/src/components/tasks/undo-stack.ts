import type { Task } from "evo-todo-client"
import type { EditDraft } from "./drafts"
import type { TaskText } from "./list"

/** What was done, with all that undoing it needs. */
export type Done =
  | { readonly kind: "added"; readonly task: Task }
  | { readonly kind: "toggled"; readonly task: Task; readonly wasCompleted: boolean }
  | { readonly kind: "edited"; readonly id: string; readonly before: TaskText; readonly after: Task }
  | { readonly kind: "deleted"; readonly tasks: readonly Task[] }
  | { readonly kind: "discarded"; readonly task: Task; readonly draft: EditDraft }

/** Something that can be undone. `{}` in the sentence stands for the title. */
export interface Undoable {
  readonly sentence: string
  readonly title: string | null
  /** Known while it is on its way, or later; null if it has failed. */
  done(): Done | Promise<Done | null>
}

interface Entry extends Undoable {
  /** Set once it was made: only then it outlives the page. */
  made?: Done
}

type Store = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">

const LIMIT = 100
const PREFIX = "evo-todo:undo:"

/**
 * The latest changes of this tab that can be undone, the last one first. From a page that is left to the next one they
 * are in the tab's storage, unless the session has ended; another user's are removed from there.
 */
export class UndoStack {
  readonly #name: string
  #entries: readonly Entry[] = []
  #isCleared = false
  readonly #listeners = new Set<() => void>()

  constructor(userId: string) {
    this.#name = PREFIX + userId
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly last = (): Undoable | undefined => this.#entries.at(-1)

  push(entry: Undoable): void {
    this.#set([...this.#entries, entry].slice(-LIMIT))
  }

  has(entry: Undoable): boolean {
    return this.#entries.includes(entry)
  }

  /** The outcome of a change that can be undone from now on. If it fails, there is nothing to undo. */
  async during<T>(change: Promise<T>, entry: Entry): Promise<T> {
    this.push(entry)
    try {
      const result = await change
      const made = await entry.done()
      if (made) entry.made = made
      this.#set(this.#entries)
      return result
    } catch (error) {
      this.#set(this.#entries.filter((other) => other !== entry))
      throw error
    }
  }

  pop(): Undoable | undefined {
    const last = this.last()
    this.#set(this.#entries.slice(0, -1))
    return last
  }

  /** Forget everything, when the session has ended. */
  clear(): void {
    this.#isCleared = true
    this.#set([])
  }

  /** Call when the page was opened. */
  restore(store = tabStorage()): void {
    if (!store) return
    const kept = read(store.getItem(this.#name))
    const names = Array.from({ length: store.length }, (_, index) => store.key(index) ?? "")
    for (const name of names) if (name.startsWith(PREFIX)) store.removeItem(name)
    if (kept.length > 0) this.#set([...kept, ...this.#entries])
  }

  /** Call when the page is left: what is on its way then cannot be undone any more. */
  keep(store = tabStorage()): void {
    const kept = this.#entries.flatMap(({ sentence, title, made }) => (made ? { sentence, title, made } : []))
    if (this.#isCleared || kept.length === 0) return
    try {
      store?.setItem(this.#name, JSON.stringify(kept))
    } catch {
      // The storage is full.
    }
  }

  #set(entries: readonly Entry[]): void {
    this.#entries = entries
    for (const listener of this.#listeners) listener()
  }
}

function read(value: string | null): readonly Entry[] {
  try {
    const kept = JSON.parse(value ?? "[]") as (Undoable & { made: Done })[]
    return kept.map(({ sentence, title, made }) => ({ sentence, title, made, done: () => made }))
  } catch {
    return []
  }
}

/** What was done, once the service has confirmed it. */
export function whenMade(change: Promise<Task>, doneBy: (task: Task) => Done): Promise<Done | null> {
  return change.then(doneBy, () => null)
}

/** The storage of this tab; null where it is denied. */
function tabStorage(): Store | null {
  try {
    return sessionStorage
  } catch {
    return null
  }
}
