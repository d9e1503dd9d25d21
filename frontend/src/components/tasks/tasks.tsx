"use client"

import { useDeferredValue, useRef, useState } from "react"
import { AddTask } from "./add-task"
import { type Filter, visible } from "./list"
import { TaskRow } from "./task-row"
import { wordsFor } from "./use-shown-tasks"
import { useTaskList } from "./use-task-list"

const FILTERS: readonly { value: Filter; label: string }[] = [
  { value: "all", label: "All" },
  { value: "open", label: "Open" },
  { value: "done", label: "Done" },
]

/** The page of one's tasks. */
export function Tasks() {
  const { list, add: adding } = useTaskList()
  const [filter, setFilter] = useState<Filter>("all")
  const [search, setSearch] = useState("")
  const [editing, setEditing] = useState<ReadonlySet<string>>(new Set())
  const view = { filter, search: useDeferredValue(search), editing }
  const add = useRef<HTMLInputElement>(null)
  const find = useRef<HTMLInputElement>(null)
  const shortcuts = { n: add, "/": find }

  const all = list.data
  const shown = all && visible(all, view)
  return (
    <>
      <h1 className="visually-hidden">Tasks</h1>
      <AddTask
        input={add}
        add={(title) =>
          adding.mutateAsync({ title, draft: crypto.randomUUID() }).then(
            () => true,
            () => false,
          )
        }
      />
      <div className="view">
        <fieldset className="filters">
          <legend className="visually-hidden">Show</legend>
          {FILTERS.map(({ value, label }) => (
            <label key={value}>
              <input
                type="radio"
                name="filter"
                value={value}
                checked={filter === value}
                onChange={() => setFilter(value)}
              />
              {label}
            </label>
          ))}
        </fieldset>
        <input
          ref={find}
          type="search"
          aria-label="Search"
          placeholder="Search"
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
      </div>
      <div className="list" aria-busy={list.isPending}>
        {list.isError && (
          <div role="alert" className="banner problem">
            {wordsFor(list.error)} {all ? "This is what was there before." : ""} It is asked again every few
            seconds.{" "}
            <button type="button" className="link" onClick={() => list.refetch()}>
              Ask now
            </button>
          </div>
        )}
        {list.isPending && <Loading />}
        {shown && (
          <ul aria-label="Tasks">
            {shown.map((task) => (
              <TaskRow
                key={task.id}
                task={task}
                isEditing={editing.has(task.id)}
                setEditing={(isEditing) => setEditing((now) => changed(now, task.id, isEditing))}
                shortcuts={shortcuts}
              />
            ))}
          </ul>
        )}
        {shown?.length === 0 && (
          <p className="empty">
            {all?.length ? "No task is like that." : "Nothing to do. Add your first task above."}
          </p>
        )}
      </div>
      <p className="muted foot">
        <span role="status">{all && `${all.filter((task) => !task.completed).length} open`}</span>
        <span className="keys">
          <kbd>N</kbd> new · <kbd>/</kbd> search · <kbd>↑</kbd> <kbd>↓</kbd> move · <kbd>Space</kbd> done ·{" "}
          <kbd>E</kbd> edit · <kbd>Del</kbd> delete
        </span>
      </p>
    </>
  )
}

function Loading() {
  return (
    <>
      <p role="status" className="visually-hidden">
        Loading your tasks
      </p>
      <ul aria-hidden="true" className="loading">
        <li className="task" />
        <li className="task" />
        <li className="task" />
      </ul>
    </>
  )
}

function changed(ids: ReadonlySet<string>, id: string, isIn: boolean): ReadonlySet<string> {
  const others = [...ids].filter((other) => other !== id)
  return new Set(isIn ? [...others, id] : others)
}
