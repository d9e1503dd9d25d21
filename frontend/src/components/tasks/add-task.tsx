"use client"

import { type ClipboardEvent, type RefObject, useEffect, useRef, useState } from "react"
import { randomKey } from "@/api-client"
import { useSession } from "@/components/signed-in"
import { belongsToInputMethod } from "@/lib/input-method"
import type { UnsentTask } from "./drafts"
import { MAX_TITLE, titlesIn, validateDescription, validateTitle } from "./list"

const EMPTY = { title: "", description: "" }

/** A form that adds tasks. What is typed stays until the service has it, or it is thrown away. */
export function AddTask({
  input,
  onAdded,
}: {
  input: RefObject<HTMLInputElement | null>
  onAdded: (id: string) => void
}) {
  const { actions, drafts } = useSession()
  const [text, setText] = useState(EMPTY)
  const [hasDescription, setDescribed] = useState(false)
  const [pasted, setPasted] = useState<readonly string[]>([])
  const [unsent, setUnsent] = useState<readonly UnsentTask[]>([])
  /** The task that has failed and whose text returned to the fields: sending it again must not create a second one. */
  const failed = useRef<UnsentTask | null>(null)
  const latest = useRef(text)
  latest.current = text

  function show(next: typeof EMPTY): void {
    setText(next)
    drafts.setNewTask(next)
    if (next.description) setDescribed(true)
  }

  async function send(task: UnsentTask): Promise<void> {
    const added = await actions.add(task)
    if (added) return onAdded(added.id)
    if (drafts.unsent().every(({ key }) => key !== task.key)) return // signed out
    if (latest.current.title || latest.current.description) return setUnsent((tasks) => [...tasks, task])
    failed.current = task
    drafts.sent(task.key)
    show({ title: task.title, description: task.description ?? "" })
  }

  function submit(): void {
    const title = text.title.trim()
    const description = text.description || null
    if (!title) return
    const isSame = failed.current?.title === title && failed.current.description === description
    const key = isSame && failed.current ? failed.current.key : randomKey()
    failed.current = null
    show(EMPTY)
    setDescribed(false)
    void send({ key, title, description })
  }

  // biome-ignore lint/correctness/useExhaustiveDependencies: once, after the page was loaded
  useEffect(() => {
    const draft = drafts.newTask()
    if (draft && !latest.current.title) show({ title: draft.title, description: draft.description ?? "" })
    for (const { isSafe, ...task } of drafts.unsent()) {
      if (isSafe && !actions.isSending(task.key)) void send(task)
      else if (!isSafe) setUnsent((tasks) => [...tasks, task])
    }
  }, [])

  return (
    <form
      className="add"
      onSubmit={(event) => {
        event.preventDefault()
        submit()
      }}
      onKeyDown={(event) => {
        if (event.key !== "Enter") return
        if (belongsToInputMethod(event.nativeEvent)) event.preventDefault()
        else if (event.shiftKey && event.target === input.current) {
          event.preventDefault()
          setDescribed(true)
        }
      }}
    >
      <div className="line">
        <input
          ref={input}
          aria-label="New task"
          placeholder="What needs to be done?"
          dir="auto"
          value={text.title}
          autoFocus
          autoComplete="off"
          enterKeyHint="done"
          onPaste={(event) => setPasted(pastedLines(event))}
          onChange={(event) => {
            const { value } = event.target
            event.target.setCustomValidity(value.trim() ? validateTitle(value) : "")
            show({ ...text, title: value })
          }}
        />
        <button
          type="button"
          tabIndex={-1} // Shift+Enter in the field does the same
          aria-label="With a description"
          title="With a description"
          aria-expanded={hasDescription}
          onClick={() => setDescribed(!hasDescription || text.description !== "")}
        >
          ≡
        </button>
        <button type="submit" className="primary">
          Add
        </button>
      </div>
      {hasDescription && (
        <textarea
          autoFocus={!text.description}
          aria-label="Description to add"
          placeholder="Description"
          dir="auto"
          rows={3}
          value={text.description}
          onKeyDown={(event) => {
            const isSubmit = event.key === "Enter" && (event.ctrlKey || event.metaKey)
            if (isSubmit && !belongsToInputMethod(event.nativeEvent))
              event.currentTarget.form?.requestSubmit()
          }}
          onChange={(event) => {
            event.target.setCustomValidity(validateDescription(event.target.value))
            show({ ...text, description: event.target.value })
          }}
        />
      )}
      {pasted.length > 0 && (
        <PastedLines
          count={pasted.length}
          onSeparate={() => {
            // The last one is added first: the list shows the newest at the top, and so keeps the order of the lines.
            for (const line of pasted.toReversed()) void send({ key: randomKey(), ...taskOf(line) })
            setPasted([])
            input.current?.focus()
          }}
          onJoined={() => {
            show({ ...text, title: [text.title, ...pasted].filter(Boolean).join(" ") })
            setPasted([])
            input.current?.focus()
          }}
          onCancel={() => {
            setPasted([])
            input.current?.focus()
          }}
        />
      )}
      {unsent.map((task) => (
        <div key={task.key} role="alert" className="banner problem">
          <span>Not saved: </span>
          <bdi>{task.title}</bdi>{" "}
          <button
            type="button"
            className="link"
            onClick={() => {
              setUnsent((tasks) => tasks.filter((other) => other !== task))
              void send(task)
            }}
          >
            Save again
          </button>{" "}
          <button
            type="button"
            className="link"
            onClick={() => {
              drafts.sent(task.key)
              setUnsent((tasks) => tasks.filter((other) => other !== task))
            }}
          >
            Throw away
          </button>
        </div>
      ))}
    </form>
  )
}

function PastedLines(props: { count: number; onSeparate(): void; onJoined(): void; onCancel(): void }) {
  return (
    <fieldset className="banner actions">
      <legend className="visually-hidden">Pasted lines</legend>
      <span role="status">{`${props.count} lines were pasted.`}</span>
      <button type="button" autoFocus onClick={props.onSeparate}>
        {`Add ${props.count} tasks`}
      </button>
      <button type="button" onClick={props.onJoined}>
        As one task
      </button>
      <button type="button" onClick={props.onCancel}>
        Cancel
      </button>
    </fieldset>
  )
}

/** The lines of what is pasted, if there are several: an input would join them. */
function pastedLines(event: ClipboardEvent): string[] {
  const lines = titlesIn(event.clipboardData.getData("text/plain"))
  if (lines.length < 2) return []
  event.preventDefault()
  return lines
}

/** A line as a task; of a line that is no title, the whole is the description. */
function taskOf(line: string): { title: string; description: string | null } {
  const characters = [...line]
  if (characters.length <= MAX_TITLE) return { title: line, description: null }
  return { title: `${characters.slice(0, MAX_TITLE - 1).join("")}…`, description: line }
}
