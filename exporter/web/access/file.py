"""Reads a web configuration file: all of its mistakes at once, each with its place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.errors import ConfigError, Problem
from exporter.files import Fingerprint, one_view
from exporter.web.access.sections import WebFile
from exporter.web.access.tls import Tls, TlsFileError, make_tls
from exporter.yamlfile import Document, read_document, validate


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: one request every `seconds`, after a burst of so many."""

    seconds: float
    burst: int


@dataclass(frozen=True, slots=True)
class WebConfig:
    """What a web configuration file says.

    Attributes:
        users: name -> bcrypt hash; empty if requests need no password.
        headers: fields of every response, names in lower case.
        rate: None without a limit.
        tls: None without TLS.
    """

    users: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)
    headers: tuple[tuple[bytes, bytes], ...] = ()
    rate: Rate | None = None
    tls: Tls | None = None

    @property
    def means(self) -> frozenset[str]:
        """How a request proves who sends it: all of these keys of the file."""
        has = {
            "basic_auth_users": bool(self.users),
            "client_auth_type": self.tls is not None and self.tls.requires_client,
            "client_allowed_sans": self.tls is not None and self.tls.allowed_sans is not None,
        }
        return frozenset(key for key, is_there in has.items() if is_there)


def read_web_config(path: Path) -> WebConfig:
    """Read the file, and the certificates and keys that it names, relative to its folder.

    Raises:
        ConfigError: with every problem of the file.
    """
    document = read_document(path)
    settings, problems = _validate(document)
    tls = None
    if settings is not None:
        try:
            tls = make_tls(settings.tls_server_config, path.absolute().parent)
        except TlsFileError as error:
            problems = [*problems, document.problem(("tls_server_config", error.key), str(error))]
    if problems or settings is None:
        raise ConfigError(problems)
    rate = settings.rate_limit
    fields = settings.http_server_config.headers.items()
    return WebConfig(
        {name.encode(): value.encode() for name, value in settings.basic_auth_users.items()},
        # X-Content-Type-Options has one value, and every response has it already.
        tuple((name.lower().encode(), value.encode()) for name, value in fields if value and value != "nosniff"),
        Rate(rate.interval, rate.burst) if rate.interval else None,
        tls,
    )


def _validate(document: Document) -> tuple[WebFile | None, list[Problem]]:
    if document.data is None and not document.problems:
        return WebFile(), []  # an empty file is valid, as in the toolkit
    return validate(document, WebFile)


@dataclass(frozen=True, slots=True)
class FirstRead:
    """A web configuration as it was at the start.

    Attributes:
        files: what it was made of.
    """

    path: Path
    config: WebConfig
    files: Fingerprint


def first_read(path: Path) -> FirstRead:
    """Read the file at the start.

    Raises:
        ConfigError: as `read_web_config`.
    """
    with one_view() as view:
        config = read_web_config(path)
    return FirstRead(path, config, view.fingerprint())
