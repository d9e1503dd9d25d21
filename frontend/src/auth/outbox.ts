import type { BetterAuthPlugin, DBAdapter } from "better-auth"
import { warn } from "./log"
import type { Ending } from "./security-events"

const MODEL = "securityEvent"

/** Milliseconds until whoever took an event on is thought to have gone. More than a try may take. */
const LEASE = 10_000
const FIRST_BACKOFF = 1000
const LONGEST_BACKOFF = 60_000
/** How often to look without being told to: for what another process left behind. */
const LOOK_EVERY = 5000
/** Events delivered side by side. */
const AT_ONCE = 10

interface Row extends Ending {
  readonly attempts: number
  readonly dueAt: Date
}

type Adapter = Pick<DBAdapter, "create" | "findMany" | "incrementOne" | "update" | "delete">
/** Tells the service; why it did not take it, or `null` when it did. */
type Deliver = (ending: Ending) => Promise<string | null>

/**
 * What has ended and was not yet told. An ending is kept in Better Auth's own database before anything is tried, so that
 * signing out neither waits for the service nor fails with it, and what is due is told after a restart, or by another.
 */
export class Outbox {
  #adapter: Adapter | null = null
  #deliver: Deliver | null = null
  #timer: NodeJS.Timeout | undefined
  #working = false
  #again = false

  /** Keep an ending, and see to it soon. */
  async add(userId: string, sessionId: string | null): Promise<void> {
    if (this.#adapter === null) throw new Error("the outbox is not open yet")
    const now = new Date()
    await this.#adapter.create({
      model: MODEL,
      data: { userId, sessionId, happenedAt: now, dueAt: now, attempts: 0 },
    })
    void this.work()
  }

  /** Begin: what is left from before goes first. */
  open(adapter: Adapter, deliver: Deliver): void {
    this.#adapter = adapter
    this.#deliver = deliver
    void this.work()
  }

  /** Deliver what is due, then again from time to time. Never fails: what goes wrong is logged and tried later. */
  async work(): Promise<void> {
    if (this.#working) {
      this.#again = true
      return
    }
    this.#working = true
    clearTimeout(this.#timer)
    try {
      do {
        this.#again = false
        while (await this.#deliverSome()) {}
      } while (this.#again)
    } catch (error) {
      warn("security events can't be read from the database", { error: nameOf(error) })
    } finally {
      this.#working = false
      this.#timer = setTimeout(() => void this.work(), LOOK_EVERY).unref()
    }
  }

  /** Whether there may be more. */
  async #deliverSome(): Promise<boolean> {
    const due = await this.#open.findMany<Row>({
      model: MODEL,
      where: [{ field: "dueAt", operator: "lte", value: new Date() }],
      sortBy: { field: "dueAt", direction: "asc" },
      limit: AT_ONCE,
    })
    await Promise.all(due.map((row) => this.#deliverOne(row)))
    return due.length === AT_ONCE
  }

  async #deliverOne(row: Row): Promise<void> {
    // Whoever counts the attempt has taken it on; others who saw the same row count in vain.
    const mine = await this.#open.incrementOne<Row>({
      model: MODEL,
      where: [
        { field: "id", value: row.id },
        { field: "attempts", value: row.attempts },
      ],
      increment: { attempts: 1 },
      set: { dueAt: new Date(Date.now() + LEASE) },
    })
    if (mine === null || this.#deliver === null) return
    const failure = await this.#deliver(row).catch((error: unknown) => nameOf(error))
    const where = [{ field: "id", value: row.id }]
    if (failure === null) {
      await this.#open.delete({ model: MODEL, where })
      return
    }
    warn("a security event was not taken, and is tried again", { failure, attempts: row.attempts + 1 })
    const dueAt = new Date(Date.now() + backoff(row.attempts))
    await this.#open.update({ model: MODEL, where, update: { dueAt } })
    setTimeout(() => void this.work(), dueAt.getTime() - Date.now()).unref()
  }

  get #open(): Adapter {
    if (this.#adapter === null) throw new Error("the outbox is not open yet")
    return this.#adapter
  }
}

/** Milliseconds until the next try: twice as long each time, a little different for each. */
export function backoff(attempts: number): number {
  return Math.min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** Math.min(attempts, 10)) * (0.75 + Math.random() / 2)
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "unknown"
}

/**
 * How many rows Better Auth finds where it names no limit. By default it finds a hundred of a user's sessions, deletes all
 * of them, and tells of those that it found. A plugin can't set it: the database is open before plugins are.
 */
export const FIND_EVERY_SESSION = { defaultFindManyLimit: 1_000_000 }

/** Better Auth tells the outbox of every session and user that it deletes, and makes its table. */
export function tellingOf(outbox: Outbox): BetterAuthPlugin {
  return {
    id: "security-events",
    schema: {
      [MODEL]: {
        fields: {
          userId: { type: "string", required: true },
          sessionId: { type: "string", required: false },
          happenedAt: { type: "date", required: true },
          dueAt: { type: "date", required: true, index: true },
          attempts: { type: "number", required: true },
        },
      },
    },
    init: () => ({
      options: {
        databaseHooks: {
          session: { delete: { after: (session) => outbox.add(session.userId, session.id) } },
          user: { delete: { after: (user) => outbox.add(user.id, null) } },
        },
      },
    }),
  }
}
