"""Which addresses calls of workflows may connect to: by property, over every way to write an IPv4 address in IPv6."""

import ipaddress
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.settings import InvalidSettings, load
from services.workflow.calls.addresses import InvalidNetwork, embedded, parse_networks, refusal
from services.workflow.config import Settings

PRIVATE = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
    "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32", "192.0.0.0/24",
]  # fmt: skip
v4 = st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address)
private = st.sampled_from(PRIVATE).flatmap(
    lambda text: st.integers(
        int(ipaddress.ip_network(text).network_address), int(ipaddress.ip_network(text).broadcast_address)
    ).map(ipaddress.IPv4Address)
)


def _v6(number: int) -> str:
    return str(ipaddress.IPv6Address(number))


EMBEDDINGS: dict[str, Callable[[int], str]] = {
    "itself": lambda n: str(ipaddress.IPv4Address(n)),
    "mapped": lambda n: _v6(0xFFFF << 32 | n),
    "compatible": lambda n: _v6(n),
    "translated": lambda n: _v6(0xFFFF << 48 | n),
    "nat64": lambda n: _v6(0x64FF9B << 96 | n),
    "local nat64": lambda n: _v6(0x64FF9B0001 << 80 | n),
    "6to4": lambda n: _v6(0x2002 << 112 | n << 80 | 1),
    "teredo server": lambda n: _v6(0x20010000 << 96 | n << 64 | 0xFFFFFFFF ^ 0x08080808),
    "teredo client": lambda n: _v6(0x20010000 << 96 | 0x08080808 << 64 | n ^ 0xFFFFFFFF),
    "isatap": lambda n: _v6(0x2A00 << 112 | 0x5EFE << 32 | n),
    "isatap global": lambda n: _v6(0x2A00 << 112 | 0x02005EFE << 32 | n),
}


@given(address=private, how=st.sampled_from(sorted(EMBEDDINGS)))
def test_no_private_address_is_reached_however_it_is_written(address: ipaddress.IPv4Address, how: str) -> None:
    assert refusal(EMBEDDINGS[how](int(address)), ()) is not None


@given(address=v4)
def test_what_python_holds_for_private_is_refused(address: ipaddress.IPv4Address) -> None:
    if not address.is_global or address.is_multicast:
        assert refusal(str(address), ()) is not None


@given(number=st.integers(0, 2**128 - 1))
def test_what_python_holds_for_special_in_ipv6_is_refused(number: int) -> None:
    address = ipaddress.IPv6Address(number)
    special = not address.is_global or address.is_multicast or address.is_site_local
    if special and not embedded(address):
        assert refusal(str(address), ()) is not None


@given(address=private)
def test_what_the_operator_lists_may_be_reached(address: ipaddress.IPv4Address) -> None:
    allowed = parse_networks(f"{address}/32")
    assert refusal(str(address), allowed) is None
    assert refusal(EMBEDDINGS["mapped"](int(address)), allowed) is None, "a socket for both versions writes it so"
    assert refusal(EMBEDDINGS["nat64"](int(address)), allowed) is None
    other = ipaddress.IPv4Address(int(address) ^ 1)
    assert refusal(str(other), allowed) is not None or refusal(str(other), ()) is None


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.216.34", "2a00:1450:4001::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"],
)
def test_the_internet_may_be_reached(address: str) -> None:
    assert refusal(address, ()) is None


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("169.254.169.254", "link-local"),
        ("fd00:ec2::254", "private"),
        ("fe80::1%eth0", "link-local"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("ff02::1", "multicast"),
        ("fec0::1", "site-local"),
        ("100.100.100.200", "CGNAT"),
        ("2001:db8::1", "documentation"),
        ("2001::1", "unspecified"),
        ("4000::1", "not an address of the Internet"),
    ],
)
def test_the_reason_is_told(address: str, word: str) -> None:
    assert word in str(refusal(address, ()))


def test_networks_are_read_and_what_is_none_is_refused() -> None:
    assert [str(network) for network in parse_networks(" 10.0.0.0/8 , ::1,,127.0.0.1/32")] == [
        "10.0.0.0/8", "::1/128", "127.0.0.1/32",
    ]  # fmt: skip
    assert parse_networks("") == ()
    for wrong in ("10.0.0.1/8", "localhost", "10.0.0.0/33", "10.0.0.0/8;::1"):
        with pytest.raises(InvalidNetwork, match=r"such as 10\.1\.0\.0/16"):
            parse_networks(wrong)


def test_a_setting_that_is_no_network_is_told_at_the_start() -> None:
    assert load(Settings, {"FAAS_ALLOWED_ADDRESSES": "10.0.0.0/8"}).allowed_addresses == "10.0.0.0/8"
    with pytest.raises(InvalidSettings, match=r"FAAS_ALLOWED_ADDRESSES: '10\.0\.0\.1/8' is no network"):
        load(Settings, {"FAAS_ALLOWED_ADDRESSES": "10.0.0.1/8"})
