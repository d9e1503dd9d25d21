export {
  ApiClient,
  type ApiClientOptions,
  type ChangeOptions,
  type ChangesQuery,
  type CreateOptions,
  type ListQuery,
  randomKey,
  type Task,
  type TaskPage,
  type TaskUpdate,
} from "./api-client.ts"
export type { TaskChanges } from "./changes.ts"
export { ApiProblem, ChangedElsewhere, type FieldProblem, Unauthorized, Unreachable } from "./problems.ts"
export { subjectOf } from "./token-lifetime.ts"
export { LocalStorageTokenStore, MemoryTokenStore, type TokenStore } from "./token-stores.ts"
export { SessionTokens, type SessionTokensOptions, type TokenSource } from "./tokens.ts"
export type { WatchOptions, WatchStatus, WatchTimes } from "./watch-options.ts"
