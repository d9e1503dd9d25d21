"use client"

import { useQueryClient } from "@tanstack/react-query"
import { ApiProblem, Unauthorized, Unreachable } from "@/api-client"
import { useNotices } from "../notices"
import { useSession } from "../signed-in"
import { type TaskItem, withTask } from "./list"

/** The query clients whose list may be wrong, because a change has failed. */
const stale = new WeakSet<object>()

/** The query key of a user's tasks. */
export function tasksQueryKey(userId: string): readonly string[] {
  return ["tasks", userId]
}

/** The cached list of tasks, with the operations for optimistic updates and their rollback. */
export function useTaskCache() {
  const { user } = useSession()
  const { showError } = useNotices()
  const client = useQueryClient()
  const key = tasksQueryKey(user.id)

  const tasks = () => client.getQueryData<TaskItem[]>(key)

  /** Update the cached list, if it is loaded. */
  function update(change: (tasks: readonly TaskItem[]) => TaskItem[]): void {
    client.setQueryData<TaskItem[]>(key, (tasks) => tasks && change(tasks))
  }

  return {
    update,
    find: (id: string) => tasks()?.find((task) => task.id === id),
    put: (task: TaskItem, id?: string) => update((tasks) => withTask(tasks, task, id)),
    /** Replace the task if it is in the list; a task deleted meanwhile is not added again. */
    replace: (task: TaskItem) =>
      update((tasks) => tasks.map((other) => (other.id === task.id ? task : other))),

    /** Call before a change: cancels running refetches, which would undo it. The initial load is not cancelled. */
    async beforeChange(): Promise<void> {
      if (tasks()) await client.cancelQueries({ queryKey: key })
    },

    /** Call after a change: refetches the list once no change is running, if it may be wrong. */
    afterChange(): void {
      const isStale = !tasks() || stale.has(client)
      if (!isStale || client.isMutating() > 1) return
      stale.delete(client)
      void client.cancelQueries({ queryKey: key }).then(() => client.refetchQueries({ queryKey: key }))
    },

    /** Whether no other change of this task is running, so that the response is its final state. */
    isLastChange(id: string): boolean {
      return client.isMutating({ mutationKey: [...key, id] }) <= 1
    },

    /** Show why a change failed, and mark the list for a refetch. */
    changeFailed(message: string, error: unknown): void {
      if (error instanceof Unauthorized) return // the page is about to be left
      const isOutcomeKnown = !(error instanceof Unreachable)
      showError(
        isOutcomeKnown
          ? `${message} ${describeError(error)}`
          : `${message} ${describeError(error)} Reloading the list.`,
      )
      stale.add(client)
    },

    refetch: () => client.refetchQueries({ queryKey: key }),
  }
}

/** A message for the user: the API's own, if it sent one. */
export function describeError(error: unknown): string {
  if (error instanceof Unreachable) return "The service is not responding."
  return error instanceof ApiProblem ? error.message : "An unexpected error occurred."
}
