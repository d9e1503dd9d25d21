export {
  ApiClient,
  type ApiClientOptions,
  type ChangeOptions,
  type CreateOptions,
  type ListQuery,
  type Task,
  type TaskPage,
  type TaskUpdate,
} from "./api-client"
export { ApiProblem, ChangedElsewhere, type FieldProblem, Unauthorized, Unreachable } from "./problems"
export { subjectOf } from "./token-lifetime"
export { LocalStorageTokenStore, MemoryTokenStore, type TokenStore } from "./token-stores"
export { SessionTokens, type SessionTokensOptions, type TokenSource } from "./tokens"
