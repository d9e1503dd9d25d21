import { type JwtOptions, resolveSigningKey } from "better-auth/plugins"
import type { Database } from "./database"
import type { Settings } from "./settings"

type KeyOptions = Pick<JwtOptions, "jwks" | "adapter">

/** Ed25519 signing keys, rotated regularly; a replaced key stays published until the last token it signed has expired. */
export function signingKeyOptions(settings: Settings, database: Database): KeyOptions {
  return {
    jwks: {
      keyPairConfig: { alg: "EdDSA", crv: "Ed25519" },
      rotationInterval: settings.keyRotation,
      gracePeriod: settings.keyGrace,
    },
    adapter: {
      // Concurrent requests may all find that a new key is needed: the first one creates it, the others use it.
      createJwk: (key, { context: { adapter } }) =>
        database.withLock(async () => {
          const [newest] = await adapter.findMany<StoredKey>({
            model: "jwks",
            sortBy: { field: "createdAt", direction: "desc" },
            limit: 1,
          })
          const isValid = newest && (!newest.expiresAt || newest.expiresAt > new Date())
          return isValid ? newest : adapter.create<NewKey, StoredKey>({ model: "jwks", data: key })
        }),
    },
  }
}

type CreateKey = NonNullable<NonNullable<JwtOptions["adapter"]>["createJwk"]>
type NewKey = Parameters<CreateKey>[0]
type StoredKey = Awaited<ReturnType<CreateKey>>

/** Milliseconds between two checks for a valid key: an idle issuer must not run out of keys. */
const CHECK_INTERVAL = 24 * 3600 * 1000

const UNREADABLE_KEYS =
  "they are encrypted with another secret than the newest ones: set BETTER_AUTH_SECRETS=2:<new>,1:<old>; " +
  "or, if the old secret is lost, delete them (DELETE FROM auth.jwks): then everybody signs in again, and nobody can " +
  "use a second factor that was set up before"

/** Ensure that a valid signing key exists, now and once a day, before a request needs one. */
export async function maintainSigningKey(
  auth: { $context: Promise<unknown> },
  options: JwtOptions,
): Promise<void> {
  const context = { context: await auth.$context } as Parameters<typeof resolveSigningKey>[0]
  const check = () => resolveSigningKey(context, options)
  await check().catch((error: Error) => {
    throw /decrypt/.test(error.message) ? new Error(UNREADABLE_KEYS) : error
  })
  // A failure is ignored here: the next request for a token tries again, and reports it.
  setInterval(() => check().catch(() => {}), CHECK_INTERVAL).unref()
}
