from ipaddress import IPv4Address, IPv6Address, ip_network
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import AccessDenied, InvalidField
from domain.identity import Principal, SessionId, UserId, address_identity, parse_address, wider_networks

IDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=255)


@given(IDS)
def test_a_principal_may_access_their_own_list(user: str) -> None:
    Principal(UserId(user)).ensure_owns(UserId(user))


@given(IDS, IDS)
def test_a_principal_may_access_no_other_list(user: str, other: str) -> None:
    if user != other:
        with pytest.raises(AccessDenied):
            Principal(UserId(user)).ensure_owns(UserId(other))


@pytest.mark.parametrize("other", ["Alice", "alice ", "alic", "alicee", "\u0430lice", ""])
def test_ids_are_compared_exactly(other: str) -> None:
    with pytest.raises(AccessDenied):
        Principal(UserId("alice")).ensure_owns(UserId(other))


@pytest.mark.parametrize(
    ("user", "rule"),
    [(user, "must have 1 to 255 characters") for user in ("", "x" * 256)]
    + [(user, "must not contain control characters") for user in ("a\0", "a\n", "a\x7f", "a\x85", "a\ud800")],
)
def test_an_invalid_identifier_is_refused(user: str, rule: str) -> None:
    with pytest.raises(InvalidField) as refused:
        Principal(UserId(user))
    assert (refused.value.field, refused.value.rule) == ("user_id", rule)


@pytest.mark.parametrize("user", ["x", "x" * 255, "a b", "auth0|42", "ünï@example.org", "a/b"])
def test_an_identifier_may_contain_any_printable_character(user: str) -> None:
    assert Principal(UserId(user)).user_id == user


def test_tokens_of_one_user_make_equal_principals() -> None:
    one, other = (Principal(UserId("alice"), SessionId(session), 1.0) for session in ("s-1", "s-2"))
    assert one == other == Principal(UserId("alice"))
    assert len({one, other}) == 1


@pytest.mark.parametrize(
    ("peer", "identity"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:DB8:0:0:ffff:ffff:ffff:ffff", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("fe80::2%eth1", "fe80::/64"),
        ("testclient", "testclient"),
        ("", "none"),
        (None, "none"),
    ],
)
def test_a_client_counts_as_its_ipv4_address_or_its_64(peer: str | None, identity: str) -> None:
    assert address_identity(peer) == identity


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_all_addresses_of_a_64_are_one_identity_and_those_of_another_are_not(address: IPv6Address, suffix: int) -> None:
    mapped = address.ipv4_mapped is not None
    sibling = IPv6Address((int(address) >> 64 << 64) | suffix)
    if not mapped and sibling.ipv4_mapped is None:
        assert address_identity(str(sibling)) == address_identity(f"{address}%any")
    other = IPv6Address(int(address) ^ (1 << 64))
    assert address_identity(str(other)) != address_identity(str(address))


@given(st.ip_addresses())
def test_each_network_holds_the_one_before(address: IPv4Address | IPv6Address) -> None:
    canonical = parse_address(str(address))
    found = address_identity(str(address)), *wider_networks(str(address))
    networks = [ip_network(network) for network in found]
    assert canonical in networks[0]
    assert all(narrow.subnet_of(wide) for narrow, wide in pairwise(networks))  # type: ignore[arg-type]  # of one version
