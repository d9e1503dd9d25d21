"use client"

import { randomKey } from "evo-todo-client"
import { type RefObject, useEffect, useRef, useState } from "react"
import { useSession } from "@/components/signed-in"
import { belongsToInputMethod } from "@/lib/input-method"
import type { UnsentTask } from "./drafts"
import { validateDescription, validateTitle } from "./list"
import { PastedLines, pastedLines, taskOf } from "./pasted-lines"
import { useDraft } from "./use-draft"

const EMPTY = { title: "", description: "" }

/** A form that adds tasks. What is typed stays until the service has it, or it is thrown away. */
export function AddTask({
  input,
  onSend,
  onAdded,
}: {
  input: RefObject<HTMLInputElement | null>
  onSend: () => void
  onAdded: (id: string) => void
}) {
  const { actions, drafts } = useSession()
  const [text, setText] = useState(EMPTY)
  const [hasDescription, setDescribed] = useState(false)
  const [pasted, setPasted] = useState<readonly string[]>([])
  const [unsent, setUnsent] = useState<readonly UnsentTask[]>([])
  /** The task that has failed and whose text returned to the fields: sending it again must not create a second one. */
  const failed = useRef<UnsentTask | null>(null)
  const descriptionField = useRef<HTMLTextAreaElement>(null)
  const latest = useRef(text)
  latest.current = text
  const setCopied = useDraft({
    isCopy: false,
    follow: drafts.followNewTask,
    text,
    show: (text) => setText({ title: text?.title ?? "", description: text?.description ?? "" }),
    keep: () => latest.current.title + latest.current.description && drafts.setNewTask(latest.current),
  })
  useEffect(() => {
    input.current?.setCustomValidity(text.title.trim() ? validateTitle(text.title) : "")
    descriptionField.current?.setCustomValidity(validateDescription(text.description))
  })

  function show(next: typeof EMPTY, isCopy = false): void {
    setText(next)
    setCopied(isCopy)
    if (!isCopy) drafts.setNewTask(next)
    if (next.description) setDescribed(true)
  }

  async function send(task: UnsentTask): Promise<void> {
    onSend()
    const added = await actions.add(task)
    if (added) return onAdded(added.id)
    if (drafts.unsent().every(({ key }) => key !== task.key)) return // signed out
    if (latest.current.title || latest.current.description) return setUnsent((tasks) => [...tasks, task])
    putBack(task)
  }

  /** Put the text of a task that was not saved into the fields; what is in them takes its place. */
  function edit(task: UnsentTask): void {
    const { title, description } = text
    const replaced =
      title || description ? { key: randomKey(), title, description: description || null } : null
    if (replaced) drafts.keepUnsent(replaced, 0)
    setUnsent((tasks) => tasks.flatMap((other) => (other === task ? (replaced ?? []) : other)))
    putBack(task)
    input.current?.focus()
  }

  function putBack(task: UnsentTask): void {
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
    if (draft && !latest.current.title) {
      show({ title: draft.title, description: draft.description ?? "" }, true)
    }
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
            show({ ...text, title: event.target.value })
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
          ref={descriptionField}
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
          <button type="button" className="link" onClick={() => edit(task)}>
            Edit
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
