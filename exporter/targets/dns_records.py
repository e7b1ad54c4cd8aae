"""Labels of targets from DNS records, as `dns_sd_configs` of Prometheus has them. It asks nothing.

Records are other people's text: only what can be a host becomes a target.
"""

import re
from ipaddress import ip_address

from dns.name import Name
from dns.rdata import Rdata
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.NS import NS
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.IN.SRV import SRV

from exporter.errors import TargetError
from exporter.model import is_ip, plain_address
from exporter.quoting import quoted
from exporter.services import BY_PORT, default_name, normal_host
from exporter.targets.groups import ADDRESS

META_NAME = "__meta_dns_name"
_META_SRV_TARGET, _META_SRV_PORT = "__meta_dns_srv_record_target", "__meta_dns_srv_record_port"
_META_MX_TARGET, _META_NS_TARGET = "__meta_dns_mx_record_target", "__meta_dns_ns_record_target"

_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
"""A host that ends in such a label is an IPv4 address for getaddrinfo(3), which also reads `127.0x1`."""


def target_of(record: Rdata, name: str, port: int) -> dict[str, str] | None:
    """The labels of the target that a record names; None if the record says that there is no service.

    Args:
        record: A, AAAA, MX, NS or SRV.
        name: the complete name that was asked for, without a final dot.
        port: of the target, unless the record has one.

    Raises:
        TargetError: the record does not name a host or a port.
    """
    match record:
        case A() | AAAA():
            return _place(_address(record.address), name, port)
        case SRV():
            return _service(record.target, record.port)
        case MX():
            if not record.exchange.labels[0]:
                return None  # RFC 7505: the domain accepts no mail
            return {_META_MX_TARGET: record.exchange.to_text(), **exchange_of(_host(record.exchange), name, port)}
        case NS():
            return {ADDRESS: default_name(_host(record.target), port), _META_NS_TARGET: record.target.to_text()}
    raise TypeError(f"{record.rdtype.name} records name no targets")


def _place(address: str, name: str, port: int) -> dict[str, str]:
    """The labels of one machine of several that may have this name; how mail servers write it in their logs."""
    return {
        ADDRESS: default_name(address, port),
        "__host__": name,
        "__connect_address__": address,
        "__target__": f"{name}[{address}]:{port}",
    }


def exchange_of(host: str, domain: str, port: int) -> dict[str, str]:
    """The labels of a mail server of this domain."""
    labels = {ADDRESS: default_name(host, port), "__mail_domain__": domain}
    # A port that is registered for TLS from the first byte, such as 465, has no dialogue.
    return labels if port in BY_PORT else {**labels, "__starttls__": "smtp"}


def _service(target: Name, port: int) -> dict[str, str] | None:
    if not target.labels[0]:
        return None  # RFC 2782: the service is decidedly not available at this domain
    if not port:
        raise TargetError(f"{quoted(target.to_text())} has port 0")
    return {
        ADDRESS: default_name(_host(target), port),
        _META_SRV_TARGET: target.to_text(),
        _META_SRV_PORT: str(port),
    }


def _host(target: Name) -> str:
    """The name as its zone spells it, without the final dot.

    Raises:
        TargetError: it is not a host name.
    """
    text = target.to_text(omit_final_dot=True)
    # RFC 2782, RFC 5321 (5.1): the target is a domain name. Digits with dots in it are still not an address.
    if is_ip(normal_host(text)) or _NUMBER.fullmatch(text.rpartition(".")[2]):
        raise TargetError(f"{quoted(text)} is an IP address, not a host name")
    return text


def _address(literal: str) -> str:
    """The usual spelling of an address.

    Raises:
        TargetError: no machine has this address. Linux takes the unspecified one for itself.
    """
    address = plain_address(literal)
    if ip_address(address).is_unspecified or ip_address(address).is_multicast:
        raise TargetError(f"{quoted(address)} is not the address of a machine")
    return address
