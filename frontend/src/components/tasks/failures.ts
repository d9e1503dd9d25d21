import { ApiProblem, Unreachable } from "evo-todo-client"

/** The task is not in the list any more: deleted elsewhere. */
export class Gone extends Error {}

export function isGone(error: unknown): boolean {
  return error instanceof ApiProblem && error.status === 404
}

/** A message for the user: the API's own, if it sent one. */
export function describeError(error: unknown): string {
  if (error instanceof Unreachable) return "The service is not responding."
  return error instanceof ApiProblem ? error.message : "An unexpected error occurred."
}
