"use client"

import { type RefObject, useState } from "react"
import { validateTitle } from "./list"

/** A one-line form that adds a task. If adding fails, the title returns to the field. */
export function AddTask({
  input,
  add,
}: {
  input: RefObject<HTMLInputElement | null>
  add: (title: string) => Promise<boolean>
}) {
  const [title, setTitle] = useState("")
  return (
    <form
      className="add"
      onSubmit={async (event) => {
        event.preventDefault()
        const submitted = title.trim()
        if (!submitted) return
        setTitle("")
        if (!(await add(submitted))) setTitle((current) => current || submitted)
      }}
    >
      <input
        ref={input}
        aria-label="New task"
        placeholder="What needs to be done?"
        value={title}
        autoFocus
        autoComplete="off"
        enterKeyHint="done"
        onChange={(event) => {
          const { value } = event.target
          event.target.setCustomValidity(value.trim() ? validateTitle(value) : "")
          setTitle(value)
        }}
      />
      <button type="submit" className="primary">
        Add
      </button>
    </form>
  )
}
