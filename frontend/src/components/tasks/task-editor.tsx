"use client"

import { type KeyboardEvent, useState } from "react"
import { ChangedElsewhere } from "@/api-client"
import { hasSameText, type TaskItem, validateTitle } from "./list"
import type { useTask } from "./use-task"
import { useTaskCache } from "./use-task-cache"

/** Edits a task's title and description in place. Enter saves, Escape cancels. */
export function TaskEditor({
  task,
  save,
  onClose,
}: {
  task: TaskItem
  save: ReturnType<typeof useTask>["edit"]["mutateAsync"]
  onClose: () => void
}) {
  const cache = useTaskCache()
  const [title, setTitle] = useState(task.title)
  const [description, setDescription] = useState(task.description ?? "")
  const [base, setBase] = useState(task)
  const [isConflict, setConflict] = useState(false)
  const [isSaving, setSaving] = useState(false)

  async function submit(): Promise<void> {
    const text = { title: title.trim(), description: description.trim() || null }
    if (!text.title || isSaving) return
    if (hasSameText(text, base)) return onClose()
    if (hasConflict()) return
    setSaving(true)
    try {
      await save({ text, base })
      onClose()
    } catch (error) {
      setSaving(false)
      // If the text is unchanged (the task was completed elsewhere, for example), there is no conflict: send it again.
      if (error instanceof ChangedElsewhere && !hasConflict()) await submit()
    }
  }

  /** Whether the text has changed since the editor was opened; if so, show the current version. */
  function hasConflict(): boolean {
    const current = cache.find(task.id)
    if (!current || hasSameText(current, base)) return false
    setBase(current)
    setConflict(true)
    return true
  }

  function onKeyDown(event: KeyboardEvent<HTMLFormElement>): void {
    if (event.nativeEvent.isComposing) return
    if (event.key === "Escape") onClose()
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.currentTarget.requestSubmit()
  }

  return (
    <form
      aria-busy={isSaving}
      onKeyDown={onKeyDown}
      onSubmit={(event) => {
        event.preventDefault()
        void submit()
      }}
    >
      <input
        aria-label="Title"
        value={title}
        required
        autoFocus
        onChange={(event) => {
          event.target.setCustomValidity(validateTitle(event.target.value))
          setTitle(event.target.value)
        }}
      />
      <textarea
        aria-label="Description"
        placeholder="Description"
        value={description}
        maxLength={2000}
        rows={3}
        onChange={(event) => setDescription(event.target.value)}
      />
      {isConflict && (
        <div role="alert" className="problem">
          <p>This task was changed elsewhere while you were editing it. Current version:</p>
          <blockquote>
            {base.title}
            {base.description && <small>{base.description}</small>}
          </blockquote>
        </div>
      )}
      <div className="actions">
        <button type="submit" className="primary">
          {isSaving ? "Saving…" : isConflict ? "Save my version" : "Save"}
        </button>
        <button type="button" onClick={onClose}>
          {isSaving ? "Close" : isConflict ? "Discard my changes" : "Cancel"}
        </button>
      </div>
    </form>
  )
}
