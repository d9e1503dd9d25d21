import { existsSync, readFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import type { ConnectionOptions } from "node:tls"

/** Where a PostgreSQL database is, and how to log in to it. */
export interface DatabaseAddress {
  readonly servers: readonly Server[]
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  /** `prefer`: TLS where the server offers it. Neither it nor `require` alone verifies the server, as in libpq. */
  readonly tls: "disable" | "prefer" | "require"
  readonly tlsOptions: ConnectionOptions
  readonly sslnegotiation: "postgres" | "direct" | undefined
  /** Settings of the server, sent when a connection begins; `options` is one of them. */
  readonly settings: Readonly<Record<string, string>>
}

export interface Server {
  readonly host: string
  readonly port: number
}

/*
 * The parameters of an address, read as the service reads them: src/adapters/sql/address_parameters.py has the same
 * table, and both are tested with the table in docs/operations.md.
 */
const IGNORED = words(`application_name client_encoding connect_timeout fallback_application_name keepalives
  keepalives_count keepalives_idle keepalives_interval max_protocol_version min_protocol_version tcp_user_timeout
  channel_binding sslcompression sslsni connection_limit max_idle_connection_lifetime pool_timeout
  single_use_connections socket_timeout supa uselibpqcompat workaround pgbouncer schema statement_cache_size gssencmode
  load_balance_hosts target_session_attrs`)
const UNDERSTOOD =
  words(`database dbname host password port ssl_max_protocol_version ssl_min_protocol_version sslcert
  sslcrl sslkey sslmode sslnegotiation sslpassword sslrootcert user`)
const VERIFIED = "sslmode=verify-full&sslrootcert=system"
const KERBEROS = "remove it: log in with a password or a certificate"
const TLS = `write sslmode=require, or ${VERIFIED} to verify the server`
const VALUES: Readonly<Record<string, readonly [Set<string>, string]>> = {
  gssencmode: [words("disable prefer"), "remove it, and write sslmode=require"],
  load_balance_hosts: [words("disable"), "remove it: the hosts are tried in their order"],
  pgbouncer: [words("true false"), "write pgbouncer=true"],
  schema: [words("public"), "write options=-csearch_path%3Dname"],
  sslmode: [words("disable allow prefer require verify-ca verify-full"), TLS],
  sslnegotiation: [words("postgres direct"), "write sslnegotiation=postgres"],
  statement_cache_size: [words("0"), "write pgbouncer=true, or remove it"],
  target_session_attrs: [words("any primary read-write"), "write target_session_attrs=read-write"],
}
const REFUSED: Readonly<Record<string, string>> = {
  gssdelegation: KERBEROS,
  gsslib: KERBEROS,
  hostaddr: "write the address in place of the host",
  krbsrvname: KERBEROS,
  passfile: "set PGPASSFILE in the environment",
  replication: "remove it",
  require_auth: "remove it, and let pg_hba.conf choose",
  requirepeer: "remove it",
  service: "write the host, the name and the user here",
  servicefile: "write the host, the name and the user here",
  ssl: "write sslmode=require",
  sslaccept: TLS,
  sslca: "write sslrootcert",
  sslcrldir: "write sslcrl",
  sslidentity: "write sslcert and sslkey",
}
const FILES = ["sslrootcert", "sslcert", "sslkey", "sslcrl"]

/** What stands for itself in an address; all else is percent-encoded. */
const PART = "(?:[^\\s:@/?#[\\]%]|%[0-9A-Fa-f]{2})*"
const PASSWORD = "(?:[^\\s@/?#[\\]%]|%[0-9A-Fa-f]{2})*"
const HOST = "(?:\\[[0-9A-Fa-f:.]+(?:%[\\w.-]+)?\\]|(?:[\\w.~-]|%2[Ff])+)(?::[0-9]{0,5})?"
const ADDRESS = new RegExp(
  `^postgres(?:ql)?(?:\\+(?:asyncpg|psycopg[23]?))?://(?:(?<user>${PART})(?::(?<password>${PASSWORD}))?@)?` +
    `(?<hosts>${HOST}(?:,${HOST})*)?(?:/(?<database>${PART}))?` +
    "(?:\\?(?<parameters>(?:[a-z_][\\w.]*=(?:[^\\s@#%&]| |%[0-9A-Fa-f]{2})*(?:&|$))*))?$",
)
const UNREADABLE =
  "must be postgresql://user:password@host/name with the password percent-encoded, or unset for an embedded database"

/**
 * Read an address as the service does.
 *
 * @throws RangeError if it could be read in two ways, or has a parameter that is not supported; the message repeats
 * nothing of it but the parameter's name.
 */
export function readAddress(text: string): DatabaseAddress {
  const found = ADDRESS.exec(text)?.groups
  if (!found) throw new RangeError(UNREADABLE)
  const parameters = Object.fromEntries(new URLSearchParams((found.parameters ?? "").replace(/;/g, "%3B")))
  check(parameters)
  const { user, password, database = parameters.dbname ?? parameters.database } = decoded(found)
  return {
    servers: servers(found.hosts ?? "", parameters),
    user: user || parameters.user,
    password: password || parameters.password,
    database: database || undefined,
    ...tls(parameters),
    sslnegotiation: parameters.sslnegotiation as DatabaseAddress["sslnegotiation"],
    settings: Object.fromEntries(
      Object.entries(parameters).filter(([name]) => !IGNORED.has(name) && !UNDERSTOOD.has(name)),
    ),
  }
}

function words(text: string): Set<string> {
  return new Set(text.split(/\s+/))
}

function decoded(parts: Record<string, string | undefined>): Record<string, string | undefined> {
  try {
    return Object.fromEntries(
      Object.entries(parts).map(([name, part]) => [name, part && decodeURIComponent(part)]),
    )
  } catch {
    throw new RangeError(UNREADABLE)
  }
}

function unsupported(name: string, remedy: string): never {
  throw new RangeError(`the parameter ${name} can't be used like this: ${remedy}`)
}

function check(parameters: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(parameters)) {
    if (REFUSED[name] !== undefined) unsupported(name, REFUSED[name])
    const [accepted, remedy] = VALUES[name] ?? [null, ""]
    if (accepted?.has(value) === false) unsupported(name, remedy)
    if (FILES.includes(name) && value !== "system" && !existsSync(value))
      unsupported(name, "there is no such file here")
  }
  const { sslmode = "verify-full", sslrootcert } = parameters
  if (sslrootcert === "system" && sslmode !== "verify-full")
    unsupported("sslrootcert", `with the system's certificates, write ${VERIFIED}`)
  if (parameters.sslmode?.startsWith("verify-") && rootCertificate(parameters) === undefined)
    unsupported("sslmode", `to verify the server, add sslrootcert=system or the file of its authority`)
}

