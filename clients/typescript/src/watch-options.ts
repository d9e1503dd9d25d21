import type { Task } from "./api-client.ts"
import type { TaskChanges } from "./changes.ts"
import type { StreamTimes, TaskEventStream } from "./task-events.ts"
import type { TokenSource } from "./tokens.ts"

/** `connecting`: changes arrive late, once a connection is there; `polling`: within seconds; `live`: at once. */
export type WatchStatus = "connecting" | "live" | "polling"

/** What to do with a list's changes. A callback is awaited before the next; when it throws, the watch ends with its error. */
export interface WatchOptions {
  /** The sync token to go on from, such as the last one of `changes`. Default: now, and `onReset` is called first. */
  since?: string | undefined
  signal: AbortSignal
  /** A task was created, changed or restored. Ignore it if you have a later revision, from a call of your own. */
  onChange(task: Task): unknown
  /** A task was deleted. `revision` is that of its deletion; unknown while polling. */
  onDelete(taskId: string, revision: number | undefined): unknown
  /** Read the list anew: what changed before is unknown. What changes from here on is reported. */
  onReset(): unknown
  onStatus?: ((status: WatchStatus) => unknown) | undefined
}

/** How a watch waits, in milliseconds. */
export interface WatchTimes extends StreamTimes {
  /** Between two looks whether there is a newer access token, to open a stream with it before the old one ends. */
  tokenCheck: number
  /** Between two polls, give or take a half. */
  poll: number
  /** Before a stream is tried again where they are buffered; doubled each time, up to ten times as long. */
  polling: number
  /** The time over which clients come back when the service has stopped. */
  restart: number
  /** The longest backoff. */
  maxBackoff: number
}

export const WATCH_TIMES: WatchTimes = {
  ready: 5_000,
  silence: 45_000,
  proof: 10_000,
  tokenCheck: 5_000,
  poll: 5_000,
  polling: 60_000,
  restart: 5_000,
  maxBackoff: 30_000,
}

/** The API, as a watch needs it. `open` and `changes` reject as the methods of ApiClient do. */
export interface WatchedList {
  open(lastEventId: string | undefined, signal: AbortSignal): Promise<TaskEventStream>
  changes(since: string | undefined, signal: AbortSignal): AsyncGenerator<TaskChanges, void, undefined>
  tokens: TokenSource
}
