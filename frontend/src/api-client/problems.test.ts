import { describe, expect, test } from "vitest"
import { ApiProblem, ChangedElsewhere, Unauthorized, Unreachable } from "./index"
import { aClient, apiDouble, problem, type Reply } from "./testing"

async function failureOf(reply: Reply): Promise<unknown> {
  const { baseUrl } = await apiDouble(() => reply)
  const { client } = aClient(baseUrl, { timeoutMs: reply.instead === "silence" ? 200 : 10_000 })
  return client.updateTask("alice", "1", { title: "" }).catch((error: unknown) => error)
}

describe("a problem", () => {
  test("has all that the server says, and its detail as the message", async () => {
    const errors = [{ pointer: "/title", detail: "must not be blank" }]
    const type = "urn:problem-type:evo-todo:invalid-field"
    const failure = await failureOf(
      problem(422, { type, errors, request_id: "r1", detail: "title: must not be blank." }),
    )
    expect(failure).toBeInstanceOf(ApiProblem)
    expect(failure).toMatchObject({
      name: "ApiProblem",
      message: "title: must not be blank.",
      status: 422,
      type,
      title: "Title 422",
      errors,
      requestId: "r1",
      retryAfter: undefined,
    })
  })

  test("says in how many seconds to try again", async () => {
    expect(await failureOf(problem(429, {}, { "Retry-After": "42" }))).toMatchObject({ retryAfter: 42 })
  })

  test.each([
    [{ status: 502, text: "<html>nginx</html>" }, /can't be reached/],
    [{ status: 500, text: "" }, /failed/],
    [{ status: 429, json: null }, /Wait a moment/],
    [
      { status: 418, json: { detail: { no: "words" }, errors: "none" } },
      /refused the request \(status 418\)/,
    ],
  ])("has words of its own where the answer has none: %o", async (reply, words) => {
    const failure = await failureOf({ ...reply, headers: { "X-Request-Id": "r2" } })
    expect(failure).toBeInstanceOf(ApiProblem)
    expect(failure).toMatchObject({ status: reply.status, type: "about:blank", errors: [], requestId: "r2" })
    expect((failure as ApiProblem).message).toMatch(words)
    expect((failure as ApiProblem).message).not.toContain("<")
  })

  test.each([
    { text: "<html>Welcome to the airport</html>" },
    { text: "" },
    { status: 204 },
    { json: "", text: "{", headers: { "Content-Length": "1" } },
  ])("is what a success without a task is: %o", async (reply) => {
    const failure = await failureOf(reply)
    expect(failure).toBeInstanceOf(ApiProblem)
    expect((failure as ApiProblem).message).toMatch(/Something else answered/)
  })
})

test("a 412 is ChangedElsewhere, in words for a person", async () => {
  const failure = await failureOf(problem(412, { type: "urn:problem-type:evo-todo:revision-mismatch" }))
  expect(failure).toBeInstanceOf(ChangedElsewhere)
  expect(failure).toBeInstanceOf(ApiProblem)
  expect(failure).toMatchObject({ status: 412, type: "urn:problem-type:evo-todo:revision-mismatch" })
  expect((failure as Error).message).toMatch(/^The task was changed elsewhere/)
})

test.each([
  ["cut connection", { instead: "cut" }, /can't be reached/],
  ["silence", { instead: "silence" }, /took too long/],
  ["redirect", { status: 302, headers: { Location: "/elsewhere" } }, /can't be reached/],
] as const)("a %s is Unreachable, which is no problem of the API's", async (_, reply, words) => {
  const failure = await failureOf(reply)
  expect(failure).toBeInstanceOf(Unreachable)
  expect(failure).not.toBeInstanceOf(ApiProblem)
  expect((failure as Error).message).toMatch(words)
})

test("an Unauthorized is a problem with status 401 and words for a person", () => {
  expect(new Unauthorized()).toBeInstanceOf(ApiProblem)
  expect(new Unauthorized()).toMatchObject({ status: 401, message: "You are signed out. Sign in to go on." })
})
