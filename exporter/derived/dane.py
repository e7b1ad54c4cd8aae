"""Whether TLSA records bind a served chain to the service (RFC 6698; RFC 7671). Pure."""

from collections.abc import Iterable, Iterator
from hashlib import sha256

from exporter.facts.certificate import Deployment, ServedCertificate
from exporter.facts.dns import TlsaRecord
from exporter.model import TrustFailure
from exporter.moments import Time
from exporter.ternary import all_of, any_of

PKIX_TA, PKIX_EE, DANE_TA, DANE_EE = range(4)
"""Certificate usages by their names of RFC 7218."""
FULL, SHA2_256, SHA2_512 = range(3)
"""Matching types."""
CERT, SPKI = range(2)
"""Selectors."""

_FORBIDDEN = frozenset({TrustFailure.PROFILE, TrustFailure.OTHER})
"""Failures after which something in the chain may keep clients from using it at all."""
_DATES = frozenset({TrustFailure.EXPIRED, TrustFailure.NOT_YET_VALID})


def usable(records: Iterable[TlsaRecord], protocol: str) -> tuple[TlsaRecord, ...]:
    """The records that clients use: known parameters (RFC 6698, 4.1), and no PKIX usages in SMTP (RFC 7672, 3.1.3)."""
    usages = {DANE_TA, DANE_EE} if protocol == "smtp" else {PKIX_TA, PKIX_EE, DANE_TA, DANE_EE}
    known = [one for one in records if one.selector in {CERT, SPKI} and one.matching in {FULL, SHA2_256, SHA2_512}]
    return tuple(one for one in known if one.usage in usages)


def bound(records: Iterable[TlsaRecord], deployment: Deployment, now: Time, protocol: str) -> bool | None:
    """Whether any of these records, all usable, matches the chain at this time; None when it is not known.

    Some clients ignore records where one with a stronger digest exists, others do not (RFC 7671, 9). The chain must
    match for both.
    """
    known = deployment.at(now)
    verdicts = {record: _fits(record, known, now, protocol) for record in records}
    for_all = any_of(verdicts.values())
    for_some = any_of(verdicts[record] for record in _strongest(verdicts))
    return for_all if for_all is for_some else None


def _strongest(records: Iterable[TlsaRecord]) -> Iterator[TlsaRecord]:
    """For each usage and selector the records with the strongest digest, and those without a digest."""
    several = tuple(records)
    for one in several:
        alike = (other.matching for other in several if (other.usage, other.selector) == (one.usage, one.selector))
        if one.matching in {FULL, max(alike)}:
            yield one


def _fits(record: TlsaRecord, deployment: Deployment, now: Time, protocol: str) -> bool | None:
    match record.usage:
        case 3:  # neither names nor dates count (RFC 7671, 5.1)
            return _is_of(record, deployment.leaf)
        case 2:
            return _anchored(record, deployment, now, protocol)
        case 1:
            return all_of((_is_of(record, deployment.leaf), _valid(deployment)))
        case _:
            above = any_of(_is_of(record, one) for one in deployment.linked[1:])
            # The anchor is one that clients have. It need not be served, and then it was not seen.
            return all_of((None if above is False else above, _valid(deployment)))


def _anchored(record: TlsaRecord, deployment: Deployment, now: Time, protocol: str) -> bool | None:
    """DANE-TA: a served issuer matches, and names, dates and uses are valid below it (RFC 7671, 5.2).

    The issuer may be on another path than the one to a public authority.
    """
    above = [place for place in range(1, len(deployment.chain)) if place not in deployment.surplus]
    fits = {place: _is_of(record, deployment.chain[place]) for place in above}
    anchors = [place for place in above if fits[place]]
    if not anchors:
        # A complete certificate in the record may be the one that the client completes the chain with (RFC 7671,
        # 5.2.3).
        return None if None in fits.values() or record.matching == FULL else False
    on_path = [place for place in deployment.path[1:] if place in anchors]
    below = deployment.path[: deployment.path.index(on_path[0]) + 1] if on_path else (0, *above)
    chain = [deployment.chain[place] for place in below]
    in_time = all(one.not_before <= now <= one.not_after for one in chain)
    was_not = bool(_DATES & set(deployment.failures))  # else a date has passed since it was seen
    forbidden = _FORBIDDEN & set(deployment.failures) or not all(one.is_ca for one in chain[1:])
    dates = in_time or (False if on_path and was_not else None)
    return all_of((_named(deployment, protocol), dates, None if forbidden else True))


def _named(deployment: Deployment, protocol: str) -> bool | None:
    """Whether the leaf has the host's name.

    A mail server may have the name of the mail domain instead (RFC 7672, 3.2.2), which is not checked.
    """
    return deployment.hostname_match or (None if protocol == "smtp" else False)


def _valid(deployment: Deployment) -> bool | None:
    return all_of((deployment.hostname_match, deployment.trusted))


def _is_of(record: TlsaRecord, certificate: ServedCertificate) -> bool | None:
    """Whether the record matches this certificate or its key; None when the digest for it was not recorded."""
    whole = record.selector == CERT
    if record.matching == SHA2_512:
        digest = certificate.fingerprint_sha512 if whole else certificate.spki_sha512
    else:
        digest = certificate.fingerprint_sha256 if whole else certificate.spki_sha256
    data = sha256(bytes.fromhex(record.data)).hexdigest() if record.matching == FULL else record.data
    return None if digest is None else digest == data
