import { getAuth } from "./auth"
import { forwardPeerAddresses } from "./peer-address"
import { readSettings } from "./settings"

/** Run migrations and create the first key before the first request; on failure, print one line and exit with 1. */
export async function startUp(): Promise<void> {
  try {
    forwardPeerAddresses({ behindProxies: readSettings(process.env).trustedProxies.length > 0 })
    await getAuth()
  } catch (error) {
    console.error(error instanceof Error ? `${error.name}: ${error.message}` : error)
    process.exit(1)
  }
}
