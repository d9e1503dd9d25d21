import { jwtClient, twoFactorClient } from "better-auth/client/plugins"
import { createAuthClient } from "better-auth/react"

/** Better Auth's client for pages; it calls the origin that served the page. */
export const authClient = createAuthClient({ plugins: [jwtClient(), twoFactorClient()] })
