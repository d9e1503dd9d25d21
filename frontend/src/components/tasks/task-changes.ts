import type { QueryClient } from "@tanstack/react-query"
import { ApiProblem, type Task } from "evo-todo-client"
import type { Operation, TaskStore } from "./task-store"

interface Change<T> {
  /** Changes with the same scope are sent one after the other. */
  scope: string
  operation: Operation
  send(): Promise<T>
}

/** Makes changes: shown at once, sent in their order, after being offline too, and dropped if they fail. */
export class TaskChanges {
  readonly #client: QueryClient
  readonly #userId: string
  readonly #store: TaskStore

  constructor(client: QueryClient, userId: string, store: TaskStore) {
    this.#client = client
    this.#userId = userId
    this.#store = store
  }

  /** Make a change. Resolves with the service's response, and rejects with what has failed. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a deletion has no response
  async make<T extends Task | void>({ scope, operation, send }: Change<T>): Promise<T> {
    this.#store.begin(operation)
    try {
      const mutation = this.#client.getMutationCache().build<T, unknown, void, unknown>(this.#client, {
        scope: { id: `${this.#userId}:${scope}` },
        mutationFn: () => patiently(send),
        retry: false,
      })
      const result = await mutation.execute()
      if (result) this.#store.put(result)
      return result
    } finally {
      this.#store.end(operation)
    }
  }
}

/** A call that is repeated when the service asks to wait: many changes at once exceed its rate limit. */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      const isBusy = error instanceof ApiProblem && error.status === 429 && error.retryAfter !== undefined
      if (!isBusy) throw error
      await new Promise((resolve) => setTimeout(resolve, (error.retryAfter ?? 1) * 1000))
    }
  }
}
