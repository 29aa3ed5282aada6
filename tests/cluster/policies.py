"""NetworkPolicies as nftables rules of one node: a pure function of the objects in the API server.

What they mean is written at https://kubernetes.io/docs/concepts/services-networking/network-policies/ and in the
comments of k8s.io/api/networking/v1. As in most networks of production, addresses and ports are compared after a
Service was translated, what is not allowed is dropped without an answer, and a Pod's way to its own node is checked
like any other. What the node itself sends to its Pods always passes, as probes must. IPv4 alone, as these clusters are.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Object = dict[str, Any]
Direction = Literal["ingress", "egress"]
TABLE = "ip network-policies"
ENDED = ("Succeeded", "Failed")
MATCHED = {"ingress": "saddr", "egress": "daddr"}  # which address of a packet is the other side's
PEERS = {"ingress": "from", "egress": "to"}


@dataclass(frozen=True)
class Endpoint:
    """A Pod with an address of its own; `ports` are the named ones of its containers, by protocol and name."""

    namespace: str
    address: str
    labels: dict[str, str]
    ports: dict[tuple[str, str], int]


@dataclass(frozen=True)
class Cluster:
    """What policies speak of: Pods, and the labels of namespaces by name."""

    endpoints: Sequence[Endpoint]
    namespaces: dict[str, dict[str, str]]

    def selected(self, peer: Object, home: str) -> list[Endpoint]:
        """The Pods of a peer in a policy of the namespace `home`; none for a block of addresses."""
        if "ipBlock" in peer:
            return []
        spaces = peer.get("namespaceSelector")
        return [
            each
            for each in self.endpoints
            if (each.namespace == home if spaces is None else selects(spaces, self.namespaces.get(each.namespace, {})))
            and selects(peer.get("podSelector") or {}, each.labels)
        ]


def ruleset(pods: Iterable[Object], namespaces: Iterable[Object], policies: Sequence[Object]) -> str:
    """Returns what `nft -f` takes to enforce the policies in place of the ones before, in one step."""
    labels = {each["metadata"]["name"]: each["metadata"].get("labels") or {} for each in namespaces}
    cluster = Cluster(sorted(endpoints(pods), key=lambda each: each.address), labels)
    sections = [f"table {TABLE} {{}}", f"delete table {TABLE}", f"table {TABLE} {{"]
    sections += chains("entering", "daddr", isolated(cluster, policies, "ingress"))
    sections += chains("leaving", "saddr", isolated(cluster, policies, "egress"))
    known = "ct state established,related accept"
    sections.append(chain("forward", ["type filter hook forward priority 0", known, "jump leaving", "jump entering"]))
    sections.append(chain("input", ["type filter hook input priority 0", known, "jump leaving"]))
    return "\n".join([*sections, "}"]) + "\n"


def chains(name: str, own: str, isolated_pods: Iterable[tuple[str, list[str]]]) -> Iterator[str]:
    """Yields a chain for each isolated Pod, then the one that leads to them by the packet's address of its `own`."""
    jumps = []
    for address, rules in isolated_pods:
        jumps.append(f"{address} : jump {name}-{address}")
        yield chain(f"{name}-{address}", rules)
    yield chain(name, [f"ip {own} vmap {{ {', '.join(jumps)} }}"] if jumps else [])


def chain(name: str, rules: Iterable[str]) -> str:
    return f"  chain {name} {{\n" + "".join(f"    {rule};\n" for rule in rules) + "  }"


def endpoints(pods: Iterable[Object]) -> Iterator[Endpoint]:
    for pod in pods:
        meta, spec, status = pod["metadata"], pod["spec"], pod.get("status", {})
        if spec.get("hostNetwork") or not status.get("podIP") or status.get("phase") in ENDED:
            continue  # an ended Pod's address may be another's by now
        ports = {
            (port.get("protocol", "TCP"), port["name"]): port["containerPort"]
            for container in spec["containers"]
            for port in container.get("ports", ())
            if "name" in port
        }
        yield Endpoint(meta["namespace"], status["podIP"], meta.get("labels") or {}, ports)


def isolated(cluster: Cluster, policies: Sequence[Object], direction: Direction) -> Iterator[tuple[str, list[str]]]:
    """Yields the address of each Pod that some policy isolates in this direction, with all that is let through."""
    for subject in cluster.endpoints:
        applied = [each for each in policies if applies(each, subject, direction)]
        if not applied:
            continue
        rules = [f"ip {MATCHED[direction]} {subject.address} return"]  # nothing cuts a Pod off from itself
        for policy in applied:
            for rule in policy["spec"].get(direction) or ():
                found = openings(cluster, rule, direction, subject, policy["metadata"]["namespace"])
                rules += [f"{match} return".strip() for match in found]
        yield subject.address, [*rules, "drop"]


def applies(policy: Object, subject: Endpoint, direction: Direction) -> bool:
    here = policy["metadata"]["namespace"] == subject.namespace
    turned = direction.capitalize() in policy["spec"]["policyTypes"]  # the API server writes the default
    return here and turned and selects(policy["spec"].get("podSelector") or {}, subject.labels)


def openings(cluster: Cluster, rule: Object, direction: Direction, subject: Endpoint, home: str) -> Iterator[str]:
    """Yields the matches of what one rule lets through, "" for everything."""
    peers = rule.get(PEERS[direction]) or []
    addresses = [""] if not peers else list(address_matches(cluster, peers, MATCHED[direction], home))
    for port in rule.get("ports") or [{}]:
        name, protocol = port.get("port"), port.get("protocol", "TCP")
        if not isinstance(name, str):
            yield from (f"{address} {port_match(port)}".strip() for address in addresses)
        elif direction == "ingress":
            if number := subject.ports.get((protocol, name)):
                yield from (f"{address} {protocol.lower()} dport {number}".strip() for address in addresses)
        else:  # a name means what the Pod at the other end means by it
            others = [each for peer in peers or [{"namespaceSelector": {}}] for each in cluster.selected(peer, home)]
            for each in others:
                if number := each.ports.get((protocol, name)):
                    yield f"ip daddr {each.address} {protocol.lower()} dport {number}"


def address_matches(cluster: Cluster, peers: Sequence[Object], side: str, home: str) -> Iterator[str]:
    selected = sorted({each.address for peer in peers for each in cluster.selected(peer, home)})
    if selected:
        yield f"ip {side} {{ {', '.join(selected)} }}"
    for block in (peer["ipBlock"] for peer in peers if "ipBlock" in peer):
        if ":" not in block["cidr"]:
            without = ipaddress.collapse_addresses(ipaddress.IPv4Network(each) for each in block.get("except") or ())
            excepted = ", ".join(str(each) for each in without)
            inside = "" if block["cidr"].endswith("/0") else f"ip {side} {block['cidr']}"
            yield f"{inside} ip {side} != {{ {excepted} }}".strip() if excepted else inside


def port_match(port: Object) -> str:
    if not port:
        return ""
    protocol = port.get("protocol", "TCP").lower()
    if "port" not in port:
        return f"meta l4proto {protocol}"
    last = f"-{port['endPort']}" if "endPort" in port else ""
    return f"{protocol} dport {port['port']}{last}"


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a label selector of meta/v1 matches; an empty one matches everything."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(meets(each, labels) for each in selector.get("matchExpressions") or ())


def meets(expression: Object, labels: dict[str, str]) -> bool:
    present, value = expression["key"] in labels, labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return present and value in expression["values"]
        case "NotIn":
            return not (present and value in expression["values"])
        case "Exists":
            return present
        case _:  # DoesNotExist, the last that the API server accepts
            return not present
