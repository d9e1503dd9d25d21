import { useEffect, useRef } from "react"
import type { FollowDraft } from "./drafts"
import type { TaskText } from "./list"

interface Options {
  /** Whether the text was read from the storage: it may be of another tab. */
  readonly isCopy: boolean
  readonly follow: FollowDraft
  /** What is shown. */
  readonly text: TaskText
  /** Show what the other tab has now; null: it was sent or thrown away there. */
  show(text: TaskText | null): void
  /** Keep the text of this tab. */
  keep(): unknown
}

/**
 * Keeps a text when the page is left: what another tab has kept since must not replace the one that is in this tab. A
 * text that was only copied follows the other tab instead, as long as only more is typed there, so that what was sent
 * there does not come back from here.
 *
 * @returns a function that tells whether the text is a copy from now on: not, once something was typed.
 */
export function useDraft(options: Options): (isCopy: boolean) => void {
  const isCopy = useRef(options.isCopy)
  const latest = useRef(options)
  latest.current = options
  useEffect(() => {
    const onPageHide = () => isCopy.current || latest.current.keep()
    const stop = latest.current.follow((now, before) => {
      const { text, show } = latest.current
      const continues = isCopy.current && isContinuedBy(text, now ?? before)
      isCopy.current = continues && now !== null
      if (continues) show(now)
    })
    window.addEventListener("pagehide", onPageHide)
    return () => {
      stop()
      window.removeEventListener("pagehide", onPageHide)
    }
  }, [])
  return (next) => {
    isCopy.current = next
  }
}

/** Whether nothing is lost when the longer text is shown instead. */
function isContinuedBy(text: TaskText, longer: TaskText | null): boolean {
  const [title, description] = [longer?.title ?? "", longer?.description ?? ""]
  return longer !== null && title.startsWith(text.title) && description.startsWith(text.description ?? "")
}
