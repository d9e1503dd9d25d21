import { readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { HELP } from "./keys"

const PAGE = readFileSync(new URL("../../../../docs/frontend.md", import.meta.url), "utf8")

it("has the same keys in the help and in the documentation", () => {
  const table = PAGE.slice(PAGE.indexOf("## What a person can do"), PAGE.indexOf("Keys work on keyboards"))
  const documented = table.match(/<kbd>[^<]+<\/kbd>(\+<kbd>[^<]+<\/kbd>)*/g) ?? []
  const names = new Set(documented.map((keys) => keys.replace(/<\/?kbd>|\+/g, "")))
  names.delete("Tab") // the browser's
  const shown = HELP.flatMap(([keys]) => keys.map((key) => key.replaceAll("+", "")))
  expect([...names].sort()).toEqual([...new Set(shown)].sort())
})
