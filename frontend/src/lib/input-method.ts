/** Milliseconds after the end of a composition in which a key belongs to it: Safari sends the key after the end. */
const AFTERMATH = 50

let lastEnd = Number.NEGATIVE_INFINITY
if (typeof document !== "undefined") {
  document.addEventListener("compositionend", ({ timeStamp }) => (lastEnd = timeStamp), true)
}

/** Whether a key is for an input method that composes text, so that Enter and Escape mean nothing else. */
export function belongsToInputMethod(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === 229 || event.timeStamp - lastEnd < AFTERMATH
}
