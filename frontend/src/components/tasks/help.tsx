import { Fragment, type RefObject } from "react"
import { HELP, isCharacter, useCharacterKeys } from "./keys"

/** A dialog with the shortcut keys, and a switch for those that are characters. */
export function Help({ dialog }: { dialog: RefObject<HTMLDialogElement | null> }) {
  const [hasCharacterKeys, switchCharacterKeys] = useCharacterKeys()
  return (
    <dialog ref={dialog} aria-labelledby="keys-title">
      <h2 id="keys-title">Keyboard shortcuts</h2>
      <dl className="shortcuts">
        {HELP.map(([keys, meaning]) => (
          <div key={meaning}>
            <dt>
              {keys.map((key, index) => (
                <Fragment key={key}>
                  {index > 0 && " "}
                  <kbd>{key}</kbd>
                </Fragment>
              ))}
            </dt>
            <dd>
              <span>{meaning}</span>
              {!hasCharacterKeys && keys.some(isCharacter) && <span className="muted"> (off)</span>}
            </dd>
          </div>
        ))}
      </dl>
      <form method="dialog" className="line">
        <button type="submit">Close</button>
        <label>
          <input
            type="checkbox"
            checked={hasCharacterKeys}
            onChange={(event) => switchCharacterKeys(event.target.checked)}
          />
          Shortcuts of one character
        </label>
      </form>
    </dialog>
  )
}

/** A button that shows the shortcut keys; without those that are characters, no key does. */
export function HelpButton({ dialog }: { dialog: RefObject<HTMLDialogElement | null> }) {
  const [hasCharacterKeys] = useCharacterKeys()
  return (
    <button
      type="button"
      className={hasCharacterKeys ? "link keys" : "link"}
      onClick={() => dialog.current?.showModal()}
    >
      Keyboard shortcuts
    </button>
  )
}
