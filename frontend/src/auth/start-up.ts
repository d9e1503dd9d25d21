import { getAuth } from "./auth"
import { forwardClientAddresses } from "./peer-address"
import { readSettings } from "./settings"

/** Run migrations and create the first key before the first request; on failure, print one line and exit with 1. */
export async function startUp(): Promise<void> {
  try {
    forwardClientAddresses(readSettings(process.env).trustedProxies)
    await getAuth()
  } catch (error) {
    console.error(error instanceof Error ? `${error.name}: ${error.message}` : error)
    process.exit(1)
  }
}
