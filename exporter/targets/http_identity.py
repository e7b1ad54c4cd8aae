"""What an HTTP client sends to prove who it is, and how it checks the server. Files are read again for each request."""

import ssl
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.serialization import Encoding

from exporter import __version__
from exporter.config.http_client import Authorization, HttpSource, HttpTlsSettings
from exporter.credentials import read_chain_file
from exporter.files import View, one_view, read_file
from exporter.net.http_get import Fields, HttpError
from exporter.net.proxy.connect import basic_credentials

USER_AGENT = f"tls-posture-exporter/{__version__}"
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True, slots=True)
class ClientIdentity:
    """The header fields and the TLS settings of requests.

    Attributes:
        fields: for the configured server.
        fields_elsewhere: for servers that it redirects to. They have no secrets, and nothing that was configured.
        tls: for the configured server.
        tls_elsewhere: for the others, without a client certificate.
    """

    fields: Fields = field(repr=False)
    fields_elsewhere: Fields
    tls: ssl.SSLContext = field(repr=False)
    tls_elsewhere: ssl.SSLContext = field(repr=False)


def read_identity(settings: HttpSource, view: View) -> ClientIdentity:
    """Read all files of the settings through the view, in a thread.

    Raises:
        HttpError: a file cannot be read, or has something else. The message has no content of it.
    """
    interval = f"{settings.refresh_interval.total_seconds():f}".rstrip("0").rstrip(".")
    usual = [
        ("User-Agent", USER_AGENT),
        ("Accept", "application/json"),
        ("Accept-Encoding", "gzip"),
        ("X-Prometheus-Refresh-Interval-Seconds", interval),
    ]
    tls = settings.tls_config or HttpTlsSettings()
    with one_view(view):
        own = [*usual, *_authorization(settings), *_headers(settings)]
        elsewhere = _context(tls)
        return ClientIdentity(own, usual, _with_certificate(tls, view) if tls.cert_file else elsewhere, elsewhere)


def _authorization(settings: HttpSource) -> Fields:
    basic = settings.basic_auth
    if basic is not None:
        user = _secret(basic.username_file) if basic.username_file else basic.username or ""
        password = _secret(basic.password_file) if basic.password_file else ""
        return [("Authorization", basic_credentials(user, password))]
    other = settings.authorization
    if settings.bearer_token_file:
        other = Authorization(credentials_file=settings.bearer_token_file)
    if other is None:
        return []
    return [("Authorization", f"{other.type} {_field_value(other.credentials_file)}")]


def _headers(settings: HttpSource) -> Fields:
    found = [(name, value) for name, header in settings.http_headers.items() for value in header.values]
    return found + [
        (name, _field_value(file)) for name, header in settings.http_headers.items() for file in header.files
    ]


def _secret(path: str) -> str:
    """The text of a file without blanks at its ends, as in Prometheus."""
    try:
        return read_file(path).decode("utf-8").strip()
    except OSError as error:
        raise HttpError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise HttpError(f"{path} is not UTF-8") from None


def _field_value(path: str) -> str:
    text = _secret(path)
    if not text or not (text.isascii() and text.isprintable()):
        raise HttpError(f"{path} is empty, or has characters that a header field must not have")
    return text


def _context(tls: HttpTlsSettings) -> ssl.SSLContext:
    """A context that trusts the configured authorities, or those of the system."""
    try:
        if tls.ca_file is None:
            context = ssl.create_default_context()
        else:
            authorities = b"".join(one.public_bytes(Encoding.DER) for one in read_chain_file(tls.ca_file))
            context = ssl.create_default_context(cadata=authorities)
    except OSError as error:
        raise HttpError(f"{tls.ca_file or 'the system store'} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise HttpError(str(error)) from None
    context.set_alpn_protocols(["http/1.1"])
    if tls.min_version:
        context.minimum_version = _VERSIONS[tls.min_version]
    if tls.max_version:
        context.maximum_version = _VERSIONS[tls.max_version]
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _with_certificate(tls: HttpTlsSettings, view: View) -> ssl.SSLContext:
    """The same with the client certificate. OpenSSL reads the files itself, after they were found to be files."""
    context = _context(tls)
    cert_file, key_file = str(tls.cert_file), str(tls.key_file)
    try:
        for path in (cert_file, key_file):
            read_file(path)
        with view.waiting_for(cert_file):
            context.load_cert_chain(cert_file, key_file, password=b"")  # without a password it would ask a terminal
    except OSError as error:  # ssl.SSLError, too
        why = "do not belong together, or are not PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise HttpError(f"{cert_file} and {key_file} cannot be used: {why}") from None
    return context
