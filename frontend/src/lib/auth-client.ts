import { jwtClient, twoFactorClient } from "better-auth/client/plugins"
import { createAuthClient } from "better-auth/react"

/** Better Auth as pages call it, at the address that they came from. */
export const authClient = createAuthClient({ plugins: [jwtClient(), twoFactorClient()] })
