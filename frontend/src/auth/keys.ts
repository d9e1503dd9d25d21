import { type JwtOptions, resolveSigningKey } from "better-auth/plugins"
import type { Database } from "./database"
import type { Settings } from "./settings"

type Keys = Pick<JwtOptions, "jwks" | "adapter">

/** The keys that sign tokens: Ed25519, replaced in time, published for as long as anything that they signed lives. */
export function signingKeys(settings: Settings, database: Database): Keys {
  return {
    jwks: {
      keyPairConfig: { alg: "EdDSA", crv: "Ed25519" },
      rotationInterval: settings.keyRotation,
      gracePeriod: settings.keyGrace,
    },
    adapter: {
      // Many requests find at the same moment that a key is wanted: one of them makes it, and all use that.
      createJwk: (made, { context: { adapter } }) =>
        database.alone(async () => {
          const [newest] = await adapter.findMany<Stored>({
            model: "jwks",
            sortBy: { field: "createdAt", direction: "desc" },
            limit: 1,
          })
          const isGood = newest && (!newest.expiresAt || newest.expiresAt > new Date())
          return isGood ? newest : adapter.create<Made, Stored>({ model: "jwks", data: made })
        }),
    },
  }
}

type Adapter = NonNullable<NonNullable<JwtOptions["adapter"]>["createJwk"]>
type Made = Parameters<Adapter>[0]
type Stored = Awaited<ReturnType<Adapter>>

/** How often to see that there is a good key, in milliseconds: an issuer that nobody uses must not run out of keys. */
const LOOK = 24 * 3600 * 1000

/** See now, and every day from now on, that there is a key to sign with, before anybody waits for one. */
export async function keepSigning(auth: { $context: Promise<unknown> }, options: JwtOptions): Promise<void> {
  const context = { context: await auth.$context } as Parameters<typeof resolveSigningKey>[0]
  const look = () => resolveSigningKey(context, options)
  await look()
  setInterval(() => look().catch(() => {}), LOOK).unref() // when it fails, the next request for a token tries, and tells
}
