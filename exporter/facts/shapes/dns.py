"""How facts of the DNS are shown: metric families, samples, JSON."""

from collections import Counter
from collections.abc import Iterator

from exporter.facts.dns import DnsFacts, MtaStsFacts, StsPolicyFacts, TlsaFacts
from exporter.facts.shape import Shape
from exporter.model import Family, Sample
from exporter.pki.caa import KNOWN_TAGS

PRESENT = Family("tls_posture_caa_present", "Whether CAA records apply to the host (as of the last scan)")


RECORDS = Family("tls_posture_caa_records", "Number of records in the relevant CAA set by tag (as of the last scan)")


def _caa_samples(facts: DnsFacts) -> Iterator[Sample]:
    """Tags that are not known are counted together, so that the values of the label are bounded."""
    yield Sample(PRESENT, bool(facts.caa))
    counts = Counter(record.tag if record.tag in KNOWN_TAGS else "other" for record in facts.caa)
    for tag, count in sorted(counts.items()):
        yield Sample(RECORDS, count, {"tag": tag})


def _caa_document(facts: DnsFacts) -> dict[str, object]:
    records = [{"flags": r.flags, "tag": r.tag, "value": r.value} for r in facts.caa]
    return {"dns": {"caa": records, "caa_domain": facts.caa_domain, "dnssec": facts.secure}}


def _tlsa_document(facts: TlsaFacts) -> dict[str, object]:
    return {"tlsa": {"name": facts.name, "records": list(map(str, facts.records)), "dnssec": facts.secure}}


def _mta_sts_document(facts: MtaStsFacts) -> dict[str, object]:
    return {"mta_sts": {"domain": facts.domain, "mta_sts": facts.mta_sts, "tls_rpt": facts.tls_rpt}}


def _policy_document(facts: StsPolicyFacts) -> dict[str, object]:
    found = facts.policy
    shown = {"mode": found.mode, "max_age_seconds": found.max_age_seconds, "mx": list(found.mx)} if found else None
    told = {"domain": facts.domain, "policy": shown, "why": facts.why, "plain_text": facts.plain_text}
    return {"mta_sts_policy": told}


CAA = Shape(DnsFacts, _caa_document, (PRESENT, RECORDS), samples=_caa_samples)
# What the records below are worth is said by the checks `dane`, `mta_sts` and `mta_sts_policy`.
TLSA = Shape(TlsaFacts, _tlsa_document)
MTA_STS = Shape(MtaStsFacts, _mta_sts_document)
MTA_STS_POLICY = Shape(StsPolicyFacts, _policy_document)
