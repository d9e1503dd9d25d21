"use client"

import { useMutation, useQuery } from "@tanstack/react-query"
import { useSession } from "../signed-in"
import { type ShownTask, withoutTask } from "./list"
import { tasksOf, useShownTasks } from "./use-shown-tasks"

/** How soon an unreachable service is asked again, in milliseconds. */
const ASK_AGAIN = 4_000

/** The person's tasks, newest first, and adding to them. */
export function useTaskList() {
  const { api, user } = useSession()
  const shown = useShownTasks()

  const list = useQuery<ShownTask[]>({
    queryKey: tasksOf(user.id),
    queryFn: ({ signal }) => api.listTasks(user.id, { sort: "-created_at", signal }),
    refetchInterval: ({ state }) => (state.status === "error" ? ASK_AGAIN : false),
  })

  const add = useMutation({
    mutationFn: ({ title }: { title: string; draft: string }) => api.createTask(user.id, title),
    onMutate: async ({ title, draft }) => {
      await shown.begin()
      const now = new Date().toISOString()
      const rest = { user_id: user.id, description: null, completed: false, revision: 0 }
      shown.put({ ...rest, id: draft, title, created_at: now, updated_at: now, isUnconfirmed: true })
    },
    onSuccess: (task, { draft }) => shown.put(task, draft),
    onError: (error, { title, draft }) => {
      shown.change((tasks) => withoutTask(tasks, draft))
      shown.failed(`“${title}” was not added.`, error)
    },
    onSettled: shown.settle,
  })

  return { list, add }
}
