"use client"

import { type KeyboardEvent, type RefObject, useId, useLayoutEffect, useRef, useState } from "react"
import type { ShownTask } from "./list"
import { TaskEditor } from "./task-editor"
import { useTask } from "./use-task"

interface Props {
  task: ShownTask
  isEditing: boolean
  setEditing: (isEditing: boolean) => void
  /** Other places that a key of this row leads to. */
  shortcuts: Readonly<Record<string, RefObject<HTMLElement | null>>>
}

/** One task: space toggles it, E edits it in place, Delete deletes it, the arrows go to its neighbours. */
export function TaskRow({ task, isEditing, setEditing, shortcuts }: Props) {
  const { toggle, edit, remove } = useTask(task)
  const [wasLeft, setLeft] = useState(false)
  const row = useRef<HTMLLIElement>(null)
  useKeptFocus(row, shortcuts.n)
  const id = useId()

  /** The focus stays with the task, unless it has gone elsewhere meanwhile. */
  function leaveEditor(): void {
    setLeft(row.current?.contains(document.activeElement) ?? false)
    setEditing(false)
  }

  /** Whether the key means something here. */
  function act(key: string, isHeld: boolean, row: HTMLElement): boolean {
    if (key === "ArrowDown") neighbour(row, "next")?.focus()
    else if (key === "ArrowUp") neighbour(row, "previous")?.focus()
    else if (shortcuts[key]) shortcuts[key].current?.focus()
    else if (task.isUnconfirmed || isHeld) return false
    else if (key === "e") setEditing(true)
    else if (key === "delete") remove.mutate()
    else return false
    return true
  }

  function press(event: KeyboardEvent<HTMLLIElement>): void {
    if (isEditing || event.ctrlKey || event.metaKey || event.altKey) return
    const key = event.key.length === 1 || event.key === "Delete" ? event.key.toLowerCase() : event.key
    if (act(key, event.repeat, event.currentTarget)) event.preventDefault()
  }

  if (isEditing) {
    return (
      <li ref={row} className="task editing">
        <TaskEditor task={task} save={edit.mutateAsync} done={leaveEditor} />
      </li>
    )
  }
  return (
    <li ref={row} className="task" data-unconfirmed={task.isUnconfirmed} onKeyDown={press}>
      <input
        type="checkbox"
        id={id}
        checked={task.completed}
        autoFocus={wasLeft}
        disabled={task.isUnconfirmed}
        onChange={() => toggle.mutate(!task.completed)}
        aria-label={`Done: ${task.title}`}
      />
      <button
        type="button"
        className="title"
        disabled={task.isUnconfirmed}
        title="Edit"
        onClick={() => setEditing(true)}
      >
        <span>{task.title}</span>
        {task.description && <small className="muted">{task.description}</small>}
      </button>
      <button
        type="button"
        className="delete"
        disabled={task.isUnconfirmed}
        aria-label={`Delete: ${task.title}`}
        onClick={() => remove.mutate()}
      >
        ×
      </button>
    </li>
  )
}

/** When a row that has the focus goes away, the focus goes to its neighbour, or to where a task is added. */
function useKeptFocus(
  row: RefObject<HTMLElement | null>,
  otherwise: Props["shortcuts"][string] | undefined,
): void {
  useLayoutEffect(
    () => () => {
      const gone = row.current
      if (!gone?.contains(document.activeElement)) return
      const heir = neighbour(gone, "next") ?? neighbour(gone, "previous") ?? otherwise?.current
      heir?.focus()
    },
    [row, otherwise],
  )
}

/** The checkbox of the nearest row before or after that has one to use. */
function neighbour(row: Element, direction: "next" | "previous"): HTMLElement | null {
  const other = direction === "next" ? row.nextElementSibling : row.previousElementSibling
  if (!other) return null
  return other.querySelector<HTMLElement>("input[type=checkbox]:enabled") ?? neighbour(other, direction)
}
