import { QueryClient } from "@tanstack/react-query"
import { ApiProblem, type Task } from "evo-todo-client"
import { beforeEach, describe, expect, it } from "vitest"
import { TaskChanges } from "./task-changes"
import { TaskStore } from "./task-store"

const TASK: Task = {
  id: "milk",
  user_id: "ada",
  title: "Buy milk",
  description: null,
  completed: false,
  revision: 1,
  created_at: "2026-01-01T00:00:00Z",
  updated_at: "2026-01-01T00:00:00Z",
}
const done = { ...TASK, completed: true, revision: 2 }
const tick = { taskId: "milk", apply: (task?: Task) => task && { ...task, completed: true } }

let store: TaskStore
let changes: TaskChanges

beforeEach(() => {
  store = new TaskStore()
  store.load([TASK])
  changes = new TaskChanges(new QueryClient(), "ada", store)
})

const isDone = () => store.view().map(({ completed }) => completed)

describe("TaskChanges", () => {
  it("shows a change at once, and drops it when it fails", async () => {
    const send = () => Promise.reject(new ApiProblem({ detail: "No.", status: 409 }))
    const outcome = changes.make({ scope: "milk", operation: tick, send })
    expect(isDone()).toEqual([true])
    await expect(outcome).rejects.toThrow("No.")
    expect(isDone()).toEqual([false])
  })

  it("sends changes of one scope in their order, one after the other", async () => {
    const log: string[] = []
    const send = (name: string) => async () => {
      log.push(`${name} begins`)
      await new Promise((resolve) => setTimeout(resolve, 5))
      log.push(`${name} ends`)
      return done
    }
    const names = ["one", "two", "three"]
    await Promise.all(names.map((name) => changes.make({ scope: "add", operation: tick, send: send(name) })))
    expect(log).toEqual(names.flatMap((name) => [`${name} begins`, `${name} ends`]))
  })

  it("sends a change again for as long as the service asks to wait", async () => {
    let refusals = 5
    const send = async () => {
      if (refusals-- > 0) throw new ApiProblem({ detail: "Too many.", status: 429, retryAfter: 0.001 })
      return done
    }
    await expect(changes.make({ scope: "milk", operation: tick, send })).resolves.toBe(done)
    expect(isDone()).toEqual([true])
  })
})
