"""Whether a chain as served is one that TLSA records bind to the service (RFC 6698; RFC 7671). Pure."""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

from exporter.probes.certificate import Deployment, ServedCertificate
from exporter.probes.tlsa import TlsaRecord

PKIX_TA, PKIX_EE, DANE_TA, DANE_EE = range(4)
"""Certificate usages by their names of RFC 7218."""
FULL, SHA2_256, SHA2_512 = range(3)
"""Matching types."""
CERT, SPKI = range(2)
"""Selectors."""


def usable(records: Iterable[TlsaRecord], protocol: str) -> tuple[TlsaRecord, ...]:
    """The records that clients go by: known parameters (RFC 6698, 4.1), and none for PKIX in SMTP (RFC 7672, 3.1.3)."""
    usages = {DANE_TA, DANE_EE} if protocol == "smtp" else {PKIX_TA, PKIX_EE, DANE_TA, DANE_EE}
    known = [one for one in records if one.selector in {CERT, SPKI} and one.matching in {FULL, SHA2_256, SHA2_512}]
    return tuple(one for one in known if one.usage in usages)


def bound(records: Iterable[TlsaRecord], deployment: Deployment, now: datetime) -> bool | None:
    """Whether any of these records, all usable, fits the chain at this time; None when that cannot be told."""
    verdicts = {_fits(record, deployment, now) for record in records}
    if True in verdicts:
        return True
    return None if None in verdicts else False


def _fits(record: TlsaRecord, deployment: Deployment, now: datetime) -> bool | None:
    match record.usage:
        case 3:  # neither names nor dates count (RFC 7671, 5.1)
            return _is_of(record, deployment.leaf)
        case 2:
            return _anchored(record, deployment, now)
        case 1:
            return _all(_is_of(record, deployment.leaf), _valid(deployment))
        case _:
            above = _any(_is_of(record, one) for one in deployment.linked[1:])
            # The anchor is one that clients have: it need not be served, and then it was not seen.
            return _all(None if above is False else above, _valid(deployment))


def _anchored(record: TlsaRecord, deployment: Deployment, now: datetime) -> bool | None:
    """DANE-TA: an issuer in the chain, which has to be served, and from there down names and dates (RFC 7671, 5.2)."""
    chain = deployment.linked
    found = [_is_of(record, one) for one in chain[1:]]
    if True not in found:
        # What stands whole in the record may be what the client completes the chain with (RFC 7671, 5.2.3).
        return None if None in found or record.matching == FULL else False
    below = chain[: found.index(True) + 2]
    return deployment.hostname_match and all(one.not_before <= now <= one.not_after for one in below)


def _valid(deployment: Deployment) -> bool | None:
    return _all(deployment.hostname_match, deployment.trusted)


def _is_of(record: TlsaRecord, certificate: ServedCertificate) -> bool | None:
    """Whether the record is of this certificate, or of its key; None when it was not taken down what that takes."""
    whole = record.selector == CERT
    if record.matching == SHA2_512:
        digest = certificate.fingerprint_sha512 if whole else certificate.spki_sha512
    else:
        digest = certificate.fingerprint_sha256 if whole else certificate.spki_sha256
    data = sha256(bytes.fromhex(record.data)).hexdigest() if record.matching == FULL else record.data
    return None if digest is None else digest == data


def _all(*verdicts: bool | None) -> bool | None:
    if False in verdicts:
        return False
    return None if None in verdicts else True


def _any(verdicts: Iterable[bool | None]) -> bool | None:
    several = set(verdicts)
    return True if True in several else None if None in several else False
