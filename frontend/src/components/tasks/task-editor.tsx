"use client"

import { ChangedElsewhere, randomKey, Unauthorized } from "evo-todo-client"
import { type KeyboardEvent, useEffect, useRef, useState } from "react"
import { useSession } from "@/components/signed-in"
import { belongsToInputMethod } from "@/lib/input-method"
import type { EditDraft } from "./drafts"
import { hasSameText, type TaskItem, textOf, validateDescription, validateTitle } from "./list"
import { Gone } from "./reports"
import { timesOf } from "./task-row"
import { useDraft } from "./use-draft"

interface Props {
  task: TaskItem
  /** The task was deleted elsewhere. */
  isGone: boolean
  /** `hadFocus`: the focus was in the editor, and is lost with it. */
  onClose(hadFocus: boolean): void
  /** Open it again, with this text. */
  onReopen(draft: EditDraft): void
}

/** Edits a task's title and description in place. Enter saves, Escape throws the changes away, which can be undone. */
export function TaskEditor({ task, isGone, onClose, onReopen }: Props) {
  const { actions, drafts, store } = useSession()
  const [draft] = useState(() => drafts.edit(task.id))
  const [base, setBase] = useState<EditDraft["base"]>(draft?.base ?? task)
  const [title, setTitle] = useState(draft?.title ?? base.title)
  const [description, setDescription] = useState(draft?.description ?? base.description ?? "")
  const [isConflict, setConflict] = useState(false)
  const [isSaving, setSaving] = useState(false)
  const form = useRef<HTMLFormElement>(null)
  const text = textOf({ title, description }, base)
  const isChanged = !hasSameText(text, base)

  function keep(title: string, description: string): void {
    const { title: baseTitle, description: baseDescription, revision } = base
    const kept = { title: baseTitle, description: baseDescription, revision }
    drafts.setEdit(task.id, { ...textOf({ title, description }, base, false), base: kept })
    setCopied(false)
  }

  const setCopied = useDraft({
    isCopy: draft !== null,
    follow: drafts.followEdit(task.id),
    text: { title, description },
    show(text) {
      if (!text) return close()
      setTitle(text.title)
      setDescription(text.description ?? "")
    },
    keep: () => isChanged && keep(title, description),
  })

  function close(): void {
    onClose(form.current?.contains(document.activeElement) ?? false)
  }

  function discard(): void {
    if (isChanged && !isSaving) {
      const thrownAway = drafts.edit(task.id)
      drafts.discardEdit(task.id)
      if (thrownAway) {
        actions.discarded(task, thrownAway)
      }
    }
    close()
  }

  async function submit(from: EditDraft["base"] = base): Promise<void> {
    if (isSaving || !text.title) return
    if (!isGone && hasSameText(text, from)) {
      drafts.discardEdit(task.id)
      return close()
    }
    if (!isGone && hasConflict(from)) return
    setSaving(true)
    try {
      if (isGone) await actions.restore(task)
      await actions.edit(task.id, text, isGone ? (store.confirmed(task.id) ?? from) : from)
      drafts.discardEdit(task.id)
      close()
    } catch (error) {
      setSaving(false)
      if (error instanceof Unauthorized || error instanceof Gone) return
      // If the text is unchanged (the task was completed elsewhere, for example), there is no conflict: send it again.
      if (error instanceof ChangedElsewhere && !hasConflict(from)) await submit(store.confirmed(task.id))
      else if (!form.current) onReopen({ ...text, base: from }) // it was closed meanwhile
    }
  }

  async function saveAsNew(): Promise<void> {
    drafts.discardEdit(task.id)
    close()
    await actions.add({ key: randomKey(), ...text })
  }

  /** Whether the text has changed since the editor was opened; if so, show the current version. */
  function hasConflict(from: EditDraft["base"]): boolean {
    const current = store.confirmed(task.id)
    if (!current || hasSameText(current, from) || hasSameText(current, text)) return false
    setBase(current)
    setConflict(true)
    return true
  }

  function onKeyDown(event: KeyboardEvent<HTMLFormElement>): void {
    if (belongsToInputMethod(event.nativeEvent)) {
      if (event.key === "Enter" && event.target instanceof HTMLInputElement) event.preventDefault()
      return
    }
    if (event.key === "Escape") {
      event.preventDefault()
      discard()
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.currentTarget.requestSubmit()
  }

  const saveLabel = isSaving ? "Saving…" : isConflict && !isGone ? "Save my version" : "Save"
  const closeLabel = isSaving ? "Close" : isConflict || isGone ? "Discard my changes" : "Cancel"
  return (
    <form
      ref={form}
      aria-busy={isSaving}
      onKeyDown={onKeyDown}
      onSubmit={(event) => {
        event.preventDefault()
        void submit()
      }}
    >
      <LimitedField
        label="Title"
        value={title}
        validate={validateTitle}
        onChange={(value) => {
          setTitle(value)
          keep(value, description)
        }}
      />
      <LimitedField
        label="Description"
        isLong
        value={description}
        validate={validateDescription}
        onChange={(value) => {
          setDescription(value)
          keep(title, value)
        }}
      />
      {isGone && (
        <p role="alert" className="problem">
          This task was deleted elsewhere while you were editing it. Saving brings it back.
        </p>
      )}
      {isConflict && !isGone && (
        <div role="alert" className="problem">
          <p>This task was changed elsewhere while you were editing it. Current version:</p>
          <blockquote>
            <span dir="auto">{base.title}</span>
            {base.description && <small dir="auto">{base.description}</small>}
          </blockquote>
        </div>
      )}
      {task.created_at && <small className="muted times">{timesOf(task)}</small>}
      <div className="actions">
        <button type="submit" className="primary">
          {saveLabel}
        </button>
        {isGone && (
          <button type="button" onClick={saveAsNew}>
            Save as a new task
          </button>
        )}
        <button type="button" onClick={discard}>
          {closeLabel}
        </button>
      </div>
    </form>
  )
}

interface FieldProps {
  label: string
  value: string
  validate(value: string): string
  onChange(value: string): void
  isLong?: boolean
}

/** A field with a limit in code points, as the service counts. */
function LimitedField({ label, value, validate, onChange, isLong = false }: FieldProps) {
  const field = useRef<HTMLInputElement & HTMLTextAreaElement>(null)
  const error = validate(value)
  useEffect(() => field.current?.setCustomValidity(error), [error])
  const common = {
    ref: field,
    "aria-label": label,
    dir: "auto",
    value,
    onChange: (event: { target: { value: string } }) => onChange(event.target.value),
  }
  return isLong ? (
    <textarea {...common} placeholder={label} rows={3} />
  ) : (
    <input {...common} required autoFocus autoComplete="off" />
  )
}
