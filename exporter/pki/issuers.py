"""Whether a chain that ends too early lacks an intermediate, or is of an authority that nobody trusts here."""

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

from exporter.pki.der import element
from exporter.pki.parsed import UNREADABLE, Certificate, parse

_PEM = re.compile(
    rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.+?)-----END (?:TRUSTED |X509 )?CERTIFICATE-----", re.DOTALL
)


Edition = tuple[int, int, int]
"""What tells one version of a file from the next."""


def read_edition(path: str) -> Edition:
    """Of the file that is there now. Its time alone would not do: `cp -p`, archives and images keep an older one.

    Raises:
        OSError: there is none.
    """
    found = Path(path).stat()
    return found.st_mtime_ns, found.st_ino, found.st_size


def read_pem(path: str) -> Iterator[bytes]:
    """Each certificate of a PEM bundle, DER; what OpenSSL writes behind a trusted one (its own rules) is left out.

    Raises:
        OSError: the file cannot be read.
    """
    for text in _PEM.findall(Path(path).read_bytes()):
        with suppress(ValueError):
            yield element(base64.b64decode(text)).whole


@lru_cache(maxsize=64)
def read_anchors(path: str, _edition: Edition) -> frozenset[x509.Name]:
    """The subjects of a PEM bundle, less those that cannot be parsed."""
    names = set()
    with warnings.catch_warnings():
        # Old roots have serial numbers that the parser warns of. Rare enough (once a file) not to mind that warnings
        # are a matter of all threads.
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
    """Whether an intermediate was forgotten, or the authority is not trusted: to OpenSSL that is one error.

    The certificate that is missing would say, and cannot be fetched: a scan opens connections to its target alone. So
    this goes by signs that it exists and leads to a trusted root. A root of its own issues no leaves at public
    authorities (CA/Browser Forum, Baseline Requirements, 6.1.7), and what they put into `caIssuers` is the intermediate
    (RFC 5280, 4.2.2.1): a leaf that stands alone and names such a place lacks it. Else the missing issuer bears the
    organisation of a trusted root, or the last certificate names a trusted root as its issuer's issuer (RFC 5280,
    4.2.1.1, authorityCertIssuer). With none of these there is nothing that speaks for a forgotten intermediate.
    """
    last = path[-1]
    try:
        published = len(path) == 1 and _publishes_issuer(last)
        related = bool(
            _organisations(last.read.issuer) & {name for anchor in anchors for name in _organisations(anchor)}
        )
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


def _issuers_issuer(certificate: Certificate) -> set[x509.Name]:
    identifier = certificate.extension(x509.AuthorityKeyIdentifier)
    names = (identifier.authority_cert_issuer if identifier else None) or ()
    return {name.value for name in names if isinstance(name, x509.DirectoryName)}
