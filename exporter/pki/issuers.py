"""Whether an incomplete chain lacks an intermediate, or belongs to an authority that is not trusted here."""

import base64
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from exporter.files import read_file
from exporter.pki.der import element
from exporter.pki.parsed import UNREADABLE, Certificate, parse

_PEM = re.compile(
    rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.+?)-----END (?:TRUSTED |X509 )?CERTIFICATE-----", re.DOTALL
)


Edition = tuple[int, int, int]
"""Changes with the content of a file."""


def read_edition(path: str) -> Edition:
    """The edition of the current file. The time is not enough: `cp -p`, archives and images keep an older time.

    Raises:
        OSError: there is no such file.
    """
    found = Path(path).stat()
    return found.st_mtime_ns, found.st_ino, found.st_size


def read_pem(path: str) -> Iterator[bytes]:
    """Each certificate of a PEM bundle, in DER; the trust settings that OpenSSL adds to a trusted one are left out.

    Raises:
        OSError: the file cannot be read.
    """
    for text in _PEM.findall(read_file(path)):
        with suppress(ValueError):
            yield element(base64.b64decode(text)).whole


@lru_cache(maxsize=64)
def read_anchors(path: str, _edition: Edition) -> frozenset[x509.Name]:
    """The subjects of a PEM bundle, except those that cannot be parsed."""
    names = set()
    with warnings.catch_warnings():
        # Some old roots have serial numbers that make the parser warn. catch_warnings affects all threads, but this
        # runs only once a file.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        for der in read_pem(path):
            try:
                anchor = parse(der)
            except UNREADABLE:
                continue
            if "subject" not in anchor.unreadable:
                names.add(anchor.read.subject)
    return frozenset(names)


def lacks_intermediate(path: Sequence[Certificate], anchors: frozenset[x509.Name]) -> bool:
    """Whether an intermediate is missing, or the authority is not trusted: OpenSSL has one error for both.

    The missing certificate would decide, but it cannot be fetched, because a scan connects only to its target. So these
    signs decide whether it exists and leads to a trusted root:

    - The leaf is served alone and has a URL in `caIssuers`. A root of a public authority issues no leaves (CA/Browser
      Forum, Baseline Requirements, 6.1.7), so the certificate at that URL is an intermediate (RFC 5280, 4.2.2.1).
    - The issuer of the last certificate has the same organisation as a trusted root.
    - The last certificate names a trusted root as the issuer of its issuer (RFC 5280, 4.2.1.1, authorityCertIssuer).

    With none of these signs, nothing shows that an intermediate is missing.
    """
    last = path[-1]
    try:
        published = len(path) == 1 and _publishes_issuer(last)
        related = bool(_organisations(last.read.issuer) & _organisations_of(anchors))
        named = bool(_issuers_issuer(last) & anchors)
    except UNREADABLE:
        return False
    return published or related or named


def _publishes_issuer(certificate: Certificate) -> bool:
    places = certificate.extension(x509.AuthorityInformationAccess) or ()
    return any(
        place.access_method == AuthorityInformationAccessOID.CA_ISSUERS
        and isinstance(place.access_location, x509.UniformResourceIdentifier)
        for place in places
    )


def _organisations(name: x509.Name) -> set[str]:
    found = name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return {attribute.value.casefold() for attribute in found if isinstance(attribute.value, str)}


@lru_cache(maxsize=8)
def _organisations_of(anchors: frozenset[x509.Name]) -> frozenset[str]:
    """The organisations of a bundle, which takes longer than the rest of a verification."""
    return frozenset(name for anchor in anchors for name in _organisations(anchor))


def _issuers_issuer(certificate: Certificate) -> set[x509.Name]:
    identifier = certificate.extension(x509.AuthorityKeyIdentifier)
    names = (identifier.authority_cert_issuer if identifier else None) or ()
    return {name.value for name in names if isinstance(name, x509.DirectoryName)}
