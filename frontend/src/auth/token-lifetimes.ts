import type { BetterAuthPlugin, DBAdapter } from "better-auth"
import { SESSION } from "./settings"

const MODEL = "tokenLifetime"

/** Milliseconds between two records of the lifetime in use. */
const RECORD_INTERVAL = 3600_000
/** Milliseconds that a process may go on issuing tokens after its last record; one record may have failed. */
const SLACK = 2 * RECORD_INTERVAL

interface Row {
  readonly id: string
  readonly seconds: number
  readonly usedAt: Date
}

type Adapter = Pick<DBAdapter, "create" | "findMany" | "update" | "delete">

/**
 * The lifetimes of the tokens that have not expired. The service keeps a revocation as long as the event says that tokens
 * live, so it must hear of tokens that were issued before the lifetime was lowered, and by other processes.
 */
export class TokenLifetimes {
  constructor(
    readonly adapter: Adapter,
    /** The lifetime that this process issues tokens with, in seconds. */
    readonly current: number,
  ) {}

  /** Record the lifetime in use; before the first token is issued, and then regularly. */
  async record(): Promise<void> {
    const rows = await this.adapter.findMany<Row>({ model: MODEL })
    if (rows.length === 0) await this.#recordUnknown()
    for (const row of rows.filter((one) => !isLiving(one) && one.seconds !== this.current)) {
      await this.adapter.delete({ model: MODEL, where: [{ field: "id", value: row.id }] })
    }
    const same = rows.find(({ seconds }) => seconds === this.current)
    const usedAt = new Date()
    if (same === undefined) {
      await this.adapter.create({ model: MODEL, data: { seconds: this.current, usedAt } })
    } else {
      await this.adapter.update({
        model: MODEL,
        where: [{ field: "id", value: same.id }],
        update: { usedAt },
      })
    }
  }

  /** Record once an hour; a failure is left to the next time. */
  recordRegularly(): void {
    setInterval(() => this.record().catch(() => {}), RECORD_INTERVAL).unref()
  }

  /** The longest lifetime of a token that has not expired, in seconds. */
  async longest(): Promise<number> {
    const rows = await this.adapter.findMany<Row>({ model: MODEL })
    return Math.max(this.current, ...rows.filter(isLiving).map(({ seconds }) => seconds))
  }

  /** Sessions from before the first record may have tokens with any lifetime, but none that outlives a session. */
  async #recordUnknown(): Promise<void> {
    const sessions = await this.adapter.findMany({ model: "session", limit: 1 })
    if (sessions.length > 0) {
      await this.adapter.create({ model: MODEL, data: { seconds: SESSION.expiresIn, usedAt: new Date() } })
    }
  }
}

function isLiving({ seconds, usedAt }: Row): boolean {
  return usedAt.getTime() + SLACK + seconds * 1000 > Date.now()
}

/** A plugin that creates the table of lifetimes. */
export function tokenLifetimesPlugin(): BetterAuthPlugin {
  return {
    id: "token-lifetimes",
    schema: {
      [MODEL]: {
        fields: {
          seconds: { type: "number", required: true },
          usedAt: { type: "date", required: true },
        },
      },
    },
  }
}
