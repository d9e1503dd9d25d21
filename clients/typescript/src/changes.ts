import type { Task } from "./api-client.ts"
import type { ChangesView } from "./paths.ts"
import { ApiProblem } from "./problems.ts"

/** One page of what changed in a list. */
export interface TaskChanges {
  /** This page is the first of the whole list: forget every task from before it. */
  isReset: boolean
  /** The tasks that were created, changed or restored, in the order of their revisions. */
  tasks: Task[]
  /** The ids of tasks that were deleted. */
  deleted: string[]
  /** Where to go on when this page has been applied. Opaque. */
  syncToken: string
}

/** The pages since the token; when it has expired (410), the whole list instead, once. Throws what `fetchPage` does. */
export async function* readChanges(
  fetchPage: (since: string | undefined) => Promise<ChangesView>,
  since: string | undefined,
): AsyncGenerator<TaskChanges, void, undefined> {
  let token = since
  let isReset = token === undefined
  let hasRestarted = isReset
  for (;;) {
    const page = await fetchPage(token).catch((error: unknown) => {
      if (hasRestarted || !isExpiry(error)) throw error
    })
    if (page) {
      yield { isReset, tasks: page.data, deleted: page.deleted, syncToken: page.sync_token }
      if (!page.has_more) return
    }
    isReset = !page
    hasRestarted ||= isReset
    token = page?.sync_token
  }
}

/** Whether the API can't go on from a sync token: it is too old, or ahead of a list that was restored. */
export function isExpiry(error: unknown): boolean {
  return error instanceof ApiProblem && error.status === 410
}
