"use client"

import { onlineManager, useMutationState, useQueryClient } from "@tanstack/react-query"
import { useEffect, useSyncExternalStore } from "react"

/** Shows that the browser is offline and how many changes are pending; asks before a page with pending changes is left. */
export function OfflineNotice() {
  const isOnline = useSyncExternalStore(
    (onChange) => onlineManager.subscribe(onChange),
    () => onlineManager.isOnline(),
    () => true,
  )
  const client = useQueryClient()
  const pending = useMutationState({ filters: { status: "pending" } }).length
  useEffect(() => {
    if (!pending) return
    const confirmLeave = (event: BeforeUnloadEvent) => {
      if (client.isMutating()) event.preventDefault() // signing out clears the pending changes first, so it does not ask
    }
    window.addEventListener("beforeunload", confirmLeave)
    return () => window.removeEventListener("beforeunload", confirmLeave)
  }, [client, pending])
  return (
    <div role="status">
      {!isOnline && (
        <p className="banner">
          You are offline.{" "}
          {pending === 0
            ? "Changes will be saved when you reconnect."
            : `${pending} ${pending === 1 ? "change" : "changes"} will be saved when you reconnect. Keep this page open.`}
        </p>
      )}
    </div>
  )
}
