import type { BetterAuthOptions } from "better-auth"

const EMAIL = /[^\s"'<>(),:;]+@[^\s"'<>(),:;]+/g

/** A line of our own: a constant sentence and values, none of them a person's. */
export function warn(event: string, values: Record<string, string | number>): void {
  const timestamp = new Date().toISOString()
  console.error(JSON.stringify({ timestamp, level: "warn", logger: "evo-todo", event, ...values }))
}

/** Better Auth's log lines as JSON, without the e-mail addresses that some of them quote. */
export const logger: NonNullable<BetterAuthOptions["logger"]> = {
  // No level is named: with one, Better Auth writes errors in requests past this.
  log: (level, message: unknown, ...more: unknown[]) => {
    const causes = more.filter((one) => one instanceof Error)
    const event = [message, ...causes].map(String).join(": ").replace(EMAIL, "an e-mail address")
    console.error(
      JSON.stringify({ timestamp: new Date().toISOString(), level, logger: "better-auth", event }),
    )
  },
}
