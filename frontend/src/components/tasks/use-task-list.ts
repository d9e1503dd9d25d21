"use client"

import { useQuery } from "@tanstack/react-query"
import { useSyncExternalStore } from "react"
import { useSession } from "../signed-in"
import type { TaskItem } from "./list"

/** Milliseconds until a failed request for the list is repeated. */
const RETRY_INTERVAL = 4_000
const NONE: readonly TaskItem[] = []

/** The user's tasks, newest first, as they are now; undefined until they are loaded. */
export function useTaskList() {
  const { live, store, user } = useSession()
  const list = useQuery({
    queryKey: ["tasks", user.id],
    queryFn: async ({ signal }) => {
      await live.load(signal)
      return true
    },
    staleTime: Number.POSITIVE_INFINITY, // it is followed
    refetchInterval: ({ state }) => (state.status === "error" ? RETRY_INTERVAL : false),
  })
  const tasks = useSyncExternalStore(store.subscribe, store.view, () => NONE)
  return { list, tasks: list.data ? tasks : undefined }
}
