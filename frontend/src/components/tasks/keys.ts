import { type RefObject, useEffect, useRef, useSyncExternalStore } from "react"
import { belongsToInputMethod } from "@/lib/input-method"

/** What the keys do; the second column of the help names them. */
export interface KeyActions {
  focusNew(): void
  focusSearch(): void
  showHelp(): void
  undo(): void
  edit(taskId: string): void
  remove(taskId: string): void
}

export const HELP: readonly (readonly [string[], string])[] = [
  [["N"], "New task"],
  [["/"], "Search"],
  [["↑", "↓"], "Move through the list"],
  [["Space"], "Done, or open again"],
  [["E"], "Edit"],
  [["Del", "⌫"], "Delete"],
  [["Ctrl+Z", "⌘Z"], "Undo"],
  [["Enter"], "Add, or save"],
  [["Shift+Enter"], "Add a description to a new task"],
  [["Ctrl+Enter", "⌘Enter"], "Save, from the description too"],
  [["Esc"], "Leave the editor"],
  [["?"], "This list"],
]

/** Whether a key types a character: spoken words type them too, so they can be turned off (WCAG 2.2, 2.1.4). */
export function isCharacter(key: string): boolean {
  return key.length === 1 && !/[\u2190-\u2193\u232b]/.test(key) // arrows and ⌫, as the help shows them
}

const SETTING = "evo-todo:character-keys"
const listeners = new Set<() => void>()
/** The setting where the browser's storage is denied. */
let unstored = true

function hasCharacterKeys(): boolean {
  try {
    return localStorage.getItem(SETTING) !== "off"
  } catch {
    return unstored
  }
}

/** Whether the shortcut keys that are characters are on, in all tabs of this browser, and a function to switch them. */
export function useCharacterKeys(): [boolean, (on: boolean) => void] {
  return [useSyncExternalStore(subscribe, hasCharacterKeys, () => true), switchCharacterKeys]
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  window.addEventListener("storage", listener)
  return () => {
    listeners.delete(listener)
    window.removeEventListener("storage", listener)
  }
}

function switchCharacterKeys(on: boolean): void {
  unstored = on
  try {
    if (on) localStorage.removeItem(SETTING)
    else localStorage.setItem(SETTING, "off")
  } catch {
    // It lasts as long as the page.
  }
  for (const listener of listeners) listener()
}

/** The shortcut keys of the tasks page, from wherever the focus is, but in a field. */
export function useKeys(list: RefObject<HTMLElement | null>, actions: KeyActions): void {
  const latest = useRef(actions)
  latest.current = actions
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (handle(event, list.current, latest.current)) event.preventDefault()
    }
    window.addEventListener("keydown", onKeyDown)
    return () => window.removeEventListener("keydown", onKeyDown)
  }, [list])
}

/** Run the action of a key. Returns whether there is one. */
function handle(event: KeyboardEvent, list: HTMLElement | null, actions: KeyActions): boolean {
  if (event.defaultPrevented || belongsToInputMethod(event)) return false
  const target = event.target instanceof Element ? event.target : document.body
  if (target.closest("dialog")) return false
  const key = keyOf(event)
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && key === "z") {
    if (hasText(target)) return false // the field's own undo
    actions.undo()
    return true
  }
  if (event.ctrlKey || event.metaKey || event.altKey || isField(target)) return false
  if (isCharacter(key) && !hasCharacterKeys()) return false
  if (key === "n") actions.focusNew()
  else if (key === "/") actions.focusSearch()
  else if (key === "?") actions.showHelp()
  else if (key === "ArrowDown" || key === "ArrowUp") return move(target, list, key)
  else return handleInRow(event, key, target, actions)
  return true
}

function handleInRow(event: KeyboardEvent, key: string, target: Element, actions: KeyActions): boolean {
  const id = target.closest<HTMLElement>("li.task:not([data-pending])")?.dataset.id
  if (id === undefined || event.repeat) return false
  if (key === "e") actions.edit(id)
  else if (key === "Delete" || key === "Backspace") actions.remove(id)
  else return false
  return true
}

/** Move the focus to the next box of the list, or to its first or last one from outside. */
function move(target: Element, list: HTMLElement | null, key: string): boolean {
  if (target.matches("input[type=radio]")) return false
  const boxes = [...(list?.querySelectorAll<HTMLElement>("input[type=checkbox]:enabled") ?? [])]
  const row = target.closest("li")
  const place = boxes.findIndex((box) => row?.contains(box))
  const next = key === "ArrowDown" ? place + 1 : place < 0 ? boxes.length - 1 : place - 1
  boxes[next]?.focus()
  return boxes.length > 0
}

/** The character of a key; on a keyboard without Latin letters, the one at its place on a Latin keyboard. */
function keyOf({ key, code, shiftKey }: KeyboardEvent): string {
  if (key.length > 1) return key
  if (/^[\x21-\x7e]$/.test(key)) return key.toLowerCase()
  if (/^Key[A-Z]$/.test(code)) return code.slice(3).toLowerCase()
  return code === "Slash" ? (shiftKey ? "?" : "/") : key
}

function isField(target: Element): boolean {
  return (
    target.matches("textarea, select, [contenteditable]") ||
    (target.matches("input") && !target.matches("[type=checkbox], [type=radio], [type=button]"))
  )
}

function hasText(target: Element): boolean {
  return isField(target) && (target as HTMLInputElement).value !== ""
}
