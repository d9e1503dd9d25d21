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
} from "./api-client"
export type { TaskChanges } from "./changes"
export { ApiProblem, ChangedElsewhere, type FieldProblem, Unauthorized, Unreachable } from "./problems"
export { subjectOf } from "./token-lifetime"
export { LocalStorageTokenStore, MemoryTokenStore, type TokenStore } from "./token-stores"
export { SessionTokens, type SessionTokensOptions, type TokenSource } from "./tokens"
export type { WatchOptions, WatchStatus, WatchTimes } from "./watch-options"
