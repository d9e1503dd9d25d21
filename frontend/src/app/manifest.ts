import type { MetadataRoute } from "next"

export default function manifest(): MetadataRoute.Manifest {
  return {
    name: "Evo-TODO",
    short_name: "Evo-TODO",
    description: "A to-do list that only you can see.",
    start_url: "/tasks",
    display: "standalone",
    background_color: "#f7f7fa",
    theme_color: "#f7f7fa",
    icons: [{ src: "/icon.svg", sizes: "any", type: "image/svg+xml", purpose: "any" }],
  }
}
