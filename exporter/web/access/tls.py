"""TLS of the web server: an SSL context of what a web configuration file says, and who may connect."""

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from exporter.credentials import match, parse_chain, parse_key
from exporter.environment import utc_now
from exporter.files import read_file
from exporter.web.access.sections import IF_GIVEN, NONE, REQUIRED, TlsServerSettings
from exporter.web.access.suites import AEAD_SUITES, CURVES, SUITES, VERSIONS


class TlsFileError(Exception):
    """A file or a text that this key names cannot be used; the message does not quote it.

    Attributes:
        key: of `tls_server_config`.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


@dataclass(frozen=True, slots=True)
class Tls:
    """How connections are opened.

    Attributes:
        context: for handshakes.
        requires_client: whether each client has to have a certificate of the client CA.
        allowed_sans: names of which a client's certificate needs one; None for any certificate of the client CA.
        now: the clock.
    """

    context: ssl.SSLContext
    requires_client: bool = False
    allowed_sans: frozenset[str] | None = None
    now: Callable[[], datetime] = utc_now

    def admits(self, certificate: bytes | None) -> bool:
        """Whether the owner of this verified certificate (DER) may connect; None is a client without one.

        It may have expired since it was verified: OpenSSL resumes sessions of TLS 1.2 by their id, which Python cannot
        turn off.
        """
        if certificate is None:
            return not self.requires_client
        try:
            parsed = x509.load_der_x509_certificate(certificate)
            is_valid = self.now() <= parsed.not_valid_after_utc
        except (ValueError, x509.InvalidVersion):
            return False
        return is_valid and (self.allowed_sans is None or not self.allowed_sans.isdisjoint(alternative_names(parsed)))


def alternative_names(certificate: x509.Certificate) -> frozenset[str]:
    """The DNS names, addresses of mail, IP addresses and URIs of a certificate's SAN; none if it cannot be parsed."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return frozenset()
    texts = (*names.get_values_for_type(x509.DNSName), *names.get_values_for_type(x509.RFC822Name))
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return frozenset((*texts, *uris, *map(str, names.get_values_for_type(x509.IPAddress))))


def make_tls(settings: TlsServerSettings, folder: Path) -> Tls | None:
    """What the section says; None if it says nothing. Relative paths start at the folder.

    Raises:
        TlsFileError: a certificate or key cannot be read or used, or Python cannot set the curve.
    """
    if not settings.model_fields_set:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION  # Go has none either; a client could ask for it without end
    _set_versions(context, settings)
    _load_certificate(context, settings, folder)
    if settings.client_auth_type != NONE:
        _ask_for_certificates(context, settings, folder)
    sans = settings.client_allowed_sans
    return Tls(context, settings.client_auth_type == REQUIRED, None if sans is None else frozenset(sans))


def _set_versions(context: ssl.SSLContext, settings: TlsServerSettings) -> None:
    old = settings.min_version in {"TLS10", "TLS11"}
    suites = [SUITES[name] for name in settings.cipher_suites if name in SUITES]
    lowest = VERSIONS[settings.min_version]
    if settings.cipher_suites and not suites:
        lowest = ssl.TLSVersion.TLSv1_3
    else:
        # OpenSSL's level 0: TLS 1.0 and 1.1 sign by SHA-1, which level 1 forbids.
        level = ["@SECLEVEL=0"] if old else []
        usual = SUITES.values() if old else AEAD_SUITES  # Python's own list depends on how it was built
        context.set_ciphers(":".join([*(suites or usual), *level]))
    context.minimum_version, context.maximum_version = lowest, VERSIONS[settings.max_version]
    for curve in settings.curve_preferences:
        try:
            context.set_ecdh_curve(CURVES[curve])
        except (ssl.SSLError, ValueError):  # X25519, by Python 3.11 of Debian 12
            raise TlsFileError("curve_preferences", f"this Python cannot set {curve} as the only curve") from None
    if settings.prefer_server_cipher_suites:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE


def _load_certificate(context: ssl.SSLContext, settings: TlsServerSettings, folder: Path) -> None:
    cert_place, cert = _content("cert", settings.cert, settings.cert_file, folder)
    key_place, key = _content("key", settings.key, settings.key_file, folder)
    with _mapped(cert_place):
        chain = parse_chain(cert, _name(cert_place, settings.cert_file))
    with _mapped(key_place):
        match(chain, parse_key(key, _name(key_place, settings.key_file)), *map(str, (cert_place, key_place)))
    with _mapped(cert_place), _as_file(cert) as cert_path, _as_file(key) as key_path:
        context.load_cert_chain(cert_path, key_path, password="")  # a question on the terminal is never right


def _ask_for_certificates(context: ssl.SSLContext, settings: TlsServerSettings, folder: Path) -> None:
    context.verify_mode = ssl.CERT_OPTIONAL if settings.client_auth_type == IF_GIVEN else ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # as Go: each certificate of the CA file is trusted
    # Each connection proves itself: a session that is resumed would outlive the certificate.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    if not (settings.client_ca or settings.client_ca_file):
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        return
    place, data = _content("client_ca", settings.client_ca, settings.client_ca_file, folder)
    with _mapped(place):
        authorities = parse_chain(data, _name(place, settings.client_ca_file))
        context.load_verify_locations(cadata=b"".join(one.public_bytes(Encoding.DER) for one in authorities))


def _content(name: str, inline: str | None, file: str | None, folder: Path) -> tuple[str, bytes]:
    """The key that was given, and what it has."""
    if not file:
        return name, (inline or "").encode()
    try:
        return f"{name}_file", read_file(folder / file)
    except OSError as error:
        raise TlsFileError(f"{name}_file", f"cannot be read: {error.strerror or type(error).__name__}") from None
    except ValueError:  # a path that no file can have
        raise TlsFileError(f"{name}_file", "cannot be read: it is not a path") from None


def _name(place: str, file: str | None) -> str:
    return file if file and place.endswith("_file") else place


@contextmanager
def _mapped(key: str) -> Iterator[None]:
    """Errors of parsers and of OpenSSL as one of this key. OpenSSL's reason is a fixed word; its text may be more."""
    try:
        yield
    except ssl.SSLError as error:
        raise TlsFileError(key, f"OpenSSL does not accept it: {error.reason or 'no reason'}") from None
    except ValueError as error:
        raise TlsFileError(key, str(error)) from None


@contextmanager
def _as_file(data: bytes) -> Iterator[str]:
    """A path with this content in memory. `load_cert_chain` reads paths only, and a file may have changed since."""
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
