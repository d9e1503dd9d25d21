import type { components, paths } from "./schema.ts"

type Task = components["schemas"]["TaskView"]

/** One page of a delta sync, as the API sends it. */
export interface ChangesView {
  data: Task[]
  deleted: string[]
  count: number
  sync_token: string
  has_more: boolean
}

/** The schema's paths without `/api`, which is part of the base URL. */
type SchemaPaths = { [path in keyof paths as path extends `/api${infer rest}` ? rest : never]: paths[path] }

/** Delta sync and the event stream. Where the schema has them, its types count. */
interface LivePaths {
  "/{user_id}/tasks/changes": {
    get: {
      parameters: { path: { user_id: string }; query?: { since?: string; limit?: number } }
      responses: { 200: { content: { "application/json": ChangesView } } }
    }
  }
  "/{user_id}/tasks/events": {
    get: {
      parameters: { path: { user_id: string }; header?: { "Last-Event-ID"?: string } }
      responses: { 200: { content: { "text/event-stream": string } } }
    }
  }
}

/** The paths of the API, for openapi-fetch. */
export type ApiPaths = SchemaPaths & Omit<LivePaths, keyof SchemaPaths>

/** What was received where a T was expected: not an object perhaps, and any member may be missing or something else. */
export type Received<T> = { [name in keyof T]?: unknown } | null

export function isTask(task: Received<Task>): boolean {
  return typeof task?.id === "string" && Number.isSafeInteger(task.revision)
}

export function isPage(page: Received<components["schemas"]["TaskPageView"]>): boolean {
  const cursor = page?.next_cursor
  return areTasks(page?.data) && (cursor === null || typeof cursor === "string")
}

export function isChangesPage(page: Received<ChangesView>): boolean {
  const areLists = areTasks(page?.data) && Array.isArray(page?.deleted)
  return areLists && typeof page?.sync_token === "string" && typeof page.has_more === "boolean"
}

function areTasks(data: unknown): boolean {
  return Array.isArray(data) && data.every(isTask)
}
