"use client"

import { useState } from "react"
import { useSession } from "@/components/signed-in"
import { save, toCSV, toJSON } from "@/components/tasks/export"
import { describeError } from "@/components/tasks/reports"

/** Downloads all of the user's tasks. */
export function ExportTasks() {
  const { api, user } = useSession()
  const [error, setError] = useState<string | null>(null)

  async function download(kind: "json" | "csv"): Promise<void> {
    setError(null)
    try {
      const tasks = await api.listTasks(user.id, { sort: "created_at" })
      if (kind === "csv") return save(toCSV(tasks), "tasks.csv", "text/csv;charset=utf-8")
      const deleted = await api.listDeletedTasks(user.id)
      save(toJSON(tasks, deleted), "tasks.json", "application/json")
    } catch (failure) {
      setError(describeError(failure))
    }
  }

  return (
    <section aria-labelledby="export">
      <h2 id="export">Your tasks as a file</h2>
      <p>JSON has everything, deleted tasks that can still be restored too; CSV opens in a spreadsheet.</p>
      <p role="alert" className="problem">
        {error}
      </p>
      <div className="actions">
        <button type="button" onClick={() => download("json")}>
          Download JSON
        </button>
        <button type="button" onClick={() => download("csv")}>
          Download CSV
        </button>
      </div>
    </section>
  )
}
