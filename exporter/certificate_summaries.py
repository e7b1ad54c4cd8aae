"""A certificate in short, as lists show it. Thousands of targets can present the same one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from exporter.facts.certificate import CertificateFacts, ServedCertificate
from exporter.model import Facts

MOST_NAMES = 10
_MOST_CHARACTERS = 300
"""Of one text. A server can send names of any length, and all of this is kept in memory."""


@dataclass(frozen=True, slots=True)
class CertificateSummary:
    """A server's own certificate.

    Attributes:
        fingerprint: SHA-256, hexadecimal.
        key: kind and size or curve: `RSA 2048`, `EC P-256`, `Ed25519`.
        signature: the algorithm by which the issuer signed it.
        names: the first `MOST_NAMES` of its names, without their kind.
        name_count: the number of all of them.
    """

    fingerprint: str
    subject: str
    issuer: str
    key: str
    signature: str
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]
    name_count: int

    def share_passed(self, now: datetime) -> float:
        """The share of its lifetime that has passed, from 0 to 1."""
        lifetime = self.not_after - self.not_before
        if lifetime <= timedelta(0):
            return 1.0 if now >= self.not_after else 0.0
        return min(1.0, max(0.0, (now - self.not_before) / lifetime))


_shared = lru_cache(maxsize=4096)(CertificateSummary)


def certificates_of(facts: Facts) -> tuple[CertificateSummary, ...]:
    """The server's own certificate of each chain that was seen; empty where none is known."""
    seen = facts.get(CertificateFacts)
    if seen is None:
        return ()
    return tuple(dict.fromkeys(_summary(one.leaf, one.subject_alternative_names) for one in seen.deployments))


def _summary(leaf: ServedCertificate, names: tuple[str, ...]) -> CertificateSummary:
    return _shared(
        leaf.fingerprint_sha256,
        _cut(leaf.subject),
        _cut(leaf.issuer),
        _cut(_key(leaf)),
        _cut(leaf.signature_algorithm),
        leaf.not_before,
        leaf.not_after,
        tuple(_cut(name.partition(":")[2] or name) for name in names[:MOST_NAMES]),
        len(names),
    )


def _key(leaf: ServedCertificate) -> str:
    size = leaf.curve or leaf.key_size_bits
    kind = (leaf.key_kind if leaf.key_algorithm == "RSA" else None) or leaf.key_algorithm  # RSA, or RSA-PSS
    return f"{kind} {size}" if size else kind


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
