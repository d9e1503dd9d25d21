/** Something that can be undone. `{}` in the sentence stands for the title. */
export interface Undoable {
  readonly sentence: string
  readonly title: string | null
  run(): unknown
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

  has(entry: Undoable): boolean {
    return this.#entries.includes(entry)
  }

  /** The outcome of a change that can be undone from now on. If it fails, there is nothing to undo. */
  async during<T>(change: Promise<T>, entry: Undoable): Promise<T> {
    this.push(entry)
    try {
      return await change
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

  #set(entries: readonly Undoable[]): void {
    this.#entries = entries
    for (const listener of this.#listeners) listener()
  }
}
