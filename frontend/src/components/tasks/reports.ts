import { ApiProblem, Unreachable } from "evo-todo-client"

/** Says to the user what has happened. `{}` in a sentence stands for the title, which is a text of the user. */
export interface Reports {
  /** Something can be undone. `isNoticed`: it deserves a notice, because what it concerns is not to be seen any more. */
  done(sentence: string, title: string | null, isNoticed: boolean): void
  undone(sentence: string, title: string | null): void
  failed(sentence: string, title: string, reason: string): void
}

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
