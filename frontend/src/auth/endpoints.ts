import { z } from "zod"

/** The page that the link in a mail leads to, after Better Auth has used the link's token. */
export const VERIFIED_PAGE = "/verified"

const MAX_NAME = 100
const MAX_EMAIL = 254 // RFC 5321 §4.5.3.1.3, without the angle brackets
const MIN_PASSWORD = 8
/** In code points, as Zod counts. */
export const MAX_PASSWORD = 128

/** Control characters, line separators and halves of surrogate pairs: no database stores all of them, no page shows any. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u
const VISIBLE = /[^\p{C}\p{Z}\p{M}\u115f\u1160\u2800\u3164\uffa0]/u

const name = z
  .string()
  .trim()
  .refine((text) => [...text].length <= MAX_NAME, `must have at most ${MAX_NAME} characters`)
  .refine((text) => VISIBLE.test(text), "must have a visible character")
  .refine((text) => !UNPRINTABLE.test(text), "must have no control characters")
const email = z.string().trim().max(MAX_EMAIL, "is too long").pipe(z.email("must be an email address"))
const password = z.string().min(1, "must not be empty").max(MAX_PASSWORD, "is too long")
const newPassword = z
  .string()
  .min(MIN_PASSWORD, `must have at least ${MIN_PASSWORD} characters`)
  .max(MAX_PASSWORD, `must have at most ${MAX_PASSWORD} characters`)
const token = z.string().regex(/^[\w.-]{1,2048}$/, "is invalid")
/** A code as people type it: with blanks, or with digits of another width. */
const code = (pattern: RegExp) =>
  z
    .string()
    .max(100, "is invalid")
    .transform((text) => text.normalize("NFKC").replace(/\s/g, ""))
    .pipe(z.string().regex(pattern, "is invalid"))
const backupCode = code(/^[A-Za-z0-9]{5}-?[A-Za-z0-9]{5}$/).transform((text) =>
  text.length === 10 ? `${text.slice(0, 5)}-${text.slice(5)}` : text,
)

const nothing = z.strictObject({})
const confirmed = z.strictObject({ password })

/**
 * What each endpoint of Better Auth takes, of those that the pages use; no other is reachable. A member that is not
 * listed is refused, so that no feature is reachable that the pages do not offer, such as trusted devices.
 */
export const BODIES: ReadonlyMap<string, z.ZodType<Record<string, unknown>>> = new Map(
  Object.entries({
    "/sign-up/email": z.strictObject({ name, email, password: newPassword }),
    "/sign-in/email": z.strictObject({ email, password, rememberMe: z.boolean().optional() }),
    "/sign-out": nothing,
    "/revoke-session": z.strictObject({ token }),
    "/revoke-sessions": nothing,
    "/revoke-other-sessions": nothing,
    "/update-user": z.strictObject({ name }),
    "/change-email": z.strictObject({ newEmail: email, password }),
    "/change-password": z
      .strictObject({
        currentPassword: password,
        newPassword,
        revokeOtherSessions: z.boolean().optional(),
      })
      .transform((body) => ({ ...body, revokeOtherSessions: true })),
    "/delete-user": confirmed,
    "/request-password-reset": z.strictObject({ email }),
    "/reset-password": z.strictObject({ newPassword, token }),
    "/send-verification-email": z.strictObject({ email }),
    "/two-factor/enable": confirmed,
    "/two-factor/disable": confirmed,
    "/two-factor/generate-backup-codes": confirmed,
    "/two-factor/verify-totp": z.strictObject({ code: code(/^[0-9]{6}$/) }),
    "/two-factor/verify-backup-code": z.strictObject({ code: backupCode }),
  }),
)

/** The endpoints that are read, with the query parameters that each takes. */
export const QUERIES: ReadonlyMap<string, z.ZodType<Record<string, string>>> = new Map(
  Object.entries({
    "/get-session": z.object({}),
    "/list-sessions": z.object({}),
    "/token": z.object({}),
    "/jwks": z.object({}),
    "/ok": z.object({}),
    "/verify-email": z.object({ token, callbackURL: z.literal(VERIFIED_PAGE) }),
  }),
)
