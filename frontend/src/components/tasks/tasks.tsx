"use client"

import { useDeferredValue, useRef, useState } from "react"
import { randomKey } from "@/api-client"
import { AddTask } from "./add-task"
import { type Filter, visibleTasks } from "./list"
import { TaskRow } from "./task-row"
import { describeError } from "./use-task-cache"
import { useTaskList } from "./use-task-list"

const FILTERS: readonly { value: Filter; label: string }[] = [
  { value: "all", label: "All" },
  { value: "open", label: "Open" },
  { value: "done", label: "Done" },
]

/** The content of the tasks page. */
export function Tasks() {
  const { list, add } = useTaskList()
  const [filter, setFilter] = useState<Filter>("all")
  const [search, setSearch] = useState("")
  const [editing, setEditing] = useState<ReadonlySet<string>>(new Set())
  const view = { filter, search: useDeferredValue(search), editing }
  const newTask = useRef<HTMLInputElement>(null)
  const searchField = useRef<HTMLInputElement>(null)
  const shortcuts = { n: newTask, "/": searchField }

  const all = list.data
  const shown = all && visibleTasks(all, view)
  return (
    <>
      <h1 className="visually-hidden">Tasks</h1>
      <AddTask
        input={newTask}
        add={(title) =>
          add.mutateAsync({ title, temporaryId: randomKey() }).then(
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
          ref={searchField}
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
            {describeError(list.error)} {all ? "The list may be outdated." : ""} Retrying every few seconds.{" "}
            <button type="button" className="link" onClick={() => list.refetch()}>
              Retry now
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
                setEditing={(isEditing) => setEditing((ids) => withId(ids, task.id, isEditing))}
                shortcuts={shortcuts}
              />
            ))}
          </ul>
        )}
        {shown?.length === 0 && (
          <p className="empty">
            {all?.length ? "No matching tasks." : "No tasks yet. Add your first task above."}
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
        Loading tasks
      </p>
      <ul aria-hidden="true" className="loading">
        <li className="task" />
        <li className="task" />
        <li className="task" />
      </ul>
    </>
  )
}

/** The set with or without this id. */
function withId(ids: ReadonlySet<string>, id: string, isIncluded: boolean): ReadonlySet<string> {
  const others = [...ids].filter((other) => other !== id)
  return new Set(isIncluded ? [...others, id] : others)
}
