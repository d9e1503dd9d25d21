"use client"

import { useMutation, useQuery } from "@tanstack/react-query"
import { useSession } from "../signed-in"
import { type TaskItem, withoutTask } from "./list"
import { tasksQueryKey, useTaskCache } from "./use-task-cache"

/** Milliseconds until a failed request for the list is repeated. */
const RETRY_INTERVAL = 4_000

/** The user's tasks, newest first, and the mutation that adds one. */
export function useTaskList() {
  const { api, user } = useSession()
  const cache = useTaskCache()

  const list = useQuery<TaskItem[]>({
    queryKey: tasksQueryKey(user.id),
    queryFn: ({ signal }) => api.listTasks(user.id, { sort: "-created_at", signal }),
    refetchInterval: ({ state }) => (state.status === "error" ? RETRY_INTERVAL : false),
  })

  const add = useMutation({
    mutationFn: ({ title }: { title: string; temporaryId: string }) => api.createTask(user.id, title),
    onMutate: async ({ title, temporaryId }) => {
      await cache.beforeChange()
      const now = new Date().toISOString()
      const rest = { user_id: user.id, description: null, completed: false, revision: 0 }
      cache.put({ ...rest, id: temporaryId, title, created_at: now, updated_at: now, isPending: true })
    },
    onSuccess: (task, { temporaryId }) => cache.put(task, temporaryId),
    onError: (error, { title, temporaryId }) => {
      cache.update((tasks) => withoutTask(tasks, temporaryId))
      cache.changeFailed(`Could not add “${title}”.`, error)
    },
    onSettled: cache.afterChange,
  })

  return { list, add }
}
