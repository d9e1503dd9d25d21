"""The one reading of a database's address, and the one way to name the database in a message.

An address is read only if there is one way to read it: what RFC 3986 reserves is percent-encoded wherever it is data.
Of any other address nothing may be repeated, since no one can tell where its password begins and ends.
"""

import re
from pathlib import Path
from typing import Final, Self
from urllib.parse import parse_qsl, quote, unquote, urlencode

from attrs import field, frozen

from adapters.sql.address_parameters import UnsupportedParameter, used
from application.health import quoted

USER: Final = r"(?:[^\s:@/?#\[\]%]|%[0-9A-Fa-f]{2})*"
"""A user name in an address."""
PASSWORD: Final = r"(?:[^\s@/?#\[\]%]|%[0-9A-Fa-f]{2})*"  # noqa: S105  (no password)
"""A password in an address: it begins after the first colon, and further ones are its own (RFC 3986 §3.2.1)."""
HOST: Final = r"(?:\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|(?:[\w.~-]|%2[Ff])+)(?::[0-9]{0,5})?"
"""A host in an address, and its port; the slashes of a socket's folder are encoded."""

_POSTGRESQL: Final = re.compile(
    rf"postgres(?:ql)?(?:\+(?:asyncpg|psycopg[23]?))?://(?:(?P<user>{USER})(?::(?P<password>{PASSWORD}))?@)?"
    rf"(?P<hosts>{HOST}(?:,{HOST})*)?"
    r"(?:/(?P<database>(?:[^\s:@/?#%]|%[0-9A-Fa-f]{2})*))?"
    r"(?:\?(?P<options>(?:[a-z_][\w.]*=(?:[^\s@#%&]| |%[0-9A-Fa-f]{2})*(?:&|$))*))?",
    re.ASCII,
)
_SQLITE: Final = re.compile(r"sqlite(?:\+aiosqlite)?:///(?P<database>[^?]*)(?:\?(?P<options>.*))?", re.DOTALL)
_PORT: Final = re.compile(r":([0-9]+)(?=,|$)", re.ASCII)
_MAX_PORT: Final = 65535

_NAME: Final = re.compile(r"[\w .+-]*")

_SCHEME: Final = re.compile(
    r"(?:postgres(?:ql)?(?:\+(?:asyncpg|psycopg[23]?))?|sqlite(?:\+aiosqlite)?|mysql|mariadb|mssql|oracle|mongodb|https?"
    r"|memcached|(?:redis|valkey)s?)(?=://)"
)


def shown(text: str) -> str:
    """What a message may show of an address that was not read: a scheme, if it is a known one, and nothing after it."""
    found = _SCHEME.match(text)
    return f"{found[0]}://…" if found else "…" if text else ""


def has_ports(hosts: str) -> bool:
    """Whether the numbers after these hosts, separated by commas, are ports."""
    return all(0 < int(port) <= _MAX_PORT for port in _PORT.findall(hosts))


class UnreadableAddress(ValueError):
    """There is no address, or more than one way to read it. The message repeats nothing of it but a known scheme."""

    def __init__(self, text: str) -> None:
        found = _SCHEME.match(text)
        is_other = found is not None and not found[0].startswith(("postgres", "sqlite"))
        problem = f"{found[0]} is not supported" if found is not None and is_other else "can't be read"
        super().__init__(
            f"{problem}: must be postgresql://user:password@host/name or sqlite:///path of a file; percent-encode the"
            " password, all but its letters and digits: @ is %40, : %3A, / %2F, # %23, ? %3F, % %25"
        )


