"""What checks of keys and signatures share: a remark about each certificate that clients use."""

from collections.abc import Callable, Iterator
from enum import Enum, auto

from exporter.facts.certificate import CertificateFacts, ServedCertificate
from exporter.judging.check import Outcome, failed, passed, unknown
from exporter.judging.items import Entry, sources


class Meaning(Enum):
    """What a remark about a certificate means."""

    WRONG = auto()
    DARK = auto()


Word = tuple[Meaning, str, tuple[Entry, ...]]
"""The meaning, the remark, and the entries of the policy that cause it."""


def judge_linked(
    facts: CertificateFacts,
    look: Callable[[ServedCertificate], Iterator[Word]],
    shown: Callable[[ServedCertificate], str],
    *,
    leaf_only: bool = False,
) -> Outcome:
    """The outcome: any weak certificate fails at once; a pass needs all certificates to be known."""
    found: dict[Meaning, dict[str, tuple[str, ...]]] = {kind: {} for kind in Meaning}
    broken: list[Entry] = []
    for deployment in facts.deployments:
        for certificate in (deployment.leaf,) if leaf_only else deployment.linked:
            whose = "" if certificate is deployment.leaf else f" of the issuer {certificate.fingerprint_sha256[:8]}"
            for kind, text, entries in look(certificate):
                before = found[kind].get(deployment.title, ())
                found[kind][deployment.title] = tuple(dict.fromkeys((*before, f"{text}{whose}")))
                broken.extend(entries)
    if found[Meaning.WRONG]:
        return failed(_summary(found[Meaning.WRONG]), found[Meaning.WRONG], sources(broken))
    if found[Meaning.DARK]:
        return unknown(_summary(found[Meaning.DARK]), found[Meaning.DARK])
    leaves = dict.fromkeys(shown(deployment.leaf) for deployment in facts.deployments)
    if not facts.deployments_complete:
        return unknown(f"{' and '.join(leaves)}, but there may be other certificates")
    return passed(" and ".join(leaves))


def _summary(evidence: dict[str, tuple[str, ...]]) -> str:
    return "; ".join(dict.fromkeys(text for texts in evidence.values() for text in texts))
