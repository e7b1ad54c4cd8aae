"""Settings of HTTP clients in Prometheus' spelling. Secrets are in files only, so that settings can be shown."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from exporter.config.discovery import SourceSettings
from exporter.config.http_url import parse_http_url
from exporter.config.section import Section
from exporter.config.values import FieldText, Interval, StoreFile, Surroundings
from exporter.credentials import read_chain_file, read_credentials
from exporter.errors import TargetError
from exporter.nearest import not_one_of
from exporter.quoting import quoted
from exporter.services import normal_host, parse_proxy

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, 5.6.2."""
_RESERVED = frozenset(
    {
        *("accept", "accept-encoding", "authorization", "connection", "content-encoding", "content-length"),
        *("content-type", "host", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer"),
        *("transfer-encoding", "upgrade", "user-agent", "www-authenticate", "x-prometheus-refresh-interval-seconds"),
    }
)
"""Fields that the client sets itself, and those of one connection. Prometheus refuses most of them, too."""
_VERSIONS = ("TLS12", "TLS13")
_IN_FILE = "a secret must not be in this file; write it into a file of its own, and name that in"


def _url(text: str) -> str:
    parse_http_url(text)
    return text


def _field_name(text: str) -> str:
    if not _TOKEN.fullmatch(text) or text.lower() in _RESERVED:
        raise ValueError(f"{quoted(text)} is not the name of a header field that can be set here")
    return text


def _version(text: str) -> str:
    if text not in _VERSIONS:
        raise ValueError(not_one_of(quoted(text), text, _VERSIONS))
    return text


TlsVersion = Annotated[str, AfterValidator(_version)]


class _Client(Section):
    """A section that names keys of Prometheus which are refused here."""

    refused: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _without_refused(cls, value: Any) -> Any:  # noqa: ANN401 - pydantic's signature
        for key in cls.refused.keys() & value.keys() if isinstance(value, dict) else ():
            raise ValueError(f"{key}: {cls.refused[key]}")
        return value


class BasicAuth(_Client):
    """User and password (RFC 7617)."""

    refused: ClassVar[Mapping[str, str]] = {"password": f"{_IN_FILE} password_file"}

    username: str | None = None
    username_file: StoreFile | None = None
    password_file: StoreFile | None = None

    @model_validator(mode="after")
    def _one_user(self) -> Self:
        if self.username is not None and self.username_file is not None:
            raise ValueError("username and username_file exclude each other")
        if self.username is not None and (":" in self.username or not self.username.isprintable()):
            raise ValueError("username has a colon or a control character (RFC 7617, 2)")
        return self


class Authorization(_Client):
    """The field Authorization, with credentials of another type than Basic."""

    refused: ClassVar[Mapping[str, str]] = {"credentials": f"{_IN_FILE} credentials_file"}

    type: str = "Bearer"
    credentials_file: StoreFile

    @field_validator("type")
    @classmethod
    def _type(cls, value: str) -> str:
        if value.lower() == "basic":
            raise ValueError("is Basic; use basic_auth for that")
        if not _TOKEN.fullmatch(value):
            raise ValueError(f"{quoted(value)} is not a type of credentials")
        return value


class HttpHeader(_Client):
    """The values of one header field: one field for each value."""

    refused: ClassVar[Mapping[str, str]] = {"secrets": f"{_IN_FILE} files"}

    values: list[FieldText] = Field(default_factory=list)
    files: list[StoreFile] = Field(default_factory=list)


class HttpTlsSettings(_Client):
    """TLS of an HTTP client."""

    refused: ClassVar[Mapping[str, str]] = {"key": f"{_IN_FILE} key_file", "cert": "use cert_file", "ca": "use ca_file"}

    ca_file: StoreFile | None = None
    cert_file: StoreFile | None = None
    key_file: StoreFile | None = None
    server_name: str | None = None
    insecure_skip_verify: bool = Field(default=False, strict=True)
    min_version: TlsVersion | None = None
    max_version: TlsVersion | None = None

    @field_validator("server_name")
    @classmethod
    def _host(cls, value: str | None) -> str | None:
        try:
            return None if value is None else normal_host(value)
        except TargetError as error:
            raise ValueError(str(error)) from None

    @model_validator(mode="after")
    def _fits(self, info: ValidationInfo) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file need each other")
        if (self.min_version or "") > (self.max_version or "TLS99"):
            raise ValueError("min_version is later than max_version")
        if isinstance(info.context, Surroundings):
            try:
                if self.ca_file is not None:
                    read_chain_file(self.ca_file)
                if self.cert_file is not None and self.key_file is not None:
                    read_credentials(self.cert_file, self.key_file)
            except OSError as error:
                raise ValueError(f"a file cannot be read: {error.strerror}") from None
        return self


class HttpClientSettings(_Client):
    """How an HTTP server is asked."""

    refused: ClassVar[Mapping[str, str]] = {
        "oauth2": "OAuth 2.0 is not supported; use authorization with a credentials_file that is renewed",
        "bearer_token": f"{_IN_FILE} authorization.credentials_file",
        "proxy_connect_header": "is not supported",
    }

    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    bearer_token_file: StoreFile | None = None
    tls_config: HttpTlsSettings | None = None
    http_headers: dict[Annotated[str, AfterValidator(_field_name)], HttpHeader] = Field(default_factory=dict)
    follow_redirects: bool = Field(default=True, strict=True)
    proxy_url: str | None = Field(default=None, repr=False)
    no_proxy: str | None = None
    proxy_from_environment: bool = Field(default=False, strict=True)

    @field_validator("proxy_url")
    @classmethod
    def _proxy(cls, value: str | None) -> str | None:
        try:
            if value is not None:
                parse_proxy(value)
        except TargetError as error:
            raise ValueError(str(error)) from None
        return value

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if sum(one is not None for one in (self.basic_auth, self.authorization, self.bearer_token_file)) > 1:
            raise ValueError("basic_auth, authorization and bearer_token_file exclude each other")
        if self.proxy_from_environment and (self.proxy_url or self.no_proxy):
            raise ValueError("proxy_from_environment excludes proxy_url and no_proxy")
        if self.no_proxy and not self.proxy_url:
            raise ValueError("no_proxy needs proxy_url")
        return self


class HttpSource(HttpClientSettings, SourceSettings):
    """One entry of `http_sd_configs`."""

    url: Annotated[str, AfterValidator(_url)]
    refresh_interval: Interval = timedelta(seconds=60)
