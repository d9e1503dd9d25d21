import { getAuth } from "@/auth/auth"
import { checkRequest } from "@/auth/requests"

async function handle(request: Request): Promise<Response> {
  const checked = await checkRequest(request)
  return checked instanceof Response ? checked : (await getAuth()).handler(checked)
}

export { handle as GET, handle as POST }
