"use client"

export default function ErrorPage({ reset }: { error: Error; reset: () => void }) {
  return (
    <main className="narrow">
      <h1>Something went wrong</h1>
      <p>This page could not be loaded. Your saved tasks are safe.</p>
      <button type="button" onClick={reset}>
        Try again
      </button>
    </main>
  )
}
