import { join } from "node:path"
import type { NextConfig } from "next"

const config: NextConfig = {
  output: "standalone",
  outputFileTracingRoot: join(import.meta.dirname, ".."), // the workspace, with its packages
  // The native modules of the embedded database: file tracing misses them, as they are chosen by platform at run time.
  outputFileTracingIncludes: { "/**": ["../node_modules/@libsql/*/**", "../node_modules/libsql/**"] },
  // Next buffers a request's whole body before the route can check its length.
  experimental: { proxyClientMaxBodySize: "64kb" },
  headers: async () => [
    { source: "/_next/static/:path*", headers: [{ key: "X-Content-Type-Options", value: "nosniff" }] },
  ],
  serverExternalPackages: ["@libsql/client", "libsql", "pg"],
  typescript: { ignoreBuildErrors: true }, // `npm run types` checks them, tests included
  poweredByHeader: false,
  images: { unoptimized: true }, // without it, anybody could let the server fetch and convert its own pages
  reactStrictMode: true,
  devIndicators: false,
}

export default config
