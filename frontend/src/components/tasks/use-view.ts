import { useSearchParams } from "next/navigation"
import { useEffect, useRef, useState } from "react"
import type { Filter } from "./list"

export type Shown = Filter | "deleted"

const SHOWN: readonly Shown[] = ["all", "open", "done", "deleted"]
/** Milliseconds without typing until a search is in the address: browsers limit how often it may change. */
const DELAY = 300

/** The filter and search of the page, which are in its address: they survive a reload, and can be kept as a bookmark. */
export function useView() {
  const parameters = useSearchParams()
  const address = parameters.toString()
  const written = useRef(address)
  const [shown, setShown] = useState<Shown>(() => shownIn(parameters))
  const [search, setSearch] = useState(() => parameters.get("q") ?? "")

  useEffect(() => {
    if (address === written.current) return
    written.current = address // navigated
    const parameters = new URLSearchParams(address)
    setShown(shownIn(parameters))
    setSearch(parameters.get("q") ?? "")
  }, [address])

  useEffect(() => {
    const next = new URLSearchParams({
      ...(shown !== "all" && { show: shown }),
      ...(search && { q: search }),
    })
    const query = next.toString()
    if (query === written.current) return
    const timer = setTimeout(() => {
      written.current = query
      window.history.replaceState(null, "", query ? `?${query}` : window.location.pathname)
    }, DELAY)
    return () => clearTimeout(timer)
  }, [shown, search])

  return { shown, setShown, search, setSearch }
}

function shownIn(parameters: { get(name: string): string | null }): Shown {
  const value = parameters.get("show")
  return SHOWN.find((shown) => shown === value) ?? "all"
}
