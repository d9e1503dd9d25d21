import { expect, it, vi } from "vitest"
import { logger } from "./log"

it("writes Better Auth's messages as one line of JSON, without email addresses", () => {
  const consoleError = vi.spyOn(console, "error").mockImplementation(() => {})
  logger.log?.("warn", "Sign-up attempt for existing email: ada@example.com\nand <b@example.com>", {
    email: "c@example.com",
  })
  const line = String(consoleError.mock.calls[0]?.[0])
  consoleError.mockRestore()
  expect(line).not.toContain("\n")
  expect(line).not.toContain("example.com")
  expect(JSON.parse(line)).toMatchObject({
    level: "warn",
    logger: "better-auth",
    event: "Sign-up attempt for existing email: [email]\nand <[email]>",
  })
})
