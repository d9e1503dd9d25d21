import { useEffect, useRef } from "react"
import { Sentence, useNotices } from "../notices"
import { useSession } from "../signed-in"

/** Shows what the changes of tasks report. */
export function useReports(): void {
  const { actions } = useSession()
  const notices = useNotices()
  const latest = useRef(notices)
  latest.current = notices
  useEffect(() => {
    actions.reports = {
      done(sentence, title, isNoticed) {
        const text = <Sentence text={sentence} title={title} />
        if (isNoticed) latest.current.showMessage(text, { label: "Undo", run: () => void actions.undo() })
        else if (latest.current.current?.action) latest.current.dismiss() // its Undo would undo something else
      },
      undone(sentence, title) {
        latest.current.dismiss()
        latest.current.announce(<Sentence text={`Undone: ${sentence}`} title={title} />)
      },
      failed(sentence, title, reason) {
        latest.current.showError(<Sentence text={`${sentence} ${reason}`} title={title} />)
      },
    }
  }, [actions])
}