@frozen
class DatabaseAddress:
    """Where a database is, and how to log in to it; all parts are decoded."""

    is_sqlite: bool
    database: str = field(repr=False)
    """The name of the database, or the path of SQLite's file; may be empty on PostgreSQL."""
    hosts: str = field(default="", repr=False)
    """PostgreSQL: hosts and ports, separated by commas, as they are written; empty for this machine's socket."""
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    options: dict[str, str] = field(factory=dict, repr=False)
    """The parameters that have an effect; one of them may be a password, too."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address: `postgresql://…` as libpq writes it, or `sqlite:///path`.

        Raises:
            UnreadableAddress: it is neither, or could be read in more ways than one.
            UnsupportedParameter: it has a parameter that is not supported.
        """
        if found := _SQLITE.fullmatch(text):
            read = cls(
                is_sqlite=True, database=unquote(found["database"]), options=dict(parse_qsl(found["options"] or ""))
            )
            is_file = read.database not in {
                "",
                ":memory:",
            }  # in memory each connection would have a database of its own
        else:
            read = cls._postgresql(text)
            is_file = True
        if not is_file or any("\0" in (part or "") for part in (read.database, read.user, read.password)):
            raise UnreadableAddress(text)
        return read

    @classmethod
    def _postgresql(cls, text: str) -> Self:
        found = _POSTGRESQL.fullmatch(text) if text.isprintable() else None
        if found is None or not has_ports(found["hosts"] or ""):
            raise UnreadableAddress(text)
        try:
            user, password, database = (
                unquote(part or "", errors="strict") for part in found.group("user", "password", "database")
            )
            options = dict(parse_qsl(found["options"] or "", errors="strict"))
        except UnicodeDecodeError:
            raise UnreadableAddress(text) from None  # its message would quote the password
        read = cls(
            is_sqlite=False,
            database=database,
            hosts=found["hosts"] or "",
            user=user or None,
            password=password or None,
            options=used(options),
        )
        if not all(has_ports(f":{port}") for port in options.get("port", "1").split(",")):
            raise UnsupportedParameter("port", f"must be a number from 1 to {_MAX_PORT}")
        if len(read.servers) > 1 and len(options.get("port", "1").split(",")) not in {1, len(read.servers)}:
            raise UnsupportedParameter("port", "write one for each host")
        return read

    @property
    def file(self) -> Path:
        """SQLite: the file, which need not exist; a relative path starts at the working directory."""
        path = self.database
        return Path(unquote(path.removeprefix("file:")) if "uri" in self.options else path).absolute()

    @property
    def name(self) -> str:
        """What a message may call the database: never the user, the password, or an option.

        What holds characters that are rare there may be the rest of a misspelt password, and is not repeated.
        """
        if self.is_sqlite:
            is_path = not re.search(r"[:@]", self.database[len("C:") :])
            return f"SQLite file {quoted(str(self.file))}" if is_path else "the SQLite file of DATABASE_URL"
        if self.hosts:
            where = "a socket" if "%" in self.hosts else quoted(self.hosts)
        else:
            where = "the host in its options" if "host" in self.options else "this machine"
        database = f" {quoted(self.database)}" if _NAME.fullmatch(self.database) else ""
        return f"PostgreSQL database{database} at {where}"

    @property
    def servers(self) -> tuple[str, ...]:
        """PostgreSQL: each host, with its port if it has one, as in an address; one empty text for this machine."""
        hosts = self.hosts or self.options.get("host", "")
        servers = [server if self.hosts else _encoded(server) for server in hosts.split(",")]
        ports = self.options.get("port", "").split(",")
        ports = ports if len(ports) == len(servers) else ports[:1] * len(servers)
        return tuple(
            f"{server}:{port}" if port and server and not _PORT.search(server) else server
            for server, port in zip(servers, ports, strict=True)
        )

    @property
    def has_prepared_statements(self) -> bool:
        """Whether the address names no pooler without them, as Prisma's parameters do."""
        return self.options.get("pgbouncer") != "true" and "statement_cache_size" not in self.options

    def dsn(self, server: str, *, without: frozenset[str] = frozenset()) -> str:
        """PostgreSQL: the address of one server for its driver, with everything encoded that could be misread."""
        login = "" if self.user is None else quote(self.user, safe="")
        if self.password is not None:
            login += f":{quote(self.password, safe='')}"
        left_out = without | {"host"} | ({"port"} if server else set())
        options = {name: value for name, value in self.options.items() if name not in left_out}
        query = f"?{urlencode(options, safe='', quote_via=quote)}" if options else ""
        database = f"/{quote(self.database, safe='')}" if self.database else ""
        return f"postgresql://{f'{login}@' if login else ''}{server}{database}{query}"


def _encoded(host: str) -> str:
    """A host of a parameter as it is written in an address."""
    return f"[{host}]" if host.count(":") > 1 else quote(host, safe=":")
