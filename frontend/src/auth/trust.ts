import type { BetterAuthPlugin, GenericEndpointContext } from "better-auth"
import { APIError, createAuthMiddleware, getSessionFromCtx, isAPIError } from "better-auth/api"
import { setSessionCookie } from "better-auth/cookies"
import { generateRandomString } from "better-auth/crypto"
import { TWO_FACTOR_ERROR_CODES } from "better-auth/plugins"

/** Milliseconds after which a code can no longer be valid: it is accepted in its own 30 seconds and those beside it. */
const CODE_LIFETIME = 120_000
/** What the verification table holds of a person: challenges for a second factor, trusted devices, password resets. */
const TRUSTS = ["2fa-", "trust-device-", "reset-password:"]

type Context = GenericEndpointContext

/** The codes that the running requests have reserved. */
const reservations = new WeakMap<object, string>()

/**
 * What a person has to prove, beyond Better Auth's own rules: a code of the authenticator app works once (RFC 6238
 * §5.2), a new email address takes the password, and a changed password or factor ends every trust given before.
 */
export function trustPlugin(): BetterAuthPlugin {
  return {
    id: "trust",
    init: ({ adapter }) => ({
      options: {
        emailAndPassword: { enabled: true, onPasswordReset: ({ user }) => endTrusts({ adapter }, user.id) },
      },
    }),
    hooks: {
      before: [
        on("/two-factor/verify-totp", reserveCode),
        on("/change-email", requirePassword),
        on("/verify-email", refuseOldLink),
      ],
      after: [
        on("/two-factor/verify-totp", async (ctx) => {
          if (hasFailed(ctx)) await releaseCode(ctx)
          else await onFactorChanged(ctx)
        }),
        on("/two-factor/disable", async (ctx) => {
          if (!hasFailed(ctx)) await onFactorChanged(ctx)
        }),
        on("/change-password", async (ctx) => {
          const user = ctx.context.newSession?.user
          if (!hasFailed(ctx) && user) await endTrusts(ctx.context, user.id)
        }),
        on("/verify-email", onLinkUsed),
      ],
    },
  }
}

/**
 * Sign-ups respond alike whether or not the address has an account: without mail, nobody can be asked whose it is. The
 * session of an address that is taken does not exist: whoever uses it is asked to sign in.
 */
export function discreetSignUpPlugin(): BetterAuthPlugin {
  return {
    id: "discreet-sign-up",
    hooks: {
      after: [
        on("/sign-up/email", async (ctx) => {
          if (hasFailed(ctx)) return
          const { internalAdapter } = ctx.context
          const { user } = returned(ctx) as { user: { id: string } }
          const stored = await internalAdapter.findUserById(user.id)
          const token = generateRandomString(32, "a-z", "A-Z", "0-9")
          const session = stored ? await internalAdapter.createSession(stored.id) : { token }
          await setSessionCookie(ctx, { session, user } as unknown as Parameters<typeof setSessionCookie>[1])
          return ctx.json({ token: session.token, user })
        }),
      ],
    },
  }
}

function on(path: string, handle: (ctx: Context) => Promise<unknown>) {
  return { matcher: (ctx: { path?: string }) => ctx.path === path, handler: createAuthMiddleware(handle) }
}

/** What the endpoint has returned or thrown. */
function returned({ context }: Context): unknown {
  return (context as { returned?: unknown }).returned
}

function hasFailed(ctx: Context): boolean {
  return isAPIError(returned(ctx))
}

/** End all challenges, trusted devices and reset links of this user. */
async function endTrusts({ adapter }: Pick<Context["context"], "adapter">, userId: string): Promise<void> {
  for (const prefix of TRUSTS) {
    await adapter.deleteMany({
      model: "verification",
      where: [
        { field: "value", value: userId },
        { field: "identifier", operator: "starts_with", value: prefix },
      ],
    })
  }
}

/** After the second factor was switched on or off: end all trusts, and all sessions but the new one. */
async function onFactorChanged({ context }: Context): Promise<void> {
  const current = context.newSession
  if (!current || !context.session) return // a sign-in, or a code that switches nothing
  await endTrusts(context, current.user.id)
  const sessions = await context.internalAdapter.listSessions(current.user.id)
  const others = sessions.map(({ token }) => token).filter((token) => token !== current.session.token)
  if (others.length > 0) await context.internalAdapter.deleteSessions(others)
}

async function reserveCode(ctx: Context): Promise<void> {
  const userId = (await getSessionFromCtx(ctx))?.user.id ?? (await challengedUser(ctx))
  if (!userId) return
  const identifier = `totp-${userId}-${ctx.body.code}`
  await ctx.context.adapter.deleteMany({
    model: "verification",
    where: [
      { field: "identifier", value: identifier },
      { field: "expiresAt", operator: "lt", value: new Date() },
    ],
  })
  const expiresAt = new Date(Date.now() + CODE_LIFETIME)
  const isFirst = await ctx.context.internalAdapter.reserveVerificationValue({
    identifier,
    value: "used",
    expiresAt,
  })
  if (!isFirst) throw APIError.from("UNAUTHORIZED", TWO_FACTOR_ERROR_CODES.INVALID_CODE)
  reservations.set(ctx.context, identifier)
}

async function releaseCode(ctx: Context): Promise<void> {
  const identifier = reservations.get(ctx.context)
  if (identifier) await ctx.context.internalAdapter.deleteVerificationByIdentifier(identifier)
}

/** The user who has given the password, and is asked for the second factor. */
async function challengedUser(ctx: Context): Promise<string | undefined> {
  const { name } = ctx.context.createAuthCookie("two_factor")
  const identifier = await ctx.getSignedCookie(name, ctx.context.secret)
  return identifier ? (await ctx.context.internalAdapter.findVerificationValue(identifier))?.value : undefined
}

async function requirePassword(ctx: Context): Promise<void> {
  const session = await getSessionFromCtx(ctx)
  if (session) await ctx.context.password.checkPassword(session.user.id, ctx)
}

/** After an address was changed: end what was sent to the old one, and all links from before. */
async function onLinkUsed(ctx: Context): Promise<void> {
  const response = returned(ctx)
  const hasWorked =
    isAPIError(response) && new Headers(response.headers).get("Location") === ctx.query?.callbackURL
  const { updateTo, userId } = claimsOf(String(ctx.query?.token)) // verified, if it has worked
  if (!hasWorked || typeof updateTo !== "string" || typeof userId !== "string") return
  const { internalAdapter } = ctx.context
  await endTrusts(ctx.context, userId)
  const account = await internalAdapter.findCredentialAccount(userId)
  if (account) await internalAdapter.updateAccount(account.id, { updatedAt: new Date() })
}

/** Refuse a link to a new address from before the last change of password or address: it may not be its owner's. */
async function refuseOldLink(ctx: Context): Promise<void> {
  const { iat, updateTo, userId } = claimsOf(String(ctx.query?.token))
  if (typeof updateTo !== "string" || typeof userId !== "string") return
  const account = await ctx.context.internalAdapter.findCredentialAccount(userId)
  const isOld = typeof iat !== "number" || (account && iat * 1000 + 999 < account.updatedAt.getTime())
  if (isOld) throw ctx.redirect(`${ctx.query?.callbackURL}?error=INVALID_TOKEN`)
}

/** The claims of a link's token; Better Auth verifies it afterwards. */
function claimsOf(token: string): Record<string, unknown> {
  try {
    return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString())
  } catch {
    return {}
  }
}
