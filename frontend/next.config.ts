import type { NextConfig } from "next"

const config: NextConfig = {
  output: "standalone",
  outputFileTracingRoot: import.meta.dirname,
  // The embedded database's native part, which tracing can't see: it is chosen by platform at run time.
  outputFileTracingIncludes: { "/**": ["./node_modules/@libsql/*/**", "./node_modules/libsql/**"] },
  // Next holds a request's whole body before anybody has seen its length.
  experimental: { proxyClientMaxBodySize: "64kb" },
  headers: async () => [
    { source: "/_next/static/:path*", headers: [{ key: "X-Content-Type-Options", value: "nosniff" }] },
  ],
  serverExternalPackages: ["@libsql/client", "libsql", "pg"],
  typescript: { ignoreBuildErrors: true }, // `npm run types` finds them, in the tests, too
  poweredByHeader: false,
  reactStrictMode: true,
  devIndicators: false,
}

export default config
