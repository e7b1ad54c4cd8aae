"""MTA-STS probe: the TXT records by which a mail domain announces TLS of its mail servers, where a policy asks.

These are the record of MTA-STS (RFC 8461) and the record of TLS reports (RFC 8460). The policy of MTA-STS itself is on
a web server of the mail domain: the probe `mta_sts_policy` fetches it.
"""

import re
from collections.abc import Callable
from typing import cast

import dns.exception
import dns.rdatatype
from dns.name import from_text
from dns.rdata import Rdata
from dns.rdtypes.ANY.TXT import TXT

from exporter.errors import ProbeError
from exporter.facts.dns import MtaStsFacts
from exporter.facts.shapes.dns import MTA_STS
from exporter.model import DnsQuestion, Reason
from exporter.probes.base import Probe, Session
from exporter.probes.caa import look_up

_BLANKS = " \t"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_VALUE = re.compile(r"[!-:<>-~]+")
_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_URI = re.compile(r'([A-Za-z][A-Za-z0-9+.-]*):["-~]+')

Fields = tuple[tuple[str, str], ...]
"""Names and values of a record after its version; both kinds of record have the same form."""


def _fields(text: str) -> Fields | None:
    """The fields, in any order, maybe with a delimiter at the end; None where the form is wrong or there are none."""
    _, *parts = text.split(";")
    if parts and not parts[-1].strip(_BLANKS):
        parts.pop()
    elif text[-1] in _BLANKS:
        return None
    halves = [part.strip(_BLANKS).partition("=") for part in parts]
    fits = all(_NAME.fullmatch(name) and value == value.strip(_BLANKS) != "" for name, _, value in halves)
    return tuple((name, value) for name, _, value in halves) if fits and halves else None


def _announces(fields: Fields) -> bool:
    """Whether it is a record of MTA-STS: one id, and extensions (RFC 8461, 3.1)."""
    ids = [value for name, value in fields if name == "id"]
    return len(ids) == 1 and _ID.fullmatch(ids[0]) is not None and _rest_fits(fields, "id")


def _is_reported_to(fields: Fields) -> bool:
    """Whether it is a record of TLS reports: addresses, one with a usable scheme, and extensions (RFC 8460, 3)."""
    uris = [uri.strip(_BLANKS) for name, value in fields if name == "rua" for uri in value.split(",")]
    matches = [_URI.fullmatch(uri) for uri in uris]
    schemes = {match[1].lower() for match in matches if match is not None}
    return None not in matches and bool(schemes & {"mailto", "https"}) and _rest_fits(fields, "rua")


def _rest_fits(fields: Fields, known: str) -> bool:
    return all(_VALUE.fullmatch(value) for name, value in fields if name != known)


async def _one_that_counts(
    session: Session, name: str, version: str, is_of_use: Callable[[Fields], bool]
) -> str | None:
    """The record of this version; several count as none (RFC 8461, 3.1; RFC 8460, 3).

    Records that do not begin with the version and a semicolon are ignored.
    """
    try:
        owner = from_text(name)
    except dns.exception.DNSException as error:
        raise ProbeError(Reason.DNS_ERROR, f"{name}: {error}") from error
    answer = await look_up(session, owner, dns.rdatatype.TXT)
    found = [text for text in map(_text, answer.records) if text.startswith(f"{version};")]
    fields = _fields(found[0]) if len(found) == 1 else None
    return found[0] if fields and is_of_use(fields) else None


def _text(rdata: Rdata) -> str:
    """The strings of a TXT record joined; a byte outside ASCII becomes a character that no grammar allows."""
    return b"".join(cast("TXT", rdata).strings).decode("ascii", "replace")


async def _run(session: Session) -> MtaStsFacts:
    domain = str(session.target.mail_domain)
    return MtaStsFacts(
        domain,
        await _one_that_counts(session, f"_mta-sts.{domain}", "v=STSv1", _announces),
        await _one_that_counts(session, f"_smtp._tls.{domain}", "v=TLSRPTv1", _is_reported_to),
    )


PROBE = Probe(
    name="mta_sts",
    shape=MTA_STS,
    mandatory=False,
    applies=lambda target: DnsQuestion.MTA_STS in target.questions and target.mail_domain is not None,
    run=_run,
    of_name=True,
)
