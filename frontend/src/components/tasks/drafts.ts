import { hasSameText, type TaskText } from "./list"

/** The text in an editor that is not saved. */
export interface EditDraft extends TaskText {
  /** The text and revision that it was made from. */
  readonly base: TaskText & { readonly revision: number }
}

/** A new task that the service has not confirmed. */
export interface UnsentTask extends TaskText {
  /** Its Idempotency-Key: sending it again creates no second task. */
  readonly key: string
}

interface StoredTask extends UnsentTask {
  /** Its place: the clock may have been set back in between. */
  readonly number: number
  readonly at: number
}

/** Calls the listener when another tab keeps another text, or none (null); returns a function that stops that. */
export type FollowDraft = (listener: (now: TaskText | null, before: TaskText | null) => void) => () => void

type Store = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">

const PREFIX = "evo-todo:draft:"
/** Milliseconds that the service remembers a key, less an hour. */
const KEY_LIFETIME = 23 * 3600 * 1000

/**
 * What a person has typed and the service does not have yet, in the browser's storage until it is sent or thrown away:
 * it survives a reload, a lost session and a crash. Without storage it lasts as long as the page.
 */
export class Drafts {
  readonly #store: Store
  readonly #prefix: string
  #isCleared = false

  constructor(userId: string, store: Store = browserStorage()) {
    this.#store = store
    this.#prefix = `${PREFIX}${userId}:`
  }

  newTask(): TaskText | null {
    return this.#read<TaskText>("new")
  }

  setNewTask(text: TaskText): void {
    if (text.title || text.description) this.#write("new", text)
    else this.#remove("new")
  }

  readonly followNewTask: FollowDraft = (listener) => this.#follow("new", listener)

  edit(taskId: string): EditDraft | null {
    return this.#read<EditDraft>(`edit:${taskId}`)
  }

  setEdit(taskId: string, draft: EditDraft): void {
    if (hasSameText(draft, draft.base)) this.discardEdit(taskId)
    else this.#write(`edit:${taskId}`, draft)
  }

  followEdit(taskId: string): FollowDraft {
    return (listener) => this.#follow(`edit:${taskId}`, listener)
  }

  discardEdit(taskId: string): void {
    this.#remove(`edit:${taskId}`)
  }

  /** The tasks with an unsaved text. */
  edits(): { id: string; draft: EditDraft }[] {
    return this.#names("edit:").flatMap((id) => {
      const draft = this.edit(id)
      return draft ? { id, draft } : []
    })
  }

  /** `at`: when it was sent first; 0 if it was not. */
  keepUnsent({ key, title, description }: UnsentTask, at = Date.now()): void {
    const number = 1 + Math.max(0, ...this.#stored().map((task) => task.number))
    this.#write(`add:${key}`, { key, title, description, number, at } satisfies StoredTask)
  }

  sent(key: string): void {
    this.#remove(`add:${key}`)
  }

  /** The tasks that were not confirmed, oldest first; `isSafe`: sending it again creates no second task. */
  unsent(now = Date.now()): (UnsentTask & { isSafe: boolean })[] {
    return this.#stored()
      .sort((one, other) => one.number - other.number)
      .map(({ key, title, description, at }) => ({
        key,
        title,
        description,
        isSafe: Math.abs(now - at) < KEY_LIFETIME,
      }))
  }

  #stored(): StoredTask[] {
    return this.#names("add:").flatMap((key) => this.#read<StoredTask>(`add:${key}`) ?? [])
  }

  /** Forget everything, when the user signs out, and keep nothing from then on. */
  clear(): void {
    this.#isCleared = true
    for (const name of this.#names("")) this.#remove(name)
  }

  #follow(name: string, listener: Parameters<FollowDraft>[0]): () => void {
    const onStorage = ({ key, newValue, oldValue }: StorageEvent) => {
      if (key === this.#prefix + name) listener(parse<TaskText>(newValue), parse<TaskText>(oldValue))
    }
    window.addEventListener("storage", onStorage)
    return () => window.removeEventListener("storage", onStorage)
  }

  #names(kind: string): string[] {
    const prefix = this.#prefix + kind
    const names = Array.from({ length: this.#store.length }, (_, index) => this.#store.key(index) ?? "")
    return names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length))
  }

  #read<T>(name: string): T | null {
    return parse<T>(this.#store.getItem(this.#prefix + name))
  }

  #write(name: string, value: unknown): void {
    if (this.#isCleared) return
    try {
      this.#store.setItem(this.#prefix + name, JSON.stringify(value))
    } catch {
      // The storage is full: the text is still on the page.
    }
  }

  #remove(name: string): void {
    this.#store.removeItem(this.#prefix + name)
  }
}

function parse<T>(value: string | null): T | null {
  try {
    return JSON.parse(value ?? "null") as T | null
  } catch {
    return null
  }
}

/** The browser's storage, or a substitute where it is denied. */
function browserStorage(): Store {
  try {
    if (typeof localStorage !== "undefined" && localStorage.length >= 0) return localStorage
  } catch {}
  const items = new Map<string, string>()
  return {
    get length() {
      return items.size
    },
    key: (index) => [...items.keys()][index] ?? null,
    getItem: (name) => items.get(name) ?? null,
    setItem: (name, value) => void items.set(name, value),
    removeItem: (name) => void items.delete(name),
  }
}
