import { randomBytes } from "node:crypto"
import { link, mkdir, readFile, unlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { LibsqlDialect } from "@libsql/kysely-libsql"
import type { BetterAuthOptions } from "better-auth"
import { Client, Pool } from "pg"
import type { Settings } from "./settings"

/** Better Auth's tables stand apart from the service's own, in a schema of this name. */
const SCHEMA = "auth"
/** Any number will do, as long as it is always this one. */
const LOCK = 0x65766f61

export interface Database {
  readonly options: NonNullable<BetterAuthOptions["database"]>
  /** Run `work` while nobody else does such work on the same database: migrations, and the making of keys. */
  alone<T>(work: () => Promise<T>): Promise<T>
}

/** Connects when it is first used: PostgreSQL where an address is set, else a file in the data folder. */
export function databaseOf({ databaseURL, dataFolder }: Settings): Database {
  return databaseURL === null ? embedded(dataFolder) : postgres(databaseURL)
}

/** One process has the file to itself; within it, one after the other. */
function embedded(folder: string): Database {
  const { href } = pathToFileURL(join(folder, "auth.db"))
  let last: Promise<unknown> = mkdir(folder, { recursive: true, mode: 0o700 })
  return {
    options: { dialect: new LibsqlDialect({ url: href }), type: "sqlite" },
    alone(work) {
      const turn = last.then(work)
      last = turn.catch(() => {})
      return turn
    },
  }
}

function postgres(connectionString: string): Database {
  const pool = new Pool({
    connectionString,
    options: `-c search_path=${SCHEMA}`,
    max: 10,
    connectionTimeoutMillis: 3000,
    query_timeout: 5000,
    idleTimeoutMillis: 30_000,
  })
  pool.on("error", () => {}) // an idle connection was lost: the next query opens another
  return {
    options: pool,
    async alone(work) {
      // A connection beside the pool's, which are for the work; whoever holds the lock ends it by ending this.
      const client = new Client({ connectionString, connectionTimeoutMillis: 3000 })
      client.on("error", () => {})
      await client.connect()
      try {
        await client.query("SELECT pg_advisory_lock($1)", [LOCK])
        await client.query(`CREATE SCHEMA IF NOT EXISTS ${SCHEMA}`)
        return await work()
      } finally {
        await client.end()
      }
    },
  }
}

/** The secret that was made at the first start, in a file that its owner alone may read. */
export async function keptSecret(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, "auth-secret")
  const draft = `${path}.${randomBytes(8).toString("hex")}`
  await writeFile(draft, randomBytes(32).toString("base64url"), { mode: 0o600 })
  try {
    await link(draft, path) // whoever is first wins, and whoever reads it reads all of it
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
  } finally {
    await unlink(draft)
  }
  return readFile(path, "utf8")
}
