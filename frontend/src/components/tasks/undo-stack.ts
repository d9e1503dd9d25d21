/** Something that can be undone. `{}` in the sentence stands for the title. */
export interface Undoable {
  readonly sentence: string
  readonly title: string | null
  run(): Promise<void>
}

const LIMIT = 100

/** The latest changes of this page that can be undone, the last one first. */
export class UndoStack {
  #entries: readonly Undoable[] = []
  readonly #listeners = new Set<() => void>()

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly last = (): Undoable | undefined => this.#entries.at(-1)

  push(entry: Undoable): void {
    this.#set([...this.#entries, entry].slice(-LIMIT))
  }

  pop(): Undoable | undefined {
    const last = this.last()
    this.#set(this.#entries.slice(0, -1))
    return last
  }

  #set(entries: readonly Undoable[]): void {
    this.#entries = entries
    for (const listener of this.#listeners) listener()
  }
}
