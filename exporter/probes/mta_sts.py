"""MTA-STS probe: the TXT records by which a mail domain says that its mail servers speak TLS, where a policy asks.

Those are the record of MTA-STS (RFC 8461) and that of TLS reports (RFC 8460). The policy of MTA-STS itself lies on a
web server of the mail domain, which is no target, and is not fetched: whether it is enforced is not known.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import dns.exception
import dns.rdatatype
from dns.name import from_text
from dns.rdata import Rdata
from dns.rdtypes.ANY.TXT import TXT

from exporter.errors import ProbeError
from exporter.model import DnsQuestion, Reason, Sample
from exporter.probes.base import Probe, Session
from exporter.probes.dns import look_up

_STS = re.compile(
    r"v=STSv1[ \t]*;[ \t]*id=[A-Za-z0-9]{1,32}(?:[ \t]*;[ \t]*[A-Za-z0-9][\w.-]{0,31}=[!-:<>-~]+)*[ \t]*;?[ \t]*"
)
"""RFC 8461, 3.1: version and id first, then extensions."""
_URI = r"(?:mailto|https):[^,;!\s]+"
_REPORTS = re.compile(rf"v=TLSRPTv1[ \t]*;[ \t]*rua={_URI}(?:[ \t]*,[ \t]*{_URI})*(?:[ \t]*;.*)?")
"""RFC 8460, 3."""


@dataclass(frozen=True, slots=True)
class MtaStsFacts:
    """The records of a mail domain.

    Attributes:
        mta_sts: the record, where there is one that counts: exactly one, well-formed; None where there is none.
        tls_rpt: likewise.
    """

    domain: str
    mta_sts: str | None
    tls_rpt: str | None


async def _one_that_counts(session: Session, name: str, version: str, grammar: re.Pattern[str]) -> str | None:
    """The record of this version; several are as good as none (RFC 8461, 3.1; RFC 8460, 3)."""
    try:
        owner = from_text(name)
    except dns.exception.DNSException as error:
        raise ProbeError(Reason.DNS_ERROR, f"{name}: {error}") from error
    answer = await look_up(session, owner, dns.rdatatype.TXT)
    found = [text for text in map(_text, answer.records) if text.startswith(version)]
    return found[0] if len(found) == 1 and grammar.fullmatch(found[0]) else None


def _text(rdata: Rdata) -> str:
    """The strings of a TXT record as one."""
    return b"".join(cast("TXT", rdata).strings).decode("ascii", "backslashreplace")


async def _run(session: Session) -> MtaStsFacts:
    domain = str(session.target.mail_domain)
    return MtaStsFacts(
        domain,
        await _one_that_counts(session, f"_mta-sts.{domain}", "v=STSv1", _STS),
        await _one_that_counts(session, f"_smtp._tls.{domain}", "v=TLSRPTv1", _REPORTS),
    )


def _samples(_facts: MtaStsFacts) -> Iterator[Sample]:
    """What the records are worth, the check `mta_sts` says."""
    return iter(())


def _document(facts: MtaStsFacts) -> dict[str, object]:
    return {"mta_sts": {"domain": facts.domain, "mta_sts": facts.mta_sts, "tls_rpt": facts.tls_rpt}}


PROBE = Probe(
    name="mta_sts",
    kind=MtaStsFacts,
    mandatory=False,
    applies=lambda target: DnsQuestion.MTA_STS in target.questions and target.mail_domain is not None,
    run=_run,
    families=(),
    samples=_samples,
    document=_document,
    of_name=True,
)
