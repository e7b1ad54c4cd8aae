"""The section `probe:` of the configuration file: what `/probe` may scan in addition to the targets."""

import re
from ipaddress import IPv6Network, ip_network
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from exporter.config.section import Section
from exporter.config.values import Count, Port
from exporter.errors import TargetError
from exporter.model import is_ip
from exporter.nearest import not_one_of
from exporter.quoting import quoted
from exporter.services import STARTTLS, normal_host

_PATTERN = re.compile(r"[a-z0-9_*.-]{1,253}")
_MAPPED = IPv6Network("::ffff:0:0/96")


def _host_pattern(text: str) -> str:
    """A host name in the form for lookups, or such a name with `*`, which is for any characters.

    Raises:
        ValueError: it is neither.
    """
    if "*" not in text:
        try:
            host = normal_host(text)
        except TargetError as error:
            raise ValueError(str(error)) from error
        if is_ip(host):
            raise ValueError(f"{quoted(text)} is an IP address; write it in cidrs")
        return host
    pattern = text.lower().removesuffix(".")
    if not _PATTERN.fullmatch(pattern):
        raise ValueError(f"{quoted(text)} is not a pattern of host names; write *.example.com, with A-labels")
    return pattern


def _cidr(text: str) -> str:
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(
            f"{quoted(text)} is not a network; write 192.0.2.0/24 or 2001:db8::/32, without bits after the prefix"
        ) from None
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        raise ValueError(f"{quoted(text)} is a network of IPv4-mapped addresses; write it as IPv4")
    return str(network)


def _starttls(text: str) -> str:
    if text not in STARTTLS:
        raise ValueError(not_one_of(quoted(text), text, STARTTLS))
    return text


HostPattern = Annotated[str, AfterValidator(_host_pattern)]
Cidr = Annotated[str, AfterValidator(_cidr)]
StarttlsName = Annotated[str, AfterValidator(_starttls)]


class ProbeRule(Section):
    """One entry of `probe.allow`: it permits what meets all its keys.

    Attributes:
        hosts: patterns of host names. Without it, any name and any address.
        cidrs: networks, of which each address of the host must be in one. Without it, any but special addresses.
        ports: without it, the usual port of the service.
        starttls: dialogues before TLS. TLS from the first byte is always permitted.
    """

    hosts: list[HostPattern] = Field(default_factory=list)
    cidrs: list[Cidr] = Field(default_factory=list)
    ports: list[Port] | None = Field(default=None, min_length=1)
    starttls: list[StarttlsName] = Field(default_factory=list)

    @model_validator(mode="after")
    def _limited(self) -> Self:
        if not self.hosts and not self.cidrs:
            raise ValueError("a rule needs hosts or cidrs")
        return self


class ProbeSettings(Section):
    """What `/probe` may scan, and how many scans of it run at once."""

    allow: list[ProbeRule] = Field(default_factory=list)
    max_concurrent_scans: Count = 2
