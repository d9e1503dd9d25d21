"use client"

import { type MouseEvent, memo, type RefObject, useId, useRef, useState } from "react"
import { LinkedText } from "./links"
import type { TaskItem } from "./list"
import { useFocusAfterRemoval } from "./use-focus-after-removal"

interface Props {
  task: TaskItem
  /** Whether to take the focus when it appears: its editor had it. */
  restoresFocus: boolean
  onToggle(task: TaskItem): void
  onEdit(task: TaskItem): void
  onDelete(task: TaskItem): void
  /** What gets the focus when this was the last row. */
  fallback: RefObject<HTMLElement | null>
}

/** Longer descriptions are folded. */
const FOLDED_LENGTH = 300
const FOLDED_LINES = 4

/** A task in the list. */
export const TaskRow = memo(function TaskRow({ task, restoresFocus, fallback, ...on }: Props) {
  const row = useRef<HTMLLIElement>(null)
  useFocusAfterRemoval(row, fallback, "input[type=checkbox]:enabled")
  const id = useId()
  return (
    <li ref={row} className="task" data-id={task.id} data-pending={task.isPending}>
      <label className="check">
        <input
          type="checkbox"
          id={id}
          checked={task.completed}
          autoFocus={restoresFocus}
          disabled={task.isPending}
          onChange={() => on.onToggle(task)}
          aria-label={`Done: ${task.title}`}
        />
      </label>
      {/* biome-ignore lint/a11y/noStaticElementInteractions lint/a11y/useKeyWithClickEvents: a shortcut of the button */}
      <div
        className="title"
        title={timesOf(task)}
        onClick={(event) => !task.isPending && isPlainClick(event) && on.onEdit(task)}
      >
        <span dir="auto">
          <LinkedText text={task.title} />
        </span>
        {task.description && <Description text={task.description} />}
      </div>
      <button
        type="button"
        className="icon edit"
        disabled={task.isPending}
        aria-label={`Edit: ${task.title}`}
        title="Edit"
        onClick={() => on.onEdit(task)}
      >
        ✎
      </button>
      <button
        type="button"
        className="icon delete"
        disabled={task.isPending}
        aria-label={`Delete: ${task.title}`}
        title="Delete"
        onClick={() => on.onDelete(task)}
      >
        ×
      </button>
    </li>
  )
})

/** A description, folded if it is tall. */
export function Description({ text }: { text: string }) {
  const [isOpen, setOpen] = useState(false)
  const isTall = text.length > FOLDED_LENGTH || text.split("\n").length > FOLDED_LINES
  return (
    <>
      <small dir="auto" className={isTall && !isOpen ? "muted folded" : "muted"}>
        <LinkedText text={text} />
      </small>
      {isTall && (
        <button type="button" className="link" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {isOpen ? "Show less" : "Show all"}
        </button>
      )}
    </>
  )
}

/** Whether a click means the text: not a link or button in it, and not the end of a selection. */
function isPlainClick({ target }: MouseEvent): boolean {
  const isText = target instanceof Element && !target.closest("a, button")
  return isText && window.getSelection()?.isCollapsed !== false
}

/** When a task was added, and when it was changed. */
export function timesOf({ created_at, updated_at, isPending }: TaskItem): string | undefined {
  if (isPending) return undefined
  const [created, updated] = [created_at, updated_at].map((time) => new Date(time).toLocaleString())
  return created === updated ? `Added ${created}` : `Added ${created}\nChanged ${updated}`
}
