export default function AuthLayout({ children }: { children: React.ReactNode }) {
  return (
    <main className="narrow">
      <p className="brand">
        <img src="/icon.svg" alt="" width="28" height="28" /> Evo-TODO
      </p>
      {children}
    </main>
  )
}
