"""TLSA probe: the DNS records that bind certificates to a service (RFC 6698), where a policy asks for them."""

from typing import cast

import dns.exception
import dns.rdatatype
from dns.name import Name, from_text
from dns.rdata import Rdata
from dns.rdtypes.ANY.TLSA import TLSA

from exporter.errors import ProbeError
from exporter.facts.dns import TlsaFacts, TlsaRecord
from exporter.facts.shapes import dns as shapes
from exporter.model import DnsQuestion, Reason
from exporter.probes.base import Probe, Session
from exporter.probes.caa import host_name, look_up


def _record(rdata: Rdata) -> TlsaRecord:
    tlsa = cast("TLSA", rdata)
    return TlsaRecord(tlsa.usage, tlsa.selector, tlsa.mtype, tlsa.cert.hex())


async def _bases(session: Session) -> list[Name]:
    """Names that may have the records: the host's canonical name if the alias is signed, else the host (RFC 7671, 7).

    The host is also used where the records at the canonical name are not signed.
    """
    name = await host_name(session)
    at_host = await look_up(session, name, dns.rdatatype.CAA)  # of all queries, the one that is already answered
    return [at_host.name, name] if at_host.secure and at_host.name != name else [name]


async def _run(session: Session) -> TlsaFacts:
    found = TlsaFacts("", (), None)
    for base in await _bases(session):
        name = _service_name(session.target.port, base)
        answer = await look_up(session, name, dns.rdatatype.TLSA)
        records = tuple(sorted(map(_record, answer.records), key=str))
        found = TlsaFacts(name.to_text(omit_final_dot=True), records, answer.secure)
        if records and answer.secure:
            break
    return found


def _service_name(port: int, base: Name) -> Name:
    """The name of the records of this port (RFC 6698, 3). All services here use TCP."""
    try:
        return from_text(f"_{port}._tcp", base)
    except dns.exception.DNSException as error:
        raise ProbeError(Reason.DNS_ERROR, f"_{port}._tcp.{base}: {error}") from error


PROBE = Probe(
    name="tlsa",
    shape=shapes.TLSA,
    mandatory=False,
    applies=lambda target: DnsQuestion.TLSA in target.questions and not target.host_is_ip,
    run=_run,
    of_name=True,
)
