import { startedAuth } from "./auth"
import { countPeerAddresses } from "./peer-address"
import { readSettings } from "./settings"

/** Migrate and make the first key before anybody asks; what can't start says why in one line, and ends. */
export async function startUp(): Promise<void> {
  try {
    countPeerAddresses({ behindProxies: readSettings(process.env).trustedProxies.length > 0 })
    await startedAuth()
  } catch (error) {
    console.error(error instanceof Error ? `${error.name}: ${error.message}` : error)
    process.exit(1)
  }
}
