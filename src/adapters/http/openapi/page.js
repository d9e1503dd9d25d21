"use strict"
// "Try it" on /docs. The token is only in its input: it is sent to this API, and kept nowhere.
const token = document.querySelector("#token")
const base = document.body.dataset.base
document.body.classList.remove("without-script")
for (const origin of document.querySelectorAll(".origin")) origin.textContent = location.origin
addEventListener("pagehide", () => { token.value = "" }) // the page may be kept for the "back" button

/** The token's subject, not verified; undefined if it is unreadable. */
function subject() {
  try {
    const payload = atob(token.value.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))
    const bytes = Uint8Array.from(payload, (character) => character.charCodeAt(0)) // of UTF-8
    return JSON.parse(new TextDecoder().decode(bytes)).sub
  } catch {
    return undefined
  }
}

function fill(name, value) {
  if (typeof value !== "string") return
  for (const input of document.querySelectorAll(`input[name="${name}"]`)) input.value = value
}

token.addEventListener("input", () => fill("user_id", subject()))

/** The request that a form describes: fields that are empty are not sent. */
function requestOf(form, signal) {
  let path = form.dataset.path
  const query = new URLSearchParams()
  const headers = new Headers()
  for (const { name, value, dataset } of form.elements) {
    if (dataset.in === "path") path = path.replace(`{${name}}`, encodeURIComponent(value))
    else if (dataset.in === "query" && value !== "") query.set(name, value)
    else if (dataset.in === "header" && value !== "") headers.set(name, value)
  }
  if (form.dataset.token) headers.set("Authorization", `Bearer ${token.value.trim()}`)
  const body = form.elements.body?.value || undefined
  if (body !== undefined) headers.set("Content-Type", form.elements.body.dataset.type)
  const more = { signal, credentials: "omit", redirect: "error", cache: "no-store" }
  return new Request(`${base}${path}${query.size > 0 ? `?${query}` : ""}`, {
    method: form.dataset.method, headers, body, ...more,
  })
}

/** Shows the response as it arrives: an event stream goes on until it is stopped. */
async function show(response, output) {
  const lines = [`${response.status} ${response.statusText}`]
  response.headers.forEach((value, name) => lines.push(`${name}: ${value}`))
  output.textContent = `${lines.join("\n")}\n\n`
  if (!response.body) return
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let text = ""
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    text += part.value
    output.append(part.value)
  }
  if (!/json/.test(response.headers.get("Content-Type") ?? "") || text === "") return
  const body = JSON.parse(text)
  output.textContent = `${lines.join("\n")}\n\n${JSON.stringify(body, null, 2)}`
  if (response.ok) fill("task_id", body.id)
}

for (const form of document.querySelectorAll("form[data-path]")) {
  const output = form.querySelector("output")
  let running
  form.addEventListener("submit", async (event) => {
    event.preventDefault()
    running?.abort()
    running = new AbortController()
    output.textContent = "…"
    try {
      await show(await fetch(requestOf(form, running.signal)), output)
    } catch (error) {
      output.append(`\n${error.name}: ${error.message}`)
    }
  })
  form.querySelector("button[type=button]").addEventListener("click", () => running?.abort())
}
