import { Fragment } from "react"

/** Web addresses; what ends a sentence is not a part of them. */
const URL_PATTERN = /\bhttps?:\/\/[^\s<>"“”«»]+[^\s<>"“”«».,;:!?…'’]/giu

/** A text of the user with links that can be followed. */
export function LinkedText({ text }: { text: string }) {
  const parts: { text: string; href?: string }[] = []
  let end = 0
  for (const match of text.matchAll(URL_PATTERN)) {
    const url = withoutUnmatchedBracket(match[0])
    if (!URL.canParse(url)) continue
    parts.push({ text: text.slice(end, match.index) }, { text: url, href: url })
    end = match.index + url.length
  }
  if (end === 0) return text
  parts.push({ text: text.slice(end) })
  return parts.map(({ text, href }, index) => {
    // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a text have no other identity
    if (!href) return <Fragment key={index}>{text}</Fragment>
    return (
      // biome-ignore lint/suspicious/noArrayIndexKey: as above
      <a key={index} href={href} target="_blank" rel="noopener noreferrer nofollow">
        {text}
      </a>
    )
  })
}

/** `(see https://example.com/a)` ends before its bracket, `https://example.com/a_(b)` does not. */
function withoutUnmatchedBracket(url: string): string {
  const opened = url.split("(").length
  const closed = url.split(")").length
  return closed > opened && url.endsWith(")") ? url.slice(0, -1) : url
}