function servers(hosts: string, parameters: Readonly<Record<string, string>>): Server[] {
  const names = (hosts || parameters.host || localServer()).split(",")
  const ports = (parameters.port ?? "").split(",")
  if (ports.length > 1 && ports.length !== names.length) unsupported("port", "write one for each host")
  return names.map((name, position) => {
    const [, host = name, port] = hosts ? (/^(.*?)(?::([0-9]*))?$/.exec(name) ?? []) : [null, name]
    const number = Number(port || ports[position] || ports[0] || process.env.PGPORT || 5432)
    if (!(number > 0 && number < 65536)) {
      if (port) throw new RangeError(UNREADABLE)
      unsupported("port", "must be a number from 1 to 65535")
    }
    return { host: decodeURIComponent(host).replace(/^\[(.*)\]$/, "$1"), port: number }
  })
}

/** Without a host: the folder of this machine's socket, where libpq and the service look for it. */
function localServer(): string {
  if (process.env.PGHOST) return process.env.PGHOST
  const folders = ["/run/postgresql", "/var/run/postgresql", "/tmp"]
  const port = process.env.PGPORT || "5432"
  return folders.find((folder) => existsSync(join(folder, `.s.PGSQL.${port}`))) ?? "localhost"
}

/** The file that verifies the server, `system`, or `undefined`. */
function rootCertificate(parameters: Readonly<Record<string, string>>): string | undefined {
  const usual = join(homedir(), ".postgresql", "root.crt")
  return parameters.sslrootcert ?? process.env.PGSSLROOTCERT ?? (existsSync(usual) ? usual : undefined)
}

function tls(parameters: Readonly<Record<string, string>>): Pick<DatabaseAddress, "tls" | "tlsOptions"> {
  const root = rootCertificate(parameters)
  const mode =
    parameters.sslmode ??
    (parameters.sslrootcert === "system" ? "verify-full" : process.env.PGSSLMODE) ??
    "prefer"
  if (mode === "disable") return { tls: "disable", tlsOptions: {} }
  const verifies = mode.startsWith("verify-") || (mode === "require" && root !== undefined)
  const file = (name: string) => (parameters[name] ? readFileSync(parameters[name]) : undefined)
  const options: ConnectionOptions = {
    rejectUnauthorized: verifies,
    ...(verifies && root !== "system" && root !== undefined ? { ca: readFileSync(root) } : {}),
    ...(mode === "verify-full" ? {} : { checkServerIdentity: () => undefined }),
    ...withoutEmpty({
      cert: file("sslcert"),
      key: file("sslkey"),
      crl: file("sslcrl"),
      passphrase: parameters.sslpassword,
      minVersion: parameters.ssl_min_protocol_version as ConnectionOptions["minVersion"],
      maxVersion: parameters.ssl_max_protocol_version as ConnectionOptions["maxVersion"],
    }),
  }
  return { tls: mode === "allow" || mode === "prefer" ? "prefer" : "require", tlsOptions: options }
}

function withoutEmpty<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>
}
