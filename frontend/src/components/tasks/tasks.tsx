"use client"

import { useCallback, useDeferredValue, useMemo, useRef, useState } from "react"
import { useSession } from "../signed-in"
import { AddTask } from "./add-task"
import { Help, HelpButton } from "./help"
import { useKeys } from "./keys"
import { type TaskItem, visibleTasks } from "./list"
import { describeError } from "./reports"
import { TaskEditor } from "./task-editor"
import { TaskRow } from "./task-row"
import { Trash } from "./trash"
import { useEditors, withGhosts } from "./use-editors"
import { useReports } from "./use-reports"
import { useTaskList } from "./use-task-list"
import { useView } from "./use-view"
import { ViewBar } from "./view-bar"

/** The content of the tasks page. */
export function Tasks() {
  const { actions } = useSession()
  const { list, tasks } = useTaskList()
  const { shown, setShown, search, setSearch } = useView()
  const editors = useEditors(tasks)
  const [added, setAdded] = useState<ReadonlySet<string>>(new Set())
  const newTask = useRef<HTMLInputElement>(null)
  const searchField = useRef<HTMLInputElement>(null)
  const help = useRef<HTMLDialogElement>(null)
  const rows = useRef<HTMLUListElement>(null)
  useReports()
  useKeys(rows, {
    focusNew: () => newTask.current?.focus(),
    focusSearch: () => searchField.current?.focus(),
    showHelp: () => help.current?.showModal(),
    undo: () => void actions.undo(),
    edit: (id) => withTask(tasks, id, editors.open),
    remove: (id) => withTask(tasks, id, (task) => void actions.remove([task])),
  })

  const deferredSearch = useDeferredValue(search)
  const filter = shown === "deleted" ? "all" : shown
  const pinned = useMemo(
    () =>
      new Set([
        ...added,
        ...editors.tasks.keys(),
        ...(tasks ?? []).filter((t) => t.isPending).map((t) => t.id),
      ]),
    [added, editors.tasks, tasks],
  )
  const visible = useMemo(
    () =>
      tasks &&
      withGhosts(visibleTasks(tasks, { filter, search: deferredSearch, pinned }), editors.tasks, tasks),
    [tasks, filter, deferredSearch, pinned, editors.tasks],
  )
  const done = tasks?.filter((task) => task.completed && !task.isPending) ?? []
  const onToggle = useCallback(
    (task: TaskItem) => void actions.setCompleted(task, !task.completed),
    [actions],
  )
  const onDelete = useCallback((task: TaskItem) => void actions.remove([task]), [actions])
  const onAdded = useCallback((id: string) => setAdded((ids) => new Set([...ids, id])), [])

  return (
    <>
      <h1 className="visually-hidden">Tasks</h1>
      <AddTask input={newTask} onSend={() => shown === "deleted" && setShown("all")} onAdded={onAdded} />
      <ViewBar
        searchField={searchField}
        shown={shown}
        search={search}
        counts={tasks && { all: tasks.length, open: tasks.length - done.length, done: done.length }}
        onShow={(next) => {
          setShown(next)
          setAdded(new Set())
        }}
        onSearch={(next) => {
          setSearch(next)
          setAdded(new Set())
        }}
      />
      {shown === "deleted" ? (
        <Trash search={deferredSearch} fallback={newTask} />
      ) : (
        <div className="list" aria-busy={list.isPending}>
          {list.isError && (
            <div role="alert" className="banner problem">
              <span>{describeError(list.error)}</span>
              <span>{tasks ? " The list may be outdated." : ""}</span>
              <span> Retrying every few seconds. </span>
              <button type="button" className="link" onClick={() => list.refetch()}>
                Retry now
              </button>
            </div>
          )}
          {list.isPending && <Loading />}
          {visible && (
            <ul aria-label="Tasks" ref={rows}>
              {visible.map((task) =>
                editors.tasks.has(task.id) ? (
                  <li key={task.id} className="task editing" data-id={task.id}>
                    <TaskEditor
                      key={editors.tasks.get(task.id)?.opening}
                      task={task}
                      isGone={!tasks?.some(({ id }) => id === task.id)}
                      onClose={(hadFocus) => editors.close(task.id, hadFocus)}
                      onReopen={(draft) => editors.reopen(task, draft)}
                    />
                  </li>
                ) : (
                  <TaskRow
                    key={task.id}
                    task={task}
                    restoresFocus={editors.lastClosed === task.id}
                    onToggle={onToggle}
                    onEdit={editors.open}
                    onDelete={onDelete}
                    fallback={newTask}
                  />
                ),
              )}
            </ul>
          )}
          {visible?.length === 0 && (
            <p className="empty">
              {tasks?.length ? "No matching tasks." : "No tasks yet. Add your first task above."}
            </p>
          )}
        </div>
      )}
      <p className="muted foot">
        <span role="status">
          <span>{tasks && `${tasks.length - done.length} open`}</span>
          {visible && deferredSearch && shown !== "deleted" && <span>{`, ${visible.length} found`}</span>}
        </span>
        {done.length > 0 && (
          <button type="button" className="link" onClick={() => actions.remove(done)}>
            {`Clear ${done.length} completed`}
          </button>
        )}
        <HelpButton dialog={help} />
      </p>
      <Help dialog={help} />
    </>
  )
}

function withTask(tasks: readonly TaskItem[] | undefined, id: string, run: (task: TaskItem) => void): void {
  const task = tasks?.find((other) => other.id === id)
  if (task) run(task)
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
