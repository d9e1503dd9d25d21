import Bowser from "bowser"

/** Browser and operating system of a User-Agent, such as "Firefox on Linux". */
export function describeDevice(userAgent: string): string {
  if (!userAgent) return "Unknown device"
  const { browser, os, platform } = Bowser.parse(userAgent)
  const system = platform.model === "iPad" ? "iPad" : os.name
  const known = [browser.name, system].filter(Boolean).join(" on ")
  return known || userAgent.slice(0, 60)
}
