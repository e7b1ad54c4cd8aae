"""What `probe.allow` permits: first by name, port and dialogue, then by the addresses of the name. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network

from exporter.config.probe import ProbeRule
from exporter.model import Target
from exporter.probing.addresses import (
    LOOPBACK,
    Address,
    Network,
    forms,
    is_inside,
    is_local_name,
    special_networks,
)
from exporter.services import SERVICES
from exporter.targets import HTTP_PORT


@dataclass(frozen=True, slots=True)
class _Rule:
    """One entry, ready for use; see `ProbeRule`."""

    hosts: tuple[re.Pattern[str], ...]
    cidrs: tuple[Network, ...]
    ports: frozenset[int] | None
    starttls: frozenset[str | None]

    def names(self, target: Target) -> bool:
        """Whether a pattern fits the host. None fits an IP address."""
        return not target.host_is_ip and any(pattern.fullmatch(target.host) for pattern in self.hosts)

    def takes_service(self, target: Target) -> bool:
        """Whether host, port and dialogue are permitted; the addresses are not known yet."""
        host = self.names(target) or not self.hosts
        return host and self.takes_port(target.port, target) and target.starttls in self.starttls

    def takes_port(self, port: int | None, target: Target) -> bool:
        """Whether this port may be asked. Port 80 belongs to 443, for the redirect, if no port is named."""
        if self.ports is not None:
            return port in self.ports
        usual = SERVICES[target.protocol].port
        return port == usual or (port == HTTP_PORT and target.port == usual == 443)

    def takes_addresses(self, host: str, addresses: Sequence[str]) -> bool:
        """Whether each address is permitted, in each of its forms."""
        local = is_local_name(host)
        return all(self._takes(form, local=local) for literal in addresses for form in forms(literal))

    def _takes(self, address: Address, *, local: bool) -> bool:
        """A special address, and any of a local name, needs a network of the rule inside of the special one."""
        naming = [cidr for cidr in self.cidrs if address in cidr]
        special = special_networks(address)
        if local and not any(network in LOOPBACK for network in special):
            return False
        if special:
            return any(is_inside(cidr, special) for cidr in naming)
        return bool(naming) or not self.cidrs


class Allow:
    """The rules of one configuration."""

    def __init__(self, rules: Sequence[ProbeRule]) -> None:
        self._rules = tuple(map(_ready, rules))

    def may_permit(self, target: Target) -> bool:
        """Whether a rule permits the target if its addresses are right. Otherwise its name is not looked up."""
        return any(rule.takes_service(target) for rule in self._rules)

    def names(self, target: Target) -> bool:
        """Whether a rule that may permit the target names its host: then it is no secret whether the name exists."""
        return any(rule.takes_service(target) and rule.names(target) for rule in self._rules)

    def permitted(self, target: Target, addresses: Sequence[str]) -> Target | None:
        """The target as it may be scanned at these addresses, with or without its port 80; None if it may not."""
        rules = [
            rule
            for rule in self._rules
            if rule.takes_service(target) and addresses and rule.takes_addresses(target.host, addresses)
        ]
        if not rules:
            return None
        if any(rule.takes_port(target.http.port, target) for rule in rules):
            return target
        return replace(target, http=replace(target.http, port=None))


def _compiled(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression. It does not backtrack, or a name with many hyphens would take seconds."""
    first, *others = map(re.escape, pattern.split("*"))
    middle = "".join(f"(?>.*?{part})" for part in others[:-1])
    return re.compile(first + middle + "".join(f".*{part}" for part in others[-1:]), re.DOTALL)


def _ready(rule: ProbeRule) -> _Rule:
    return _Rule(
        tuple(map(_compiled, rule.hosts)),
        tuple(ip_network(cidr) for cidr in rule.cidrs),
        None if rule.ports is None else frozenset(rule.ports),
        frozenset[str | None]({None, *rule.starttls}),
    )
