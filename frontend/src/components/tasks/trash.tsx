"use client"

import { useQuery } from "@tanstack/react-query"
import type { Task } from "evo-todo-client"
import { type RefObject, useEffect, useMemo, useRef, useSyncExternalStore } from "react"
import { useSession } from "@/components/signed-in"
import { LinkedText } from "./links"
import { describeError } from "./reports"
import { matches, searchParts } from "./search"
import { Description } from "./task-row"
import { useFocusAfterRemoval } from "./use-focus-after-removal"

/** The deleted tasks that can still be restored and match the search, the last deleted first. */
export function Trash({ search, fallback }: { search: string; fallback: RefObject<HTMLElement | null> }) {
  const { api, user, actions, store } = useSession()
  const { data, error, isPending, refetch } = useQuery({
    queryKey: ["trash", user.id],
    queryFn: ({ signal }) => api.listDeletedTasks(user.id, { signal }),
    staleTime: 0,
    gcTime: 0,
  })
  const count = useSyncExternalStore(store.subscribe, store.count, () => 0)
  const known = useRef(count)
  useEffect(() => {
    if (count !== known.current) void refetch() // something was deleted or restored, here or elsewhere
    known.current = count
  }, [count, refetch])
  const parts = useMemo(() => searchParts(search), [search])
  const found = data?.filter((task) => matches(task, parts))

  return (
    <div className="list" aria-busy={isPending}>
      <p role="alert" className="problem">
        {error && describeError(error)}
      </p>
      {found && (
        <ul aria-label="Deleted tasks">
          {found.map((task) => (
            <DeletedRow
              key={task.id}
              task={task}
              fallback={fallback}
              onRestore={() => void actions.restore(task).then(() => refetch())}
            />
          ))}
        </ul>
      )}
      {found?.length === 0 && (
        <p className="empty">
          {data?.length ? "No matching tasks." : "Nothing was deleted in the last 30 days."}
        </p>
      )}
    </div>
  )
}

function DeletedRow(props: { task: Task; fallback: RefObject<HTMLElement | null>; onRestore(): void }) {
  const { title, description, deleted_at } = props.task
  const row = useRef<HTMLLIElement>(null)
  useFocusAfterRemoval(row, props.fallback, "button.restore")
  return (
    <li ref={row} className="task">
      <div
        className="title"
        title={deleted_at ? `Deleted ${new Date(deleted_at).toLocaleString()}` : undefined}
      >
        <span dir="auto">
          <LinkedText text={title} />
        </span>
        {description && <Description text={description} />}
      </div>
      <button type="button" className="restore" aria-label={`Restore: ${title}`} onClick={props.onRestore}>
        Restore
      </button>
    </li>
  )
}
