"""Which addresses a workflow's call may connect to. Pure.

A workflow is written by one tenant and run by the platform, inside its network: what is loopback, private or
link-local there is none of the workflow's business unless the operator lists it. The networks are those of IANA's
special-purpose registries (RFC 6890) and the addresses at which clouds serve credentials.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_V4 = {
    "0.0.0.0/8": "unspecified",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared by a carrier's customers (CGNAT)",
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "a cloud's metadata service",
    "169.254.0.0/16": "link-local, as metadata services are",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "reserved for protocols",
    "192.0.2.0/24": "for documentation",
    "192.88.99.0/24": "a 6to4 relay",
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "for benchmarks",
    "198.51.100.0/24": "for documentation",
    "203.0.113.0/24": "for documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
}
_V6 = {
    "::/128": "unspecified",
    "::1/128": "loopback",
    "64:ff9b:1::/48": "a local translation to IPv4",
    "2001::/23": "reserved for protocols (Teredo, ORCHID)",
    "2001:db8::/32": "for documentation",
    "3fff::/20": "for documentation",
    "fc00::/7": "private",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
}
_REFUSED: list[tuple[Network, str]] = [(ip_network(text), why) for text, why in (_V4 | _V6).items()]
_GLOBAL = (IPv6Network("2000::/3"), IPv6Network("64:ff9b::/96"))
"""All that is unicast in the Internet today; the second is the translation to IPv4 of RFC 6052."""
_LAST_BITS = [
    IPv6Network(text)
    for text in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")  # compatible, mapped, translated (SIIT)
]
_ISATAP = (0x00005EFE, 0x02005EFE)
"""The third word of an ISATAP address, whose last word is an IPv4 address (RFC 5214)."""


class InvalidNetwork(ValueError):
    """A text that is no list of networks."""


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks in CIDR form, separated by commas; an address alone is a network of one. Raises InvalidNetwork."""
    found: list[Network] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(ip_network(part))
        except ValueError as error:
            raise InvalidNetwork(f"{part!r} is no network such as 10.1.0.0/16: {error}") from None
    return tuple(found)


def embedded(address: IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses to which a packet for this address may end up going."""
    number, found = int(address), []
    last = IPv4Address(number & 0xFFFFFFFF)
    if any(address in network for network in _LAST_BITS) and number > 1:
        found.append(last)
    if (number >> 32) & 0xFFFFFFFF in _ISATAP:
        found.append(last)
    if number >> 112 == 0x2002:  # 6to4, RFC 3056
        found.append(IPv4Address((number >> 80) & 0xFFFFFFFF))
    if number >> 96 == 0x20010000:  # Teredo, RFC 4380: its server, and the client with all bits turned
        found += [IPv4Address((number >> 64) & 0xFFFFFFFF), IPv4Address(~number & 0xFFFFFFFF)]
    return found


def refusal(text: str, allowed: tuple[Network, ...]) -> str | None:
    """Why an address (as a socket has it, perhaps with a zone) must not be connected to; None when it may be."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv4Address):
        return _refused(address, allowed)
    if _listed(address, allowed):
        return None
    inside = embedded(address)
    for each in inside:
        why = _refused(each, allowed)
        if why is not None:
            return f"{why} as {each}"
    if inside and address in _LAST_BITS[1]:
        return None  # mapped: the socket's way of writing the IPv4 address itself
    return _refused(address, ())


def _listed(address: Address, allowed: tuple[Network, ...]) -> bool:
    return any(address in network for network in allowed if network.version == address.version)


def _refused(address: Address, allowed: tuple[Network, ...]) -> str | None:
    if _listed(address, allowed):
        return None
    for network, why in _REFUSED:
        if network.version == address.version and address in network:
            return why
    if isinstance(address, IPv6Address) and not any(address in network for network in _GLOBAL):
        return "not an address of the Internet"
    return None
