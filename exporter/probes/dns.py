"""DNS probe: the CAA records that bind a certification authority for a host (RFC 8659).

An empty answer sends the search one label up; anything that is not an answer ends it as unknown, since the records
could have been there.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.rdatatype
import dns.resolver
from dns.name import Name, from_text

from exporter.errors import ProbeError
from exporter.model import Family, Reason, Sample
from exporter.probes.base import Probe, Session


@dataclass(frozen=True, slots=True)
class CaaRecord:
    """One record of the relevant set; bytes outside ASCII are shown as escapes."""

    flags: int
    tag: str
    value: str


@dataclass(frozen=True, slots=True)
class DnsFacts:
    """The relevant CAA record set.

    Attributes:
        caa: its records; empty when there is none up to the top-level domain.
        caa_domain: where it was found.
    """

    caa: tuple[CaaRecord, ...]
    caa_domain: str | None


def _climb(host: str) -> Iterator[Name]:
    """The host and its parents down to the top-level domain, never the root (RFC 8659, 3)."""
    name = from_text(host)
    while len(name) > 1:
        yield name
        name = name.parent()


async def _records(session: Session, name: Name) -> tuple[CaaRecord, ...]:
    """The CAA records at exactly this name, aliases followed by the resolver; empty when there are none."""
    try:
        answer = await session.resolver.resolve(
            name, dns.rdatatype.CAA, raise_on_no_answer=False, search=False, lifetime=session.resolver.lifetime
        )
    except dns.resolver.NXDOMAIN:
        return ()
    except (dns.exception.DNSException, OSError) as error:
        raise ProbeError(Reason.DNS_ERROR, f"CAA of {name.to_text(omit_final_dot=True)}: {error}") from error
    if answer.rrset is None and not _says_none(answer.response):
        raise ProbeError(Reason.DNS_ERROR, f"CAA of {name.to_text(omit_final_dot=True)}: the answer is no answer")
    return tuple(CaaRecord(r.flags, _printable(r.tag).lower(), _printable(r.value)) for r in (answer.rrset or ()))


def _says_none(response: dns.message.Message) -> bool:
    """Whether an empty answer says that there are no records (RFC 2308, 2.2), and is not a referral elsewhere.

    A resolver says so by having recursed, a name server of the zone by the zone's SOA.
    """
    authority = {rrset.rdtype for rrset in response.authority}
    if dns.rdatatype.SOA in authority:
        return True
    return bool(response.flags & dns.flags.RA) and dns.rdatatype.NS not in authority


def _printable(text: bytes) -> str:
    return text.decode("ascii", "backslashreplace")


async def _run(session: Session) -> DnsFacts:
    try:
        names = list(_climb(session.target.host))
    except dns.exception.DNSException as error:
        raise ProbeError(Reason.DNS_ERROR, f"{session.target.host}: {error}") from error
    for name in names:
        records = await _records(session, name)
        if records:
            return DnsFacts(records, name.to_text(omit_final_dot=True))
    return DnsFacts((), None)


KNOWN_TAGS = ("issue", "issuewild", "issuemail", "issuevmc", "iodef", "contactemail", "contactphone")
"""The registered tags in use (RFC 8659, RFC 9495, CA/Browser Forum); others are counted together, as label values are
bounded."""

PRESENT = Family("tls_posture_caa_present", "Whether CAA records apply to the host (as of the last scan)")
RECORDS = Family("tls_posture_caa_records", "Number of records in the relevant CAA set by tag (as of the last scan)")


def _samples(facts: DnsFacts) -> Iterator[Sample]:
    yield Sample(PRESENT, bool(facts.caa))
    counts = Counter(record.tag if record.tag in KNOWN_TAGS else "other" for record in facts.caa)
    for tag, count in sorted(counts.items()):
        yield Sample(RECORDS, count, {"tag": tag})


def _document(facts: DnsFacts) -> dict[str, object]:
    records = [{"flags": r.flags, "tag": r.tag, "value": r.value} for r in facts.caa]
    return {"dns": {"caa": records, "caa_domain": facts.caa_domain}}


PROBE = Probe(
    name="dns",
    kind=DnsFacts,
    mandatory=False,  # whether the server was reached does not hang on somebody's resolver
    applies=lambda target: not target.host_is_ip,
    run=_run,
    families=(PRESENT, RECORDS),
    samples=_samples,
    document=_document,
    of_name=True,
)
