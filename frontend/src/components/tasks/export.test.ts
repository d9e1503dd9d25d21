import { describe, expect, it } from "vitest"
import { toCSV, toJSON } from "./export"

const TASK = {
  id: "1",
  user_id: "ada",
  title: 'Say "hello", twice',
  description: "line\nline",
  completed: true,
  created_at: "2026-01-01T00:00:00Z",
  updated_at: "2026-01-02T00:00:00Z",
  revision: 1,
}

describe("export", () => {
  it("writes CSV by RFC 4180", () => {
    const [head, row] = toCSV([TASK]).split("\r\n")
    expect(head).toBe('\ufeff"id","title","description","completed","created_at","updated_at"')
    expect(row).toBe(
      '"1","Say ""hello"", twice","line\nline","true","2026-01-01T00:00:00Z","2026-01-02T00:00:00Z"',
    )
  })

  it.each(["=1+1", "+1", "-1", "@x", "\tx", "\n=1", "\uff1d1+1", "\uff0b1", "\uff20x"])(
    "runs %s in no spreadsheet",
    (title) => {
      expect(toCSV([{ ...TASK, title }])).toContain(`"'${title}"`)
    },
  )

  it("writes JSON as the service has it", () => {
    expect(JSON.parse(toJSON([TASK], []))).toEqual({ tasks: [TASK], deleted: [] })
  })
})
