import Link from "next/link"

export default function NotFound() {
  return (
    <main className="entry">
      <h1>There is no such page</h1>
      <p>
        <Link href="/tasks">Go to your tasks</Link>
      </p>
    </main>
  )
}
