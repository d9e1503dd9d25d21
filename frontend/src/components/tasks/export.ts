import type { Task } from "evo-todo-client"

const COLUMNS = ["id", "title", "description", "completed", "created_at", "updated_at"] as const

/** The tasks as JSON, as the service has them. */
export function toJSON(tasks: readonly Task[], deleted: readonly Task[]): string {
  return `${JSON.stringify({ tasks, deleted }, null, 2)}\n`
}

/** The tasks as CSV (RFC 4180) with a byte order mark, by which spreadsheets recognize UTF-8. */
export function toCSV(tasks: readonly Task[]): string {
  const rows = tasks.map((task) => COLUMNS.map((column) => cell(task[column])))
  return `\ufeff${[COLUMNS.map(cell), ...rows].map((row) => `${row.join(",")}\r\n`).join("")}`
}

/** A quoted cell. A text that a spreadsheet would run as a formula gets an apostrophe in front. */
function cell(value: string | boolean | null): string {
  const text = value === null ? "" : String(value)
  return `"${(/^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`
}

/** Let the browser save a text as a file. */
export function save(text: string, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }))
  const link = Object.assign(document.createElement("a"), { href: url, download: name })
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
