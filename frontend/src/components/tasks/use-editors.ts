import { useCallback, useEffect, useRef, useState } from "react"
import { useSession } from "../signed-in"
import type { EditDraft } from "./drafts"
import type { TaskItem } from "./list"

export interface OpenEditor {
  readonly task: TaskItem
  /** Tells one opening from the next. */
  readonly opening: number
}

/** The open editors, by the id of their task; those with an unsaved text are opened when the list was loaded. */
export function useEditors(tasks: readonly TaskItem[] | undefined) {
  const { actions, drafts } = useSession()
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

  const reopen = useCallback(
    (task: TaskItem, draft: EditDraft) => {
      drafts.setEdit(task.id, draft)
      openTask(task)
    },
    [drafts, openTask],
  )
  useEffect(() => {
    actions.reopen = reopen
  }, [actions, reopen])

  return {
    tasks: open,
    lastClosed,
    open: openTask,
    reopen,
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
export function withGhosts(
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
