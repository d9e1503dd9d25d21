import { afterEach, expect, test, vi } from "vitest"
import { LocalStorageTokenStore, MemoryTokenStore } from "./index"

afterEach(() => vi.unstubAllGlobals())

function aBrowsersStorage() {
  const items = new Map<string, string>()
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
  })
  return items
}

test.each([MemoryTokenStore, LocalStorageTokenStore])(
  "a %o gives back what was written, until cleared",
  (Store) => {
    aBrowsersStorage()
    const store = new Store()
    expect(store.read()).toBeNull()
    store.write("token")
    expect(store.read()).toBe("token")
    store.clear()
    expect(store.read()).toBeNull()
  },
)

test("localStorage holds the token under the guide's key", () => {
  const items = aBrowsersStorage()
  new LocalStorageTokenStore().write("token")
  expect([...items]).toEqual([["jwt_token", "token"]])
})

test("two stores in memory share nothing", () => {
  new MemoryTokenStore().write("token")
  expect(new MemoryTokenStore().read()).toBeNull()
})

test("a storage that the browser forbids keeps nothing and breaks nothing", () => {
  const forbidden = () => {
    throw new DOMException("The operation is insecure.", "SecurityError")
  }
  vi.stubGlobal("localStorage", { getItem: forbidden, setItem: forbidden, removeItem: forbidden })
  const store = new LocalStorageTokenStore()
  store.write("token")
  expect(store.read()).toBeNull()
  store.clear()
})
