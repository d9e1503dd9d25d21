import { type RefObject, useLayoutEffect } from "react"

/** When a row with the focus is removed, move the focus to that control of the next row, the previous row, or the fallback. */
export function useFocusAfterRemoval(
  row: RefObject<HTMLElement | null>,
  fallback: RefObject<HTMLElement | null>,
  control: string,
): void {
  useLayoutEffect(
    () => () => {
      const removed = row.current
      if (!removed?.contains(document.activeElement)) return
      const target =
        adjacent(removed, "nextElementSibling", control) ??
        adjacent(removed, "previousElementSibling", control) ??
        fallback.current
      target?.focus()
    },
    [row, fallback, control],
  )
}

/** The control of the nearest row in this direction that has one. */
function adjacent(
  row: Element,
  direction: "nextElementSibling" | "previousElementSibling",
  control: string,
): HTMLElement | null {
  const sibling = row[direction]
  if (!sibling) return null
  return sibling.querySelector<HTMLElement>(control) ?? adjacent(sibling, direction, control)
}
