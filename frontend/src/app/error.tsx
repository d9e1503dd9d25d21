"use client"

export default function Failed({ reset }: { error: Error; reset: () => void }) {
  return (
    <main className="entry">
      <h1>This page could not be shown</h1>
      <p>Nothing that you saved is lost.</p>
      <button type="button" onClick={reset}>
        Try again
      </button>
    </main>
  )
}
