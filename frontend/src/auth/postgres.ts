import { PostgresDialect, type PostgresPoolClient } from "kysely"
import { Client, type ClientConfig, Pool, type PoolClient } from "pg"
import type { Database } from "./database"
import type { DatabaseAddress } from "./database-address"

/** Better Auth's tables are in this schema, separate from the service's own, unless a setting names another. */
const SCHEMA = "auth"

/** The key of the advisory lock: an arbitrary number that must never change. */
const LOCK_KEY = 0x65766f61

/** The SQLSTATE of a change on a standby. */
const READ_ONLY = "25006"
/** The SQLSTATE with which a connection pooler refuses a setting at the start of a connection. */
const PROTOCOL_VIOLATION = "08P01"
const NO_TLS = "The server does not support SSL connections"

/** Tables that only this frontend has, besides those of every Better Auth. */
const OURS = ["jwks", "securityEvent"]
const OTHER_SCHEMAS = `
  SELECT nspname AS name FROM pg_namespace
  WHERE nspname <> $1 AND (
    SELECT count(*) FROM pg_class WHERE relnamespace = pg_namespace.oid AND relkind IN ('r', 'p') AND relname = ANY($2)
  ) = ${OURS.length}
  ORDER BY 1`
const SERVER = `
  SELECT current_setting('transaction_read_only') = 'on' AS "isReadOnly", current_setting('server_encoding') AS encoding`

/** How connections are made at the moment; what is learnt from one that fails counts for the next. */
class Connecting {
  #server = 0
  #isPlain = false
  #isPooled = false

  constructor(readonly address: DatabaseAddress) {}

  options(): ClientConfig {
    const { servers, user, password, database, tls, tlsOptions, sslnegotiation } = this.address
    const { host, port } = servers[this.#server] ?? { host: "localhost", port: 5432 }
    const isSecure = tls !== "disable" && !this.#isPlain && !host.startsWith("/")
    return {
      host,
      port,
      user,
      password,
      database,
      ssl: isSecure ? { ...tlsOptions } : false,
      sslnegotiation: isSecure ? sslnegotiation : undefined,
      application_name: "evo-todo-frontend",
      connectionTimeoutMillis: 3000,
      query_timeout: 5000,
    }
  }

  /** Better Auth relies on these; a pooler refuses the second. Tables are named with their schema, so no path is sent. */
  settings(): Record<string, string> {
    const isolation: Record<string, string> = this.#isPooled
      ? {}
      : { default_transaction_isolation: "read committed" }
    return { ...this.address.settings, ...isolation, DateStyle: "ISO" }
  }

  /** Connect; after a failure try what else it suggests: without TLS, without a setting, the next server. */
  async connect<T>(connect: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await connect()
      } catch (error) {
        const isLast = attempt === this.address.servers.length + 2
        if (!this.#learn(error as Error & { code?: string }) || isLast) throw error
      }
    }
  }

  #learn({ message, code }: Error & { code?: string }): boolean {
    if (message === NO_TLS && this.address.tls === "prefer" && !this.#isPlain) {
      this.#isPlain = true
    } else if (code === PROTOCOL_VIOLATION && !this.#isPooled) {
      this.#isPooled = true
    } else {
      this.#server = (this.#server + 1) % this.address.servers.length
      return this.address.servers.length > 1
    }
    return true
  }
}

/** A class of connections that are made as `connecting` says. */
function clientClass(connecting: Connecting): new () => Client {
  // `pg` has no option for settings of the server but `options`, which poolers refuse; its types lack this method.
  const Base = Client as unknown as new (
    config: ClientConfig,
  ) => Client & { getStartupConf(): Record<string, string> }
  return class extends Base {
    constructor() {
      super(connecting.options())
      this.on("error", () => {}) // an idle connection was lost: the next query opens another
    }

    override getStartupConf(): Record<string, string> {
      return { ...super.getStartupConf(), ...connecting.settings() }
    }
  }
}

/** A pooled connection; after a change that its server refuses because it is a standby, it is not used again. */
function session(client: PoolClient): PostgresPoolClient {
  let isReadOnly = false
  const query = async (text: string, values: unknown[]) => {
    try {
      return await client.query(text, values)
    } catch (error) {
      isReadOnly ||= (error as { code?: string }).code === READ_ONLY
      throw error
    }
  }
  return { query: query as unknown as PostgresPoolClient["query"], release: () => client.release(isReadOnly) }
}

const IS_STANDBY = "the server is a standby: DATABASE_URL has to name the primary"

async function refuseStandby(client: Pick<Client, "query">): Promise<void> {
  const { rows } = await client.query(SERVER)
  if (rows[0].isReadOnly) throw new Error(IS_STANDBY)
}

/** A PostgreSQL database; connects on first use. `chosenSchema`: `null` for the usual one. */
export function postgres(address: DatabaseAddress, chosenSchema: string | null): Database {
  const connecting = new Connecting(address)
  const schema = chosenSchema ?? SCHEMA
  const hasOthers = address.servers.length > 1
  const OneClient = clientClass(connecting)
  const pool = new Pool({
    Client: OneClient,
    max: 10,
    connectionTimeoutMillis: 3000,
    idleTimeoutMillis: 30_000,
    // Of several servers, only one that can be written to; a single one may be promoted later.
    verify: (client, done) => (hasOthers ? refuseStandby(client).then(() => done(), done) : done()),
  })
  pool.on("error", () => {})
  const connect = async () => session(await connecting.connect(() => pool.connect()))
  const dialect = new PostgresDialect({ pool: { connect, end: () => pool.end() } })
  return {
    options: { dialect, type: "postgres", schemaName: schema, transaction: true },
    async prepare() {
      const { rows: found } = await pool.query(SERVER)
      if (found[0].isReadOnly)
        throw new Error("the server is a standby: DATABASE_URL has to name the primary")
      if (found[0].encoding !== "UTF8") {
        throw new Error(
          `the database's encoding is ${found[0].encoding}: create one with createdb --encoding=UTF8 --template=template0`,
        )
      }
      const { rows: others } = await pool.query(OTHER_SCHEMAS, [schema, OURS])
      if (others.length > 0 && chosenSchema === null) throw secondSet(others[0].name)
      await pool.query(`CREATE SCHEMA IF NOT EXISTS "${schema}"`)
    },
    async withLock(work) {
      // The lock has its own connection, because `work` uses the pool, and is a transaction's, as a pooler needs it.
      const client = await connecting.connect(async () => {
        const opened = new OneClient()
        await opened.connect()
        if (hasOthers)
          await refuseStandby(opened).catch((error) => opened.end().then(() => Promise.reject(error)))
        return opened
      })
      try {
        await client.query("BEGIN")
        await client.query("SELECT pg_advisory_xact_lock($1)", [LOCK_KEY])
        return await work()
      } finally {
        await client.end()
      }
    },
  }
}

function secondSet(other: string): Error {
  return new Error(
    `this database has a set of Better Auth's tables in the schema "${other}", with other users and keys than a set in ` +
      `"${SCHEMA}": set EVO_TODO_AUTH_SCHEMA to the schema to use (${other} or ${SCHEMA}), and drop the other tables when ` +
      "they are not needed",
  )
}
