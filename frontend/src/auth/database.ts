import { randomBytes } from "node:crypto"
import { link, mkdir, open, readFile, unlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { LibsqlDialect } from "@libsql/kysely-libsql"
import type { BetterAuthOptions } from "better-auth"
import { readAddress } from "./database-address"
import { postgres } from "./postgres"
import type { Settings } from "./settings"

export interface Database {
  readonly options: NonNullable<BetterAuthOptions["database"]>
  /**
   * Make a place for the tables, under the lock.
   *
   * @throws Error if the database can't have them, or has them elsewhere; its message says what to do.
   */
  prepare(): Promise<void>
  /** Run `work` under an exclusive lock on the database: for migrations and key creation. */
  withLock<T>(work: () => Promise<T>): Promise<T>
}

/** PostgreSQL if a URL is configured, else a file in the data folder. Connects on first use. */
export function createDatabase({ databaseURL, dataFolder, authSchema }: Settings): Database {
  return databaseURL === null ? embedded(dataFolder) : postgres(readAddress(databaseURL), authSchema)
}

/** A database file that only this process uses, so the lock is a queue in memory. */
function embedded(folder: string): Database {
  const file = join(folder, "auth.db")
  const { href } = pathToFileURL(file)
  let last: Promise<unknown> = createPrivate(folder, file)
  return {
    options: { dialect: new LibsqlDialect({ url: href }), type: "sqlite" },
    prepare: async () => {},
    withLock(work) {
      const result = last.then(work)
      last = result.catch(() => {})
      return result
    },
  }
}

/** Create the folder and the file for this user only, whatever the umask; SQLite gives its logs the file's own mode. */
async function createPrivate(folder: string, file: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await (await open(file, "a", 0o600)).close()
}

/** The secret stored in the data folder, in a file with mode 0600; created at the first start. */
export async function loadOrCreateSecret(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, "auth-secret")
  const draft = `${path}.${randomBytes(8).toString("hex")}`
  await writeFile(draft, randomBytes(32).toString("base64url"), { mode: 0o600 })
  try {
    await link(draft, path) // atomic: the first process wins, and no process reads a partial file
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
  } finally {
    await unlink(draft)
  }
  return readFile(path, "utf8")
}
