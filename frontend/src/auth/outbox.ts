import type { BetterAuthPlugin, DBAdapter } from "better-auth"
import { warn } from "./log"
import type { SecurityEvent } from "./security-events"

const MODEL = "securityEvent"

/** Milliseconds after which a claimed event is free again, because its process may have died. Exceeds one attempt. */
const LEASE = 10_000
const INITIAL_BACKOFF = 1000
const MAX_BACKOFF = 60_000
/** Milliseconds between two polls, which pick up events that another process left behind. */
const POLL_INTERVAL = 5000
/** Events delivered concurrently. */
const BATCH_SIZE = 10

interface Row extends SecurityEvent {
  readonly attempts: number
  readonly dueAt: Date
}

type Adapter = Pick<DBAdapter, "create" | "findMany" | "incrementOne" | "update" | "delete">
/** Sends an event to the service. Resolves with `null` on success, else with the reason for the failure. */
type Deliver = (event: SecurityEvent) => Promise<string | null>

/**
 * Transactional outbox of security events. Each event is stored in Better Auth's database before the first delivery
 * attempt, so that signing out neither waits for the service nor fails with it. Pending events survive a restart, and
 * any process that shares the database can deliver them.
 */
export class Outbox {
  #adapter: Adapter | null = null
  #deliver: Deliver | null = null
  #timer: NodeJS.Timeout | undefined
  #isRunning = false
  #runAgain = false

  /** Store an event, and start its delivery without waiting for it. */
  async add(userId: string, sessionId: string | null): Promise<void> {
    if (this.#adapter === null) throw new Error("the outbox is not open yet")
    const now = new Date()
    await this.#adapter.create({
      model: MODEL,
      data: { userId, sessionId, happenedAt: now, dueAt: now, attempts: 0 },
    })
    void this.run()
  }

  /** Start delivery, beginning with the events of earlier runs. */
  open(adapter: Adapter, deliver: Deliver): void {
    this.#adapter = adapter
    this.#deliver = deliver
    void this.run()
  }

  /** Deliver the due events, then schedule the next poll. Never rejects: failures are logged and retried. */
  async run(): Promise<void> {
    if (this.#isRunning) {
      this.#runAgain = true
      return
    }
    this.#isRunning = true
    clearTimeout(this.#timer)
    try {
      do {
        this.#runAgain = false
        while (await this.#deliverBatch()) {}
      } while (this.#runAgain)
    } catch (error) {
      warn("cannot read security events from the database", { error: errorName(error) })
    } finally {
      this.#isRunning = false
      this.#timer = setTimeout(() => void this.run(), POLL_INTERVAL).unref()
    }
  }

  /** Deliver one batch. Resolves with whether there may be more. */
  async #deliverBatch(): Promise<boolean> {
    const due = await this.#openAdapter.findMany<Row>({
      model: MODEL,
      where: [{ field: "dueAt", operator: "lte", value: new Date() }],
      sortBy: { field: "dueAt", direction: "asc" },
      limit: BATCH_SIZE,
    })
    await Promise.all(due.map((row) => this.#deliverOne(row)))
    return due.length === BATCH_SIZE
  }

  async #deliverOne(row: Row): Promise<void> {
    // Compare-and-swap on `attempts`: only one of the processes that have read this row claims it.
    const claimed = await this.#openAdapter.incrementOne<Row>({
      model: MODEL,
      where: [
        { field: "id", value: row.id },
        { field: "attempts", value: row.attempts },
      ],
      increment: { attempts: 1 },
      set: { dueAt: new Date(Date.now() + LEASE) },
    })
    if (claimed === null || this.#deliver === null) return
    const failure = await this.#deliver(row).catch((error: unknown) => errorName(error))
    const where = [{ field: "id", value: row.id }]
    if (failure === null) {
      await this.#openAdapter.delete({ model: MODEL, where })
      return
    }
    warn("security event not delivered, will retry", { failure, attempts: row.attempts + 1 })
    const dueAt = new Date(Date.now() + backoff(row.attempts))
    await this.#openAdapter.update({ model: MODEL, where, update: { dueAt } })
    setTimeout(() => void this.run(), dueAt.getTime() - Date.now()).unref()
  }

  get #openAdapter(): Adapter {
    if (this.#adapter === null) throw new Error("the outbox is not open yet")
    return this.#adapter
  }
}

/** Milliseconds until the next attempt: exponential backoff with ±25 % jitter. */
export function backoff(attempts: number): number {
  return Math.min(MAX_BACKOFF, INITIAL_BACKOFF * 2 ** Math.min(attempts, 10)) * (0.75 + Math.random() / 2)
}

function errorName(error: unknown): string {
  return error instanceof Error ? error.name : "unknown"
}

/**
 * The row limit of Better Auth's queries that set none. With the default of 100, ending all sessions of a user deletes
 * all rows but runs the delete hook for 100 of them only. A plugin cannot set this: the database is created before
 * plugins are initialized.
 */
export const FIND_ALL_SESSIONS = { defaultFindManyLimit: 1_000_000 }

/** A plugin that creates the outbox's table and adds an event for every session and user that Better Auth deletes. */
export function securityEventsPlugin(outbox: Outbox): BetterAuthPlugin {
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
