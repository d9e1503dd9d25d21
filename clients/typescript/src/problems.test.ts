import { describe, expect, test } from "vitest"
import { ApiProblem, ChangedElsewhere, Unauthorized, Unreachable } from "./index.ts"
import { problem, type Reply, startFakeApi, testClient } from "./testing.ts"

async function failureOf(reply: Reply): Promise<unknown> {
  const { baseUrl } = await startFakeApi(() => reply)
  const { client } = testClient(baseUrl, { timeoutMs: reply.failure === "no response" ? 200 : 10_000 })
  return client.updateTask("alice", "1", { title: "" }).catch((error: unknown) => error)
}

describe("a problem", () => {
  test("has all members of the response, and `detail` as its message", async () => {
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

  test("has Retry-After in seconds", async () => {
    expect(await failureOf(problem(429, {}, { "Retry-After": "42" }))).toMatchObject({ retryAfter: 42 })
  })

  test.each([
    [{ status: 502, text: "<html>nginx</html>" }, /unavailable/],
    [{ status: 500, text: "" }, /internal error/],
    [{ status: 429, json: null }, /wait a moment/],
    [
      { status: 418, json: { detail: { no: "words" }, errors: "none" } },
      /rejected the request \(status 418\)/,
    ],
  ])("has a default message if the response has no detail: %o", async (reply, message) => {
    const failure = await failureOf({ ...reply, headers: { "X-Request-Id": "r2" } })
    expect(failure).toBeInstanceOf(ApiProblem)
    expect(failure).toMatchObject({ status: reply.status, type: "about:blank", errors: [], requestId: "r2" })
    expect((failure as ApiProblem).message).toMatch(message)
    expect((failure as ApiProblem).message).not.toContain("<")
  })

  test.each([
    { text: "<html>Welcome to the airport</html>" },
    { text: "" },
    { status: 204 },
    { json: "", text: "{", headers: { "Content-Length": "1" } },
  ])("is also thrown for a successful response without a task: %o", async (reply) => {
    const failure = await failureOf(reply)
    expect(failure).toBeInstanceOf(ApiProblem)
    expect((failure as ApiProblem).message).toMatch(/did not come from the service/)
  })
})

test("a 412 is ChangedElsewhere, with a message for users", async () => {
  const failure = await failureOf(problem(412, { type: "urn:problem-type:evo-todo:revision-mismatch" }))
  expect(failure).toBeInstanceOf(ChangedElsewhere)
  expect(failure).toBeInstanceOf(ApiProblem)
  expect(failure).toMatchObject({ status: 412, type: "urn:problem-type:evo-todo:revision-mismatch" })
  expect((failure as Error).message).toMatch(/^The task was changed elsewhere/)
})

test.each([
  ["closed connection", { failure: "disconnect" }, /unreachable/],
  ["missing response", { failure: "no response" }, /took too long/],
  ["redirect", { status: 302, headers: { Location: "/elsewhere" } }, /unreachable/],
] as const)("a %s is Unreachable, which is not an ApiProblem", async (_, reply, message) => {
  const failure = await failureOf(reply)
  expect(failure).toBeInstanceOf(Unreachable)
  expect(failure).not.toBeInstanceOf(ApiProblem)
  expect((failure as Error).message).toMatch(message)
})

test("Unauthorized is an ApiProblem with status 401 and a message for users", () => {
  expect(new Unauthorized()).toBeInstanceOf(ApiProblem)
  expect(new Unauthorized()).toMatchObject({
    status: 401,
    message: "You are signed out. Sign in to continue.",
  })
})
