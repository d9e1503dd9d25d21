import { afterEach, expect, test, vi } from "vitest"
import { LocalStorageTokenStore, MemoryTokenStore } from "./index.ts"

afterEach(() => vi.unstubAllGlobals())

function fakeLocalStorage() {
  const items = new Map<string, string>()
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
  })
  return items
}

test.each([MemoryTokenStore, LocalStorageTokenStore])("%o returns the token until it is cleared", (Store) => {
  fakeLocalStorage()
  const store = new Store()
  expect(store.read()).toBeNull()
  store.write("token")
  expect(store.read()).toBe("token")
  store.clear()
  expect(store.read()).toBeNull()
})

test("localStorage holds the token under the documented key", () => {
  const items = fakeLocalStorage()
  new LocalStorageTokenStore().write("token")
  expect([...items]).toEqual([["jwt_token", "token"]])
})

test("two stores in memory share nothing", () => {
  new MemoryTokenStore().write("token")
  expect(new MemoryTokenStore().read()).toBeNull()
})

test("a storage that the browser denies stores nothing and throws nothing", () => {
  const denied = () => {
    throw new DOMException("The operation is insecure.", "SecurityError")
  }
  vi.stubGlobal("localStorage", { getItem: denied, setItem: denied, removeItem: denied })
  const store = new LocalStorageTokenStore()
  store.write("token")
  expect(store.read()).toBeNull()
  store.clear()
})
