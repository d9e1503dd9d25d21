"use client"

import { useQueryClient } from "@tanstack/react-query"
import { ApiProblem, Unauthorized, Unreachable } from "@/api-client"
import { useNotices } from "../notices"
import { useSession } from "../signed-in"
import { type ShownTask, withTask } from "./list"

/** Whose list may not be what is, because a change has failed. */
const unsure = new WeakSet<object>()

/** Where the query of a person's tasks is kept. */
export function tasksOf(userId: string): readonly string[] {
  return ["tasks", userId]
}

/** What the page shows of the tasks, and how changes get into it: at once, and out again when they failed. */
export function useShownTasks() {
  const { user } = useSession()
  const { problem } = useNotices()
  const client = useQueryClient()
  const key = tasksOf(user.id)

  const all = () => client.getQueryData<ShownTask[]>(key)

  /** Change what is shown, if anything is by now. */
  function change(how: (tasks: readonly ShownTask[]) => ShownTask[]): void {
    client.setQueryData<ShownTask[]>(key, (tasks) => tasks && how(tasks))
  }

  return {
    change,
    find: (id: string) => all()?.find((task) => task.id === id),
    put: (task: ShownTask, id?: string) => change((tasks) => withTask(tasks, task, id)),
    /** Put it where it is shown; deleted meanwhile, it stays away. */
    replace: (task: ShownTask) => change((tasks) => tasks.map((one) => (one.id === task.id ? task : one))),

    /** Before a change: an answer that was asked for earlier must not undo it. The first list is waited for. */
    async begin(): Promise<void> {
      if (all()) await client.cancelQueries({ queryKey: key })
    },

    /** After the last of the changes under way: look again where what is shown may not be what is. */
    settle(): void {
      const isUnsure = !all() || unsure.has(client)
      if (!isUnsure || client.isMutating() > 1) return
      unsure.delete(client)
      void client.cancelQueries({ queryKey: key }).then(() => client.refetchQueries({ queryKey: key }))
    },

    /** Whether this is the only change of the task that is under way: then the answer is what is to be shown. */
    isLast(id: string): boolean {
      return client.isMutating({ mutationKey: [...key, id] }) <= 1
    },

    /** Say why, and have the list looked at again. */
    failed(what: string, error: unknown): void {
      if (error instanceof Unauthorized) return // the page is being left
      const isKnown = !(error instanceof Unreachable)
      problem(
        isKnown ? `${what} ${wordsFor(error)}` : `${what} ${wordsFor(error)} The list is read again to see.`,
      )
      unsure.add(client)
    },

    lookAgain: () => client.refetchQueries({ queryKey: key }),
  }
}

/** What went wrong, for a person: the service's own words where it said any. */
export function wordsFor(error: unknown): string {
  if (error instanceof Unreachable) return "The service did not answer."
  return error instanceof ApiProblem ? error.message : "Something unforeseen happened."
}
