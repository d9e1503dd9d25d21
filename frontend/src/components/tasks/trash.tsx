"use client"

import { useQuery, useQueryClient } from "@tanstack/react-query"
import { useSession } from "@/components/signed-in"
import { describeError } from "./failures"

/** The deleted tasks that can still be restored, the last deleted first. */
export function Trash() {
  const { api, user, actions } = useSession()
  const client = useQueryClient()
  const queryKey = ["trash", user.id]
  const { data, error, isPending } = useQuery({
    queryKey,
    queryFn: ({ signal }) => api.listDeletedTasks(user.id, { signal }),
    staleTime: 0,
    gcTime: 0,
  })
  return (
    <div className="list" aria-busy={isPending}>
      <p role="alert" className="problem">
        {error && describeError(error)}
      </p>
      {data && (
        <ul aria-label="Deleted tasks">
          {data.map((task) => (
            <li key={task.id} className="task">
              <div
                className="title"
                title={task.deleted_at ? `Deleted ${new Date(task.deleted_at).toLocaleString()}` : undefined}
              >
                <span dir="auto">{task.title}</span>
                {task.description && (
                  <small dir="auto" className="muted folded">
                    {task.description}
                  </small>
                )}
              </div>
              <button
                type="button"
                className="restore"
                aria-label={`Restore: ${task.title}`}
                onClick={async () => {
                  await actions.restore(task)
                  await client.invalidateQueries({ queryKey })
                }}
              >
                Restore
              </button>
            </li>
          ))}
        </ul>
      )}
      {data?.length === 0 && <p className="empty">Nothing was deleted in the last 30 days.</p>}
    </div>
  )
}
