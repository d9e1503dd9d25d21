import { type RefObject, useSyncExternalStore } from "react"
import { useNotices } from "../notices"
import { useSession } from "../signed-in"
import type { Filter } from "./list"
import type { Shown } from "./use-view"

const FILTERS: readonly { value: Shown; label: string }[] = [
  { value: "all", label: "All" },
  { value: "open", label: "Open" },
  { value: "done", label: "Done" },
  { value: "deleted", label: "Deleted" },
]

/** What the list shows: filter and search, and the last change to undo. */
export function ViewBar(props: {
  searchField: RefObject<HTMLInputElement | null>
  shown: Shown
  search: string
  /** The number of tasks of each filter, once it is known. */
  counts: Readonly<Record<Filter, number>> | undefined
  onShow(shown: Shown): void
  onSearch(search: string): void
}) {
  return (
    <div className="view">
      <fieldset className="filters">
        <legend className="visually-hidden">Show</legend>
        {FILTERS.map(({ value, label }) => (
          <label key={value} data-count={value === "deleted" ? undefined : (props.counts?.[value] ?? "")}>
            <input
              type="radio"
              name="filter"
              value={value}
              checked={props.shown === value}
              onChange={() => props.onShow(value)}
            />
            {label}
          </label>
        ))}
      </fieldset>
      <input
        ref={props.searchField}
        type="search"
        aria-label="Search"
        placeholder="Search"
        dir="auto"
        maxLength={255}
        value={props.search}
        onChange={(event) => props.onSearch(event.target.value)}
      />
      <Undo />
    </div>
  )
}

/** Undoes the last change, where no notice offers that already. */
function Undo() {
  const { actions } = useSession()
  const { current } = useNotices()
  const last = useSyncExternalStore(actions.undoStack.subscribe, actions.undoStack.last, () => undefined)
  const isOffered = current?.action !== undefined
  return (
    <button
      type="button"
      className="undo"
      data-hidden={!last || isOffered}
      title={last?.sentence.replace("{}", () => `\u2068${last.title}\u2069`)} // isolated, as by <bdi>
      onClick={() => void actions.undo()}
    >
      Undo
    </button>
  )
}
