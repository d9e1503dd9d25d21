from ipaddress import ip_network
from typing import Any

import pytest

from adapters.http.context import Headers, TrustedProxies

PROXIES = TrustedProxies((ip_network("10.0.0.0/8"), ip_network("::1"), ip_network("2001:db8:1::/48")))


def client(proxies: TrustedProxies, peer: str | None, *forwarded: str) -> str | None:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    scope: Any = {"client": None if peer is None else (peer, 1234), "headers": [(b"host", b"x"), *headers]}
    return proxies.client_address(scope, Headers.parse(scope["headers"]))


@pytest.mark.parametrize("peer", ["192.0.2.1", "10.0.0.1", "::1"])
def test_without_trusted_proxies_the_client_is_the_sockets_peer(peer: str) -> None:
    assert client(TrustedProxies(), peer, "203.0.113.9") == peer


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("192.0.2.1", ["203.0.113.9"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.2.3.4, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.2.3.4", "203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.2.3.4", "203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9,10.1.1.1 ,\t10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("::1", ["2001:db8:2::9, 2001:db8:1::5"], "2001:db8:2::9"),
        ("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9, ::ffff:10.0.0.2"], "203.0.113.9"),
    ],
)
def test_the_client_is_the_first_untrusted_address_from_the_right(peer: str, forwarded: list[str], found: str) -> None:
    assert client(PROXIES, peer, *forwarded) == found


@pytest.mark.parametrize(
    "nonsense",
    [
        *(
            "",
            "unknown",
            "_hidden",
            "203.0.113.9,",
            "1.2.3.4.5",
            "٣.1.1.1",
            "x" * 9999,
            '"',
            '""',
            '"203.0.113.9',
            ":80",
        ),
        *("203.0.113.9:", "203.0.113.9:x", "203.0.113.9:65536", "203.0.113.9:-1", "203.0.113.9:80:80", "203.0.113.9:٣"),
        *(
            "[2001:db8::1",
            "2001:db8::1]",
            "[2001:db8::1]443",
            "[2001:db8::1]:",
            "[]:80",
            "[[2001:db8::1]]",
            "[::1]::80",
        ),
        *(
            "[203.0.113.9]:80",
            "203.0.113.9%eth0",
            "203.0.113.9 :80",
            "2001:db8::1%",
            "203.0.113.9/32",
            "for=203.0.113.9",
        ),
    ],
)
def test_what_is_no_address_ends_the_way_at_the_last_proxy_that_is_trusted(nonsense: str) -> None:
    value = nonsense.encode().decode("latin-1")
    assert client(PROXIES, "10.0.0.1", f"203.0.113.9, {value}, 10.0.0.2") == "10.0.0.2"
    assert client(PROXIES, "10.0.0.1", f"203.0.113.9, {value}") == "10.0.0.1"


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ("203.0.113.9:51234", "203.0.113.9"),
        ("203.0.113.9:0", "203.0.113.9"),
        ("[2001:db8:2::9]", "2001:db8:2::9"),
        ("[2001:db8:2::9]:443", "2001:db8:2::9"),
        ("[2001:DB8:2:0::9]:65535", "2001:db8:2::9"),
        ("[::ffff:203.0.113.9]:443", "203.0.113.9"),
        ("[fe80::9%25eth0]:443", "fe80::9"),
        ("fe80::9%eth0", "fe80::9"),
        ("2001:db8:2::9:443", "2001:db8:2::9:443"),
        ('"203.0.113.9"', "203.0.113.9"),
        ('"203.0.113.9:51234"', "203.0.113.9"),
        (' "[2001:db8:2::9]:443"\t', "2001:db8:2::9"),
        ('" 203.0.113.9 "', "203.0.113.9"),
    ],
)
def test_an_entry_may_have_a_port_brackets_and_quotes(entry: str, found: str) -> None:
    assert client(PROXIES, "10.0.0.1", entry) == found
    assert client(PROXIES, "10.0.0.1", f"1.2.3.4, {entry}") == found
    assert client(PROXIES, "10.0.0.1", "1.2.3.4:1", entry) == found, "in lines of their own"
    assert client(PROXIES, "10.0.0.1", entry, '"10.0.0.2:8080", [::1]:80') == found, "the proxies' entries, too"


@pytest.mark.parametrize(
    ("peer", "found"),
    [("::ffff:192.0.2.1", "192.0.2.1"), ("fe80::1%eth0", "fe80::1"), ("2001:DB8::0:1", "2001:db8::1")],
)
def test_an_address_is_written_in_one_way(peer: str, found: str) -> None:
    assert client(PROXIES, peer) == found
    assert client(TrustedProxies(), peer) == found


def test_of_a_chain_without_end_the_right_end_is_read() -> None:
    proxies = ", ".join(["10.0.0.2"] * 50)
    assert client(PROXIES, "10.0.0.1", "1.2.3.4, " * 1000 + "203.0.113.9, " + proxies) == "203.0.113.9"
    assert client(PROXIES, "10.0.0.1", "203.0.113.9, " + ", ".join(["10.0.0.2"] * 3000)) == "10.0.0.2"


def test_a_socket_without_addresses_has_no_client_whatever_it_says() -> None:
    assert client(PROXIES, None, "203.0.113.9") is None
    assert client(PROXIES, "testclient", "203.0.113.9") == "testclient"
    assert client(PROXIES, "", "203.0.113.9") is None
