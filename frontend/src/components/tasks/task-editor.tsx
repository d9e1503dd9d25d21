"use client"

import { type KeyboardEvent, useState } from "react"
import { ChangedElsewhere } from "@/api-client"
import { isSame, type ShownTask, titleProblem } from "./list"
import { useShownTasks } from "./use-shown-tasks"
import type { useTask } from "./use-task"

/** A task's title and description, edited where they stand: Enter saves, Escape leaves it as it was. */
export function TaskEditor({
  task,
  save,
  done,
}: {
  task: ShownTask
  save: ReturnType<typeof useTask>["edit"]["mutateAsync"]
  done: () => void
}) {
  const shown = useShownTasks()
  const [title, setTitle] = useState(task.title)
  const [description, setDescription] = useState(task.description ?? "")
  const [base, setBase] = useState(task)
  const [isConflict, setConflict] = useState(false)
  const [isSaving, setSaving] = useState(false)

  async function submit(): Promise<void> {
    const edit = { title: title.trim(), description: description.trim() || null }
    if (!edit.title || isSaving) return
    if (isSame(edit, base)) return done()
    if (wasChanged()) return
    setSaving(true)
    try {
      await save({ edit, base })
      done()
    } catch (error) {
      setSaving(false)
      // Ticked elsewhere, say: what is edited here still reads the same, so it is sent again.
      if (error instanceof ChangedElsewhere && !wasChanged()) await submit()
    }
  }

  /** Whether the task reads otherwise by now than when it was opened here; if so, that is shown. */
  function wasChanged(): boolean {
    const current = shown.find(task.id)
    if (!current || isSame(current, base)) return false
    setBase(current)
    setConflict(true)
    return true
  }

  function press(event: KeyboardEvent<HTMLFormElement>): void {
    if (event.nativeEvent.isComposing) return
    if (event.key === "Escape") done()
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.currentTarget.requestSubmit()
  }

  return (
    <form
      aria-busy={isSaving}
      onKeyDown={press}
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
          event.target.setCustomValidity(titleProblem(event.target.value))
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
          <p>This task was changed elsewhere while you edited it. It now reads:</p>
          <blockquote>
            {base.title}
            {base.description && <small>{base.description}</small>}
          </blockquote>
        </div>
      )}
      <div className="actions">
        <button type="submit" className="primary">
          {isSaving ? "Saving…" : isConflict ? "Save mine instead" : "Save"}
        </button>
        <button type="button" onClick={done}>
          {isSaving ? "Close" : isConflict ? "Keep what is there" : "Cancel"}
        </button>
      </div>
    </form>
  )
}
