import type { BetterAuthOptions } from "better-auth"

const EMAIL = /[^\s"'<>(),:;]+@[^\s"'<>(),:;]+/g

/** Log a warning of our own: a constant message with values that contain no personal data. */
export function warn(event: string, values: Record<string, string | number>): void {
  const timestamp = new Date().toISOString()
  console.error(JSON.stringify({ timestamp, level: "warn", logger: "evo-todo", event, ...values }))
}

/** Write Better Auth's log lines as JSON, with email addresses redacted. */
export const logger: NonNullable<BetterAuthOptions["logger"]> = {
  // `level` is unset on purpose: when it is set, Better Auth bypasses this logger for errors in requests.
  log: (level, message: unknown, ...args: unknown[]) => {
    const causes = args.filter((arg) => arg instanceof Error)
    const event = [message, ...causes].map(String).join(": ").replace(EMAIL, "[email]")
    console.error(
      JSON.stringify({ timestamp: new Date().toISOString(), level, logger: "better-auth", event }),
    )
  },
}
