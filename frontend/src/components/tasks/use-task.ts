"use client"

import { useMutation } from "@tanstack/react-query"
import { ApiProblem, ChangedElsewhere } from "@/api-client"
import { useNotices } from "../notices"
import { useSession } from "../signed-in"
import { type Edit, isSame, type ShownTask, withoutTask } from "./list"
import { tasksOf, useShownTasks } from "./use-shown-tasks"

/** All that can be done to one task: shown at once, sent one after the other, taken back when it failed. */
export function useTask(task: ShownTask) {
  const { api, user } = useSession()
  const { say } = useNotices()
  const shown = useShownTasks()
  const { id, title } = task
  const common = { mutationKey: [...tasksOf(user.id), id], scope: { id }, onSettled: shown.settle }

  const toggle = useMutation({
    ...common,
    mutationFn: (completed: boolean) => api.setTaskCompletion(user.id, id, completed),
    onMutate: async (completed) => {
      await shown.begin()
      shown.put({ ...(shown.find(id) ?? task), completed })
    },
    // Not the last: what is shown goes further, and must not be sent as if it built on this answer.
    onSuccess: (answer) => shown.isLast(id) && shown.replace(answer),
    onError: (error, completed) => {
      if (shown.isLast(id)) shown.put({ ...(shown.find(id) ?? task), completed: !completed })
      shown.failed(`“${title}” was not changed.`, error)
    },
  })

  const edit = useMutation({
    ...common,
    mutationFn: ({ edit, base }: { edit: Edit; base: ShownTask }) => {
      // When its turn comes, a later revision may be known: it counts if it reads as here, and is a conflict if it
      // brings what somebody else has written.
      const now = shown.find(id)
      const isOurs = now && (isSame(now, edit) || isSame(now, base))
      return api.updateTask(user.id, id, edit, { revision: (isOurs ? now : base).revision })
    },
    onMutate: async ({ edit }) => {
      await shown.begin()
      shown.put({ ...(shown.find(id) ?? task), ...edit })
    },
    onSuccess: (answer) => shown.replace(answer),
    onError: async (error, { base }) => {
      const { title, description } = base
      shown.put({ ...(shown.find(id) ?? base), title, description })
      if (error instanceof ChangedElsewhere) await shown.lookAgain()
      else shown.failed(`“${title}” was not changed.`, error)
    },
  })

  const restore = useMutation({
    ...common,
    mutationFn: () => api.restoreTask(user.id, id),
    onMutate: async () => {
      await shown.begin()
      shown.put(task)
    },
    onSuccess: (answer) => shown.put(answer),
    onError: (error) => {
      shown.change((tasks) => withoutTask(tasks, id))
      shown.failed(`“${title}” was not brought back.`, error)
    },
  })

  const remove = useMutation({
    ...common,
    mutationFn: () => api.deleteTask(user.id, id),
    onMutate: async () => {
      await shown.begin()
      shown.change((tasks) => withoutTask(tasks, id))
    },
    onSuccess: () => {
      shown.change((tasks) => withoutTask(tasks, id)) // an answer on its way may have brought it back
      say(`“${title}” was deleted.`, { label: "Undo", run: () => restore.mutate() })
    },
    onError: (error) => {
      if (error instanceof ApiProblem && error.status === 404) {
        shown.change((tasks) => withoutTask(tasks, id)) // somebody was quicker; it is gone
        return
      }
      shown.put(task)
      shown.failed(`“${title}” was not deleted.`, error)
    },
  })

  return { toggle, edit, remove }
}
