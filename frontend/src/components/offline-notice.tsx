"use client"

import { onlineManager, useMutationState, useQueryClient } from "@tanstack/react-query"
import { useEffect, useSyncExternalStore } from "react"

/** Says that there is no network, how much waits for it, and asks before waiting changes are thrown away. */
export function OfflineNotice() {
  const isOnline = useSyncExternalStore(
    (changed) => onlineManager.subscribe(changed),
    () => onlineManager.isOnline(),
    () => true,
  )
  const client = useQueryClient()
  const waiting = useMutationState({ filters: { status: "pending" } }).length
  useEffect(() => {
    if (!waiting) return
    const ask = (event: BeforeUnloadEvent) => {
      if (client.isMutating()) event.preventDefault() // none is left when the session is left on purpose
    }
    window.addEventListener("beforeunload", ask)
    return () => window.removeEventListener("beforeunload", ask)
  }, [client, waiting])
  return (
    <div role="status">
      {!isOnline && (
        <p className="banner">
          You are offline.{" "}
          {waiting === 0
            ? "Changes will be sent when you are back."
            : `${waiting} ${waiting === 1 ? "change is" : "changes are"} sent when you are back; keep this page open.`}
        </p>
      )}
    </div>
  )
}
