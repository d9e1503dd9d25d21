import type { ClipboardEvent } from "react"
import { MAX_TITLE, titlesIn } from "./list"

/** Asks what several pasted lines are to be. */
export function PastedLines(props: {
  count: number
  onSeparate(): void
  onJoined(): void
  onCancel(): void
}) {
  return (
    <fieldset className="banner actions">
      <legend className="visually-hidden">Pasted lines</legend>
      <span role="status">{`${props.count} lines were pasted.`}</span>
      <button type="button" autoFocus onClick={props.onSeparate}>
        {`Add ${props.count} tasks`}
      </button>
      <button type="button" onClick={props.onJoined}>
        As one task
      </button>
      <button type="button" onClick={props.onCancel}>
        Cancel
      </button>
    </fieldset>
  )
}

/** The lines of what is pasted, if there are several: an input would join them. */
export function pastedLines(event: ClipboardEvent): string[] {
  const lines = titlesIn(event.clipboardData.getData("text/plain"))
  if (lines.length < 2) return []
  event.preventDefault()
  return lines
}

/** A line as a task; of a line that is no title, the whole is the description. */
export function taskOf(line: string): { title: string; description: string | null } {
  const characters = [...line]
  if (characters.length <= MAX_TITLE) return { title: line, description: null }
  return { title: `${characters.slice(0, MAX_TITLE - 1).join("")}…`, description: line }
}
