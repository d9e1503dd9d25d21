/**
 * Text as searches compare it: without case (as Unicode's full case folding has it), composition and the dot of İ.
 * Equal to the service's `fold` for every character; contracts/search-vectors.json holds both to it.
 */
export function fold(text: string): string {
  return text
    .normalize("NFC")
    .replace(/[^ı]+/g, (part) => part.toLowerCase().toUpperCase().toLowerCase()) // ı has no upper case of its own
    .replaceAll("ς", "σ")
    .replaceAll("i\u0307", "i")
    .normalize("NFC")
}

/** The folded words of a search; what is between two quotation marks is one part, as it stands. */
export function searchParts(search: string): string[] {
  return [...search.matchAll(/"([^"]*)"|((?:\S|\ufeff)+)/g)]
    .map(([, quoted, word]) => fold(quoted || word || ""))
    .filter(Boolean)
}

/** Whether every part occurs in the title or the description. */
export function matches(
  task: { title: string; description: string | null },
  parts: readonly string[],
): boolean {
  if (parts.length === 0) return true
  const text = searchText(task)
  return parts.every((part) => text.includes(part))
}

const texts = new WeakMap<object, string>()

/** The folded text of a task, kept as long as the task. */
function searchText(task: { title: string; description: string | null }): string {
  const known = texts.get(task)
  if (known !== undefined) return known
  const text = fold(`${task.title}\n${task.description ?? ""}`)
  texts.set(task, text)
  return text
}
