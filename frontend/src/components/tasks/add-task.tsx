"use client"

import { type RefObject, useState } from "react"
import { titleProblem } from "./list"

/** One line; Enter adds. What could not be added comes back into it. */
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
        const wanted = title.trim()
        if (!wanted) return
        setTitle("")
        if (!(await add(wanted))) setTitle((now) => now || wanted)
      }}
    >
      <input
        ref={input}
        aria-label="New task"
        placeholder="What is to be done?"
        value={title}
        autoFocus
        autoComplete="off"
        enterKeyHint="done"
        onChange={(event) => {
          const { value } = event.target
          event.target.setCustomValidity(value.trim() ? titleProblem(value) : "")
          setTitle(value)
        }}
      />
      <button type="submit" className="primary">
        Add
      </button>
    </form>
  )
}
