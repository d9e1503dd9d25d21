"use client"

import { useMutation } from "@tanstack/react-query"
import { ApiProblem, ChangedElsewhere } from "@/api-client"
import { useNotices } from "../notices"
import { useSession } from "../signed-in"
import { hasSameText, type TaskItem, type TaskText, withoutTask } from "./list"
import { tasksQueryKey, useTaskCache } from "./use-task-cache"

/** The mutations of one task: applied optimistically, sent one after the other, rolled back on failure. */
export function useTask(task: TaskItem) {
  const { api, user } = useSession()
  const { showMessage } = useNotices()
  const cache = useTaskCache()
  const { id, title } = task
  const common = { mutationKey: [...tasksQueryKey(user.id), id], scope: { id }, onSettled: cache.afterChange }

  const toggle = useMutation({
    ...common,
    mutationFn: (completed: boolean) => api.setTaskCompletion(user.id, id, completed),
    onMutate: async (completed) => {
      await cache.beforeChange()
      cache.put({ ...(cache.find(id) ?? task), completed })
    },
    // If other changes are queued, the list already includes them: this response must not replace it.
    onSuccess: (updated) => cache.isLastChange(id) && cache.replace(updated),
    onError: (error, completed) => {
      if (cache.isLastChange(id)) cache.put({ ...(cache.find(id) ?? task), completed: !completed })
      cache.changeFailed(`Could not update “${title}”.`, error)
    },
  })

  const edit = useMutation({
    ...common,
    mutationFn: ({ text, base }: { text: TaskText; base: TaskItem }) => {
      // A queued edit may find a later revision in the cache. It builds on that revision only if the text is still
      // the user's own; a text that somebody else has written must be a conflict.
      const current = cache.find(id)
      const isOwnText = current && (hasSameText(current, text) || hasSameText(current, base))
      return api.updateTask(user.id, id, text, { revision: (isOwnText ? current : base).revision })
    },
    onMutate: async ({ text }) => {
      await cache.beforeChange()
      cache.put({ ...(cache.find(id) ?? task), ...text })
    },
    onSuccess: (updated) => cache.replace(updated),
    onError: async (error, { base }) => {
      const { title, description } = base
      cache.put({ ...(cache.find(id) ?? base), title, description })
      if (error instanceof ChangedElsewhere) await cache.refetch()
      else cache.changeFailed(`Could not update “${title}”.`, error)
    },
  })

  const restore = useMutation({
    ...common,
    mutationFn: () => api.restoreTask(user.id, id),
    onMutate: async () => {
      await cache.beforeChange()
      cache.put(task)
    },
    onSuccess: (restored) => cache.put(restored),
    onError: (error) => {
      cache.update((tasks) => withoutTask(tasks, id))
      cache.changeFailed(`Could not restore “${title}”.`, error)
    },
  })

  const remove = useMutation({
    ...common,
    mutationFn: () => api.deleteTask(user.id, id),
    onMutate: async () => {
      await cache.beforeChange()
      cache.update((tasks) => withoutTask(tasks, id))
    },
    onSuccess: () => {
      cache.update((tasks) => withoutTask(tasks, id)) // the response to an earlier change may have added it again
      showMessage(`“${title}” was deleted.`, { label: "Undo", run: () => restore.mutate() })
    },
    onError: (error) => {
      if (error instanceof ApiProblem && error.status === 404) {
        cache.update((tasks) => withoutTask(tasks, id)) // already deleted elsewhere
        return
      }
      cache.put(task)
      cache.changeFailed(`Could not delete “${title}”.`, error)
    },
  })

  return { toggle, edit, remove }
}
