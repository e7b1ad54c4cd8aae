"""How DNS facts are shown: metric families, samples, JSON."""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated

from typing_extensions import TypedDict

from exporter.facts.dns import DnsFacts, MtaStsFacts, StsPolicyFacts, TlsaFacts
from exporter.facts.form import Key
from exporter.facts.shape import Shape
from exporter.model import Family, Label, Sample, Unit
from exporter.pki.caa import KNOWN_TAGS

OTHER_TAGS = "other"
"""Label value of all other tags."""
NO_CAA = "when a lookup failed, and for a host that is an IP address"

PRESENT = Family(
    "tls_posture_caa_present",
    "Whether CAA records apply to the host (as of the last scan)",
    Unit.FLAG,
    NO_CAA,
)

RECORDS = Family(
    "tls_posture_caa_records",
    "Number of records in the relevant CAA set by tag (as of the last scan)",
    Unit.COUNT,
    "for a tag without records, when a lookup failed, and for a host that is an IP address",
    labels=(Label("tag", "tag of the records", (*sorted(KNOWN_TAGS), OTHER_TAGS)),),
)


def _caa_samples(facts: DnsFacts) -> Iterator[Sample]:
    """Samples by tag. Unknown tags are counted together, so that the label has a bounded number of values."""
    yield Sample(PRESENT, bool(facts.caa))
    counts = Counter(record.tag if record.tag in KNOWN_TAGS else OTHER_TAGS for record in facts.caa)
    for tag, count in sorted(counts.items()):
        yield Sample(RECORDS, count, {"tag": tag})


class CaaRecordForm(TypedDict):
    """One CAA record."""

    flags: Annotated[int, Key("128 where a CA that does not know the tag must not issue (RFC 8659, 4.1)")]
    tag: Annotated[str, Key("`issue`, `issuewild`, ...")]
    value: Annotated[str, Key("as in the record")]


class CaaForm(TypedDict):
    """The CAA records that apply to the host (RFC 8659)."""

    caa: Annotated[list[CaaRecordForm], Key("the relevant record set; empty where there is none")]
    caa_domain: Annotated[str | None, Key("where that set was found; null where there is none")]
    dnssec: Annotated[
        bool | None,
        Key("the resolver validated the answer about the host by DNSSEC; null where its word is not enough"),
    ]


class CaaKeys(TypedDict):
    """What is known from CAA records."""

    dns: Annotated[CaaForm, Key("CAA records of the host's name", compared=False)]


def _caa_document(facts: DnsFacts) -> CaaKeys:
    records: list[CaaRecordForm] = [{"flags": r.flags, "tag": r.tag, "value": r.value} for r in facts.caa]
    return {"dns": {"caa": records, "caa_domain": facts.caa_domain, "dnssec": facts.dnssec}}


class TlsaForm(TypedDict):
    """The TLSA records of the service (RFC 6698)."""

    name: Annotated[str, Key("where they were found, or last looked for")]
    records: Annotated[
        list[str],
        Key("usage, selector, matching type and data of each, as in a zone file; empty where there are none"),
    ]
    dnssec: Annotated[
        bool | None, Key("the resolver validated this answer by DNSSEC; null where its word is not enough")
    ]


class TlsaKeys(TypedDict):
    """What is known from TLSA records."""

    tlsa: Annotated[TlsaForm, Key("null as well where the policy does not ask for it", compared=False)]


def _tlsa_document(facts: TlsaFacts) -> TlsaKeys:
    return {"tlsa": {"name": facts.name, "records": list(map(str, facts.records)), "dnssec": facts.dnssec}}


class MtaStsForm(TypedDict):
    """TXT records of the mail domain (RFC 8461, 3.1; RFC 8460, 3)."""

    domain: Annotated[str, Key("the mail domain")]
    mta_sts: Annotated[str | None, Key("the MTA-STS record; null where none counts")]
    tls_rpt: Annotated[str | None, Key("the record for TLS reports; null where none counts")]


class MtaStsKeys(TypedDict):
    """What is known from the TXT records of a mail domain."""

    mta_sts: Annotated[MtaStsForm, Key("records of the mail domain; null as well where nobody asks", compared=False)]


def _mta_sts_document(facts: MtaStsFacts) -> MtaStsKeys:
    return {"mta_sts": {"domain": facts.domain, "mta_sts": facts.mta_sts, "tls_rpt": facts.tls_rpt}}


class PolicyForm(TypedDict):
    """An MTA-STS policy (RFC 8461, 3.2)."""

    mode: Annotated[str, Key("`enforce`, `testing` or `none`")]
    max_age_seconds: Annotated[int, Key("how long senders may keep it")]
    mx: Annotated[list[str], Key("patterns of the hosts that may take the mail")]


class PolicyFileForm(TypedDict):
    """The MTA-STS policy on the web server of a mail domain."""

    domain: Annotated[str, Key("the mail domain")]
    policy: Annotated[PolicyForm | None, Key("null where none counts")]
    why: Annotated[str, Key("why none counts; empty with a policy")]
    plain_text: Annotated[bool, Key("it comes as text/plain, which some senders insist on")]


class PolicyKeys(TypedDict):
    """What is known from the policy file of a mail domain."""

    mta_sts_policy: Annotated[
        PolicyFileForm,
        Key("policy file of the mail domain, as its web server has it; null as well where nobody asks", compared=False),
    ]


def _policy_document(facts: StsPolicyFacts) -> PolicyKeys:
    found = facts.policy
    shown: PolicyForm | None = None
    if found is not None:
        shown = {"mode": found.mode, "max_age_seconds": found.max_age_seconds, "mx": list(found.mx)}
    return {
        "mta_sts_policy": {
            "domain": facts.domain,
            "policy": shown,
            "why": facts.why,
            "plain_text": facts.plain_text,
        }
    }


CAA = Shape(DnsFacts, CaaKeys, _caa_document, (PRESENT, RECORDS), samples=_caa_samples, title="CAA records")
# The checks `dane`, `mta_sts` and `mta_sts_policy` judge the records below.
TLSA = Shape(TlsaFacts, TlsaKeys, _tlsa_document)
MTA_STS = Shape(MtaStsFacts, MtaStsKeys, _mta_sts_document)
MTA_STS_POLICY = Shape(StsPolicyFacts, PolicyKeys, _policy_document)
