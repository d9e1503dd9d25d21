"""The parameters of a PostgreSQL address: what they mean here, and what to write instead of those that mean nothing.

They are libpq's (PostgreSQL, §34.1.2), and those that hosters, node-postgres and Prisma add. Names that are in none of
these tables are settings of the server, such as `statement_timeout`, and are sent to it.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from os import environ
from pathlib import Path
from typing import Final

IGNORED: Final = frozenset(
    {
        # The service has its own time limits, name and encoding, and its connections are never idle for long.
        "application_name",
        "client_encoding",
        "connect_timeout",
        "fallback_application_name",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "max_protocol_version",
        "min_protocol_version",
        "tcp_user_timeout",
        # The drivers decide: neither binds the password to the TLS channel, and both always name the host.
        "channel_binding",
        "sslcompression",
        "sslsni",
        # Of Prisma, node-postgres and hosters, for their own clients.
        "connection_limit",
        "max_idle_connection_lifetime",
        "pool_timeout",
        "single_use_connections",
        "socket_timeout",
        "supa",
        "uselibpqcompat",
        "workaround",
    }
)
"""Accepted, without effect."""

UNDERSTOOD: Final = frozenset(
    {
        "database",
        "dbname",
        "host",
        "options",
        "password",
        "port",
        "ssl_max_protocol_version",
        "ssl_min_protocol_version",
        "sslcert",
        "sslcrl",
        "sslkey",
        "sslpassword",
        "sslrootcert",
        "user",
    }
)
"""Accepted with any value."""

_VERIFIED: Final = "sslmode=verify-full&sslrootcert=system"

VALUES: Final[Mapping[str, tuple[frozenset[str], str]]] = {
    "gssencmode": (frozenset({"disable", "prefer"}), "remove it, and write sslmode=require"),
    "load_balance_hosts": (frozenset({"disable"}), "remove it: the hosts are tried in their order"),
    "pgbouncer": (frozenset({"true", "false"}), "write pgbouncer=true"),
    "schema": (frozenset({"public"}), "write options=-csearch_path%3Dname"),
    "sslmode": (
        frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}),
        f"write sslmode=require, or {_VERIFIED} to verify the server",
    ),
    "sslnegotiation": (frozenset({"postgres", "direct"}), "write sslnegotiation=postgres"),
    "statement_cache_size": (frozenset({"0"}), "write pgbouncer=true, or remove it"),
    "target_session_attrs": (
        frozenset({"any", "primary", "read-write"}),
        "write target_session_attrs=read-write: the service has to write",
    ),
}
"""Accepted with these values; of others, what to write instead."""

REFUSED: Final[Mapping[str, str]] = {
    "gssdelegation": "remove it: log in with a password or a certificate",
    "gsslib": "remove it: log in with a password or a certificate",
    "hostaddr": "write the address in place of the host",
    "krbsrvname": "remove it: log in with a password or a certificate",
    "passfile": "set PGPASSFILE in the environment",
    "replication": "remove it",
    "require_auth": "remove it, and let pg_hba.conf choose",
    "requirepeer": "remove it",
    "service": "write the host, the name and the user here",
    "servicefile": "write the host, the name and the user here",
    "ssl": "write sslmode=require",
    "sslaccept": f"write sslmode=require, or {_VERIFIED} to verify the server",
    "sslca": "write sslrootcert",
    "sslcrldir": "write sslcrl",
    "sslidentity": "write sslcert and sslkey",
}
"""Not supported, and what to write instead."""

_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_SYSTEM: Final = "system"
_OF_THE_SERVER: Final = {"lock_timeout", "tcp_keepalives_count", "tcp_keepalives_idle", "tcp_keepalives_interval"}
"""Settings of the server that are spelt nearly like a parameter."""
_ALL: Final = sorted(IGNORED | UNDERSTOOD | VALUES.keys() | REFUSED.keys() | _OF_THE_SERVER)
_MISSPELT: Final = 0.82
"""How near to a parameter's name another one must be to be taken for a spelling of it."""


class UnsupportedParameter(ValueError):
    """A parameter that would have no effect or another one. The message names it, and repeats none of the values."""

    def __init__(self, name: str, remedy: str) -> None:
        super().__init__(f"the parameter {name} can't be used like this: {remedy}")


def used(parameters: Mapping[str, str]) -> dict[str, str]:
    """The parameters of an address that have an effect.

    Raises:
        UnsupportedParameter: one is not supported, has a value that is not, or is misspelt.
    """
    for name, value in parameters.items():
        if name in REFUSED:
            raise UnsupportedParameter(name, REFUSED[name])
        accepted, remedy = VALUES.get(name, ((value,), ""))
        if value not in accepted:
            raise UnsupportedParameter(name, remedy)
        # The name itself may be part of a password that is not percent-encoded.
        if name not in _ALL and (near := get_close_matches(name.lower(), _ALL, n=1, cutoff=_MISSPELT)):
            raise UnsupportedParameter(near[0], "write its name exactly so")
    _check_certificates(parameters)
    return {name: value for name, value in parameters.items() if name not in IGNORED}


def _check_certificates(parameters: Mapping[str, str]) -> None:
    mode, root = parameters.get("sslmode"), parameters.get("sslrootcert")
    if root == _SYSTEM and mode not in {None, "verify-full"}:
        raise UnsupportedParameter("sslrootcert", f"with the system's certificates, write {_VERIFIED}")
    for name in _FILES:
        if parameters.get(name, _SYSTEM) != _SYSTEM and not Path(parameters[name]).is_file():
            raise UnsupportedParameter(name, "there is no such file here")
    is_found = root or environ.get("PGSSLROOTCERT") or Path("~/.postgresql/root.crt").expanduser().is_file()
    if mode in {"verify-ca", "verify-full"} and not is_found:
        raise UnsupportedParameter(
            "sslmode", "to verify the server, add sslrootcert=system or the file of its authority"
        )
