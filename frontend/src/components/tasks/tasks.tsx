"use client"

import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from "react"
import { useSession } from "../signed-in"
import { AddTask } from "./add-task"
import type { EditDraft } from "./drafts"
import { Help } from "./help"
import { useKeys } from "./keys"
import { type TaskItem, visibleTasks } from "./list"
import { describeError } from "./task-actions"
import { TaskEditor } from "./task-editor"
import { TaskRow } from "./task-row"
import { Trash } from "./trash"
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
      <AddTask input={newTask} onAdded={onAdded} />
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
        <Trash />
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
        <span role="status">{tasks && `${tasks.length - done.length} open`}</span>
        {done.length > 0 && (
          <button type="button" className="link" onClick={() => actions.remove(done)}>
            {`Clear ${done.length} completed`}
          </button>
        )}
        <button type="button" className="link keys" onClick={() => help.current?.showModal()}>
          Keyboard shortcuts
        </button>
      </p>
      <Help dialog={help} />
    </>
  )
}

interface OpenEditor {
  readonly task: TaskItem
  /** Tells one opening from the next. */
  readonly opening: number
}

/** The open editors, by the id of their task; those with an unsaved text are opened when the list was loaded. */
function useEditors(tasks: readonly TaskItem[] | undefined) {
  const { drafts } = useSession()
  const [open, setOpen] = useState<ReadonlyMap<string, OpenEditor>>(new Map())
  const [lastClosed, setLastClosed] = useState<string | null>(null)
  const opening = useRef(0)
  const isLoaded = tasks !== undefined
  const latest = useRef(tasks)
  latest.current = tasks

  const openTask = useCallback((task: TaskItem) => {
    opening.current++
    const editor = { task, opening: opening.current }
    setOpen((editors) => new Map(editors).set(task.id, editor))
  }, [])
  useEffect(() => {
    if (!isLoaded) return
    for (const { id, draft } of drafts.edits()) {
      openTask(latest.current?.find((task) => task.id === id) ?? goneTask(id, draft))
    }
  }, [isLoaded, drafts, openTask])

  return {
    tasks: open,
    lastClosed,
    open: openTask,
    reopen(task: TaskItem, draft: EditDraft): void {
      drafts.setEdit(task.id, draft)
      openTask(task)
    },
    close(id: string, hadFocus: boolean): void {
      setLastClosed(hadFocus ? id : null)
      setOpen((editors) => new Map([...editors].filter(([other]) => other !== id)))
    },
  }
}

/** A task of which only an unsaved text is left. */
function goneTask(id: string, { base }: EditDraft): TaskItem {
  const { title, description, revision } = base
  return { id, title, description, revision, user_id: "", completed: false, created_at: "", updated_at: "" }
}

/** The visible tasks, with those at their former places that are being edited and were deleted elsewhere. */
function withGhosts(
  visible: readonly TaskItem[],
  editors: ReadonlyMap<string, OpenEditor>,
  all: readonly TaskItem[],
): readonly TaskItem[] {
  const ids = new Set(all.map(({ id }) => id))
  let result = visible
  for (const { task } of editors.values()) {
    if (ids.has(task.id)) continue
    const place = result.findIndex((other) => !other.isPending && other.id < task.id)
    const index = place < 0 ? result.length : place
    result = [...result.slice(0, index), task, ...result.slice(index)]
  }
  return result
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
