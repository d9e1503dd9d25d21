import { createTransport } from "nodemailer"
import { VERIFIED_PAGE } from "./endpoints"
import { warn } from "./log"
import type { Settings } from "./settings"

interface Mail {
  readonly to: string
  readonly subject: string
  readonly text: string
}

interface Recipient {
  readonly email: string
}

/** Milliseconds for each step of the conversation with the mail server. */
const TIMEOUT = 10_000
const IGNORE = "If you did not ask for this, you can ignore this mail."

/**
 * The mails of Better Auth. Each is sent after the response: otherwise its duration would show whether an address is
 * known. No mail contains a text that a user has chosen, so that nobody can send their own words to others.
 */
export class Mailer {
  readonly #baseURL: string
  readonly #send: (mail: Mail) => Promise<void>

  constructor({ baseURL, mail }: Pick<Settings, "baseURL" | "mail">) {
    this.#baseURL = baseURL
    this.#send = mail === null || mail === "print" ? print : throughServer(mail)
  }

  /** A link that sets a new password. */
  resetPassword({ email }: Recipient, token: string): void {
    const link = `${this.#baseURL}/reset-password?token=${encodeURIComponent(token)}`
    this.#mail(
      email,
      "Set a new password",
      `Open this link within an hour to set a new password:\n\n${link}\n\n${IGNORE}`,
    )
  }

  /** A link that confirms the address, also a new one of an existing account. */
  verifyAddress({ email }: Recipient, token: string): void {
    const query = new URLSearchParams({ token, callbackURL: VERIFIED_PAGE })
    const link = `${this.#baseURL}/api/auth/verify-email?${query}`
    this.#mail(
      email,
      "Confirm your email address",
      `Open this link within an hour to confirm your email address:\n\n${link}\n\n${IGNORE}`,
    )
  }

  /** Somebody signs up with the address of an existing account. */
  alreadySignedUp({ email }: Recipient): void {
    const link = `${this.#baseURL}/login`
    this.#mail(
      email,
      "You already have an account",
      `Somebody has tried to sign up with your email address, but you have an account already. Sign in:\n\n${link}\n\n${IGNORE}`,
    )
  }

  #mail(to: string, subject: string, text: string): void {
    this.#send({ to, subject: `Evo-TODO: ${subject}`, text }).catch((error: unknown) => {
      warn("a mail could not be sent", { error: error instanceof Error ? error.name : "unknown" })
    })
  }
}

async function print({ to, subject, text }: Mail): Promise<void> {
  console.log(`\nMail to ${to} (EVO_TODO_SMTP_URL is not set)\n${subject}\n\n${text}\n`)
}

function throughServer({
  url,
  from,
}: Exclude<Settings["mail"], string | null>): (mail: Mail) => Promise<void> {
  const timeouts = { connectionTimeout: TIMEOUT, greetingTimeout: TIMEOUT, socketTimeout: TIMEOUT }
  const transport = createTransport({ url, ...timeouts, disableFileAccess: true, disableUrlAccess: true })
  return async (mail) => {
    await transport.sendMail({ ...mail, from })
  }
}
