import { execFile } from "node:child_process"
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

const run = promisify(execFile)
const PACKAGE = import.meta.dirname
const MODULES = join(PACKAGE, "../../node_modules")
const SOURCE = `
import { ApiClient, MemoryTokenStore, SessionTokens, type Task, Unauthorized } from "evo-todo-client"

const tokens = new SessionTokens({ fetchToken: async () => null, store: new MemoryTokenStore() })
const api = new ApiClient({ baseUrl: "http://127.0.0.1:1/api", tokens })
const outcome: Task[] | Unauthorized = await api.listTasks("ada").catch((error: Unauthorized) => error)
console.log(outcome instanceof Unauthorized ? outcome.name : outcome.length)
`

let folder: string

/** Run a command in the empty project; rejects with its output. */
async function inProject(command: string, ...options: string[]): Promise<string> {
  try {
    return (await run(command, options, { cwd: folder })).stdout
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`${command} ${options.join(" ")}: ${stdout}${stderr}`)
  }
}

/** Pack a folder as npm would publish it, into the project; returns the name of the file. */
async function pack(source: string): Promise<string> {
  const [packed] = JSON.parse(await inProject("npm", "pack", source, "--json", "--silent")) as {
    filename: string
  }[]
  return `./${packed?.filename}`
}

describe("the client as a package", () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "evo-todo-client-"))
    await writeFile(
      join(folder, "package.json"),
      JSON.stringify({ name: "empty", private: true, type: "module" }),
    )
    await inProject(
      process.execPath,
      join(MODULES, "typescript/bin/tsc"),
      "-p",
      join(PACKAGE, "tsconfig.build.json"),
    )
    const dependencies = ["openapi-fetch", "openapi-typescript-helpers"].map((name) => join(MODULES, name))
    const packed = []
    for (const source of [PACKAGE, ...dependencies]) packed.push(await pack(source))
    await inProject("npm", "install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", ...packed)
  }, 300_000)

  afterAll(() => rm(folder, { recursive: true }))

  it("has types and code, and nothing else", async () => {
    const installed = join(folder, "node_modules/evo-todo-client")
    expect((await readdir(installed)).sort()).toEqual(["LICENSE", "README.md", "dist", "package.json"])
    const files = await readdir(join(installed, "dist"))
    expect(files.filter((name) => /test/.test(name) || !/\.(js|d\.ts)$/.test(name))).toEqual([])
    const { dependencies } = JSON.parse(await readFile(join(installed, "package.json"), "utf8"))
    expect(Object.keys(dependencies)).toEqual(["openapi-fetch"])
  })

  it("needs nothing that only Node, or only a browser, has", async () => {
    const dist = join(folder, "node_modules/evo-todo-client/dist")
    const names = (await readdir(dist)).filter((name) => name.endsWith(".js"))
    const code = await Promise.all(names.map((name) => readFile(join(dist, name), "utf8")))
    const imports = code.flatMap((text) => [...text.matchAll(/^(?:import|export) .*from "([^"]+)"/gm)])
    const outside = imports.map(([, from]) => from).filter((from) => !from?.startsWith("./"))
    expect([...new Set(outside)]).toEqual(["openapi-fetch"])
    const bare = `
      await fetch("data:,") // Node's own fetch is loaded by its first use, and needs what is deleted
      const { log } = console
      for (const name of ["process", "Buffer", "global", "setImmediate", "navigator"]) delete globalThis[name]
      const { ApiClient, SessionTokens } = await import("evo-todo-client")
      const tokens = new SessionTokens({ fetchToken: async () => null })
      const api = new ApiClient({ baseUrl: "https://api.example/api", tokens })
      log(await api.getTask("ada", "milk").catch(({ name }) => name))
    `
    expect(await inProject(process.execPath, "--input-type=module", "--eval", bare)).toBe("Unauthorized\n")
  }, 60_000)

  it.each(["nodenext", "bundler"])(
    "is typed and runs in a project with %s",
    async (resolution) => {
      await writeFile(join(folder, "main.ts"), SOURCE)
      const compiler = join(MODULES, "typescript/bin/tsc")
      const options = ["--strict", "--target", "es2022", "--lib", "es2023,dom,dom.iterable"]
      const modules = [
        "--moduleResolution",
        resolution,
        "--module",
        resolution === "bundler" ? "esnext" : resolution,
      ]
      await inProject(process.execPath, compiler, ...options, ...modules, "main.ts")
      expect(await inProject(process.execPath, "main.js")).toBe("Unauthorized\n")
    },
    120_000,
  )

  it("does what its README shows", async () => {
    const requests: string[] = []
    const task = {
      id: "t1",
      user_id: "ada",
      title: "Buy milk",
      description: null,
      completed: false,
      revision: 1,
    }
    const answer = ({ method, url }: IncomingMessage): unknown => {
      if (url === "/api/auth/token") return { token: "a.b.c" }
      requests.push(`${method} ${url}`)
      return method === "GET" ? { data: [task], count: 1, next_cursor: null } : task
    }
    const server = createServer((request, response) =>
      response
        .setHeader("Content-Type", "application/json")
        .writeHead(request.method === "POST" ? 201 : 200)
        .end(JSON.stringify(answer(request))),
    )
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const here = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    try {
      const readme = await readFile(join(PACKAGE, "README.md"), "utf8")
      const [, example = ""] = /```ts\n(.*?)```/s.exec(readme) ?? []
      const written = example.replace(/https:\/\/(todo|api)\.example\.com/g, here)
      await writeFile(
        join(folder, "readme.ts"),
        `const userId: string = "ada"\n${written}\nconsole.log(open.length)\n`,
      )
      const options = [
        "--strict",
        "--target",
        "es2022",
        "--lib",
        "es2023,dom,dom.iterable",
        "--module",
        "nodenext",
      ]
      await inProject(process.execPath, join(MODULES, "typescript/bin/tsc"), ...options, "readme.ts")
      expect(await inProject(process.execPath, "readme.js")).toBe("1\n")
      expect(requests.map((request) => request.split("?")[0])).toEqual([
        "POST /api/ada/tasks",
        "PATCH /api/ada/tasks/t1/complete",
        "GET /api/ada/tasks",
      ])
    } finally {
      server.close()
    }
  }, 120_000)
})
