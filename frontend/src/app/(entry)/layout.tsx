export default function EntryLayout({ children }: { children: React.ReactNode }) {
  return (
    <main className="entry">
      <p className="brand">
        <img src="/icon.svg" alt="" width="28" height="28" /> Evo-TODO
      </p>
      {children}
    </main>
  )
}
