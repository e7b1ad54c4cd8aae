"""DNS probe: the CAA records that apply to a host (RFC 8659), and whether they are signed.

An empty answer continues the search one label up. A failed query ends it as unknown, because there may be records.
"""

from dataclasses import replace
from typing import cast

import dns.exception
import dns.rdatatype
from dns.name import Name, from_text
from dns.rdata import Rdata
from dns.rdtypes.ANY.CAA import CAA

from exporter.errors import ProbeError
from exporter.facts.certificate import CertificateFacts
from exporter.facts.dns import CaaSet, DnsFacts
from exporter.facts.shapes import dns as shapes
from exporter.model import Reason
from exporter.net.records import LookupFailedError, Records
from exporter.net.resolvconf import read_resolv_conf
from exporter.net.resolve import searched_name
from exporter.pki.caa import CaaRecord
from exporter.probes.base import Probe, Session


async def host_name(session: Session) -> Name:
    """The host as a DNS name: the complete name whose address is scanned, where a search list completes it.

    Raises:
        ProbeError: it cannot be one, or it is not known which one it is.
    """
    target, conf = session.target, read_resolv_conf()
    found: str | None = target.host
    if target.connect_address is None and target.proxy is None:
        found = await searched_name(target.host, target.port, target.ip_protocol, conf)
    elif "." not in target.host and (target.proxy is not None or conf.search):
        found = None  # no look-up here would show its domain
    if found is None:
        raise ProbeError(Reason.DNS_ERROR, f"{target.host}: it is not known which DNS name this is")
    try:
        return from_text(found)
    except dns.exception.DNSException as error:
        raise ProbeError(Reason.DNS_ERROR, f"{found}: {error}") from error


async def look_up(session: Session, name: Name, kind: dns.rdatatype.RdataType) -> Records:
    """The records of this kind at exactly this name; the resolver follows aliases.

    Raises:
        ProbeError: with `dns_error`; it is not known whether there are any.
    """
    try:
        return await session.resolver.ask(name, kind)
    except LookupFailedError as error:
        raise ProbeError(Reason.DNS_ERROR, str(error)) from error


def _record(rdata: Rdata) -> CaaRecord:
    caa = cast("CAA", rdata)
    return CaaRecord(caa.flags, _printable(caa.tag).lower(), _printable(caa.value), caa.value.isascii())


def _printable(text: bytes) -> str:
    return text.decode("ascii", "backslashreplace")


async def _climb(session: Session, name: Name) -> CaaSet:
    """The first record set from here up to the top-level domain, never the root (RFC 8659, 3)."""
    while len(name) > 1:
        found = await look_up(session, name, dns.rdatatype.CAA)
        if found.records:
            return CaaSet(tuple(map(_record, found.records)), name.to_text(omit_final_dot=True))
        name = name.parent()
    return CaaSet((), None)


async def _wildcard(session: Session, name: Name, found: CaaSet) -> CaaSet | None:
    """The record set of a wildcard; see `DnsFacts.wildcard`."""
    certificates, above = session.known.get(CertificateFacts), name.parent()
    if certificates is None or found.domain != name.to_text(omit_final_dot=True) or len(above) <= 1:
        return None
    covering = f"DNS:*.{above.to_text(omit_final_dot=True)}".lower()
    served = {name.lower() for one in certificates.deployments for name in one.subject_alternative_names}
    return await _climb(session, above) if covering in served else None


async def _run(session: Session) -> DnsFacts:
    name = await host_name(session)
    at_host = await look_up(session, name, dns.rdatatype.CAA)
    found = await _climb(session, name)
    asked = name.to_text(omit_final_dot=True)
    facts = DnsFacts(
        found.records, found.domain, dnssec=at_host.secure, name=None if asked == session.target.host else asked
    )
    try:
        return replace(facts, wildcard=await _wildcard(session, name, found))
    except ProbeError as error:
        raise ProbeError(error.reason, error.detail, facts) from error


PROBE = Probe(
    name="dns",
    shape=shapes.CAA,
    mandatory=False,  # the success of a scan does not depend on a third party's resolver
    applies=lambda target: not target.host_is_ip,
    run=_run,
    of_name=True,
)
