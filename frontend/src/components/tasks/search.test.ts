import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { matches, searchParts } from "./search"

interface Vector {
  text: string
  finds: string[]
  misses: string[]
}

const VECTORS: Vector[] = JSON.parse(
  readFileSync(new URL("../../../../contracts/search-vectors.json", import.meta.url), "utf8"),
)

describe("search", () => {
  it.each(VECTORS)("of $text is as the service's", ({ text, finds, misses }) => {
    const found = (search: string) => matches({ title: text, description: null }, searchParts(search))
    expect(finds.filter((search) => !found(search))).toEqual([])
    expect(misses.filter(found)).toEqual([])
  })

  it("covers title and description together", () => {
    const task = { title: "Buy milk", description: "oat, two litres" }
    expect(matches(task, searchParts("oat buy"))).toBe(true)
  })
})
