"use client"

import { type KeyboardEvent, type RefObject, useId, useLayoutEffect, useRef, useState } from "react"
import type { TaskItem } from "./list"
import { TaskEditor } from "./task-editor"
import { useTask } from "./use-task"

interface Props {
  task: TaskItem
  isEditing: boolean
  setEditing: (isEditing: boolean) => void
  /** The elements that a key focuses, by key. */
  shortcuts: Readonly<Record<string, RefObject<HTMLElement | null>>>
}

/** A task in the list. Keys: Space toggles it, E edits it in place, Delete deletes it, the arrow keys move the focus. */
export function TaskRow({ task, isEditing, setEditing, shortcuts }: Props) {
  const { toggle, edit, remove } = useTask(task)
  const [restoresFocus, setRestoresFocus] = useState(false)
  const row = useRef<HTMLLIElement>(null)
  useFocusAfterRemoval(row, shortcuts.n)
  const id = useId()

  /** Return the focus to the row, unless it has moved elsewhere. */
  function closeEditor(): void {
    setRestoresFocus(row.current?.contains(document.activeElement) ?? false)
    setEditing(false)
  }

  /** Run the action of a key. Returns whether there is one. */
  function handleKey(key: string, isRepeated: boolean, row: HTMLElement): boolean {
    if (key === "ArrowDown") adjacentCheckbox(row, "next")?.focus()
    else if (key === "ArrowUp") adjacentCheckbox(row, "previous")?.focus()
    else if (shortcuts[key]) shortcuts[key].current?.focus()
    else if (task.isPending || isRepeated) return false
    else if (key === "e") setEditing(true)
    else if (key === "delete") remove.mutate()
    else return false
    return true
  }

  function onKeyDown(event: KeyboardEvent<HTMLLIElement>): void {
    if (isEditing || event.ctrlKey || event.metaKey || event.altKey) return
    const key = event.key.length === 1 || event.key === "Delete" ? event.key.toLowerCase() : event.key
    if (handleKey(key, event.repeat, event.currentTarget)) event.preventDefault()
  }

  if (isEditing) {
    return (
      <li ref={row} className="task editing">
        <TaskEditor task={task} save={edit.mutateAsync} onClose={closeEditor} />
      </li>
    )
  }
  return (
    <li ref={row} className="task" data-pending={task.isPending} onKeyDown={onKeyDown}>
      <input
        type="checkbox"
        id={id}
        checked={task.completed}
        autoFocus={restoresFocus}
        disabled={task.isPending}
        onChange={() => toggle.mutate(!task.completed)}
        aria-label={`Done: ${task.title}`}
      />
      <button
        type="button"
        className="title"
        disabled={task.isPending}
        title="Edit"
        onClick={() => setEditing(true)}
      >
        <span>{task.title}</span>
        {task.description && <small className="muted">{task.description}</small>}
      </button>
      <button
        type="button"
        className="delete"
        disabled={task.isPending}
        aria-label={`Delete: ${task.title}`}
        onClick={() => remove.mutate()}
      >
        ×
      </button>
    </li>
  )
}

/** When a focused row is removed, move the focus to the next row, the previous row or the fallback. */
function useFocusAfterRemoval(
  row: RefObject<HTMLElement | null>,
  fallback: Props["shortcuts"][string] | undefined,
): void {
  useLayoutEffect(
    () => () => {
      const removed = row.current
      if (!removed?.contains(document.activeElement)) return
      const target =
        adjacentCheckbox(removed, "next") ?? adjacentCheckbox(removed, "previous") ?? fallback?.current
      target?.focus()
    },
    [row, fallback],
  )
}

/** The checkbox of the nearest row in this direction that has an enabled one. */
function adjacentCheckbox(row: Element, direction: "next" | "previous"): HTMLElement | null {
  const sibling = direction === "next" ? row.nextElementSibling : row.previousElementSibling
  if (!sibling) return null
  return (
    sibling.querySelector<HTMLElement>("input[type=checkbox]:enabled") ?? adjacentCheckbox(sibling, direction)
  )
}
