import { useEffect, useRef } from "react"

/**
 * Run `keep` when the page is left: what another tab has kept since must not replace the text that is in this one.
 */
export function useLastWords(keep: () => unknown): void {
  const latest = useRef(keep)
  latest.current = keep
  useEffect(() => {
    const onPageHide = () => latest.current()
    window.addEventListener("pagehide", onPageHide)
    return () => window.removeEventListener("pagehide", onPageHide)
  }, [])
}
