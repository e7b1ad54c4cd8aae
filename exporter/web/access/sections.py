"""The sections of a web configuration file: the keys of Prometheus' exporter-toolkit, version 0.17.1."""

from collections.abc import Collection
from typing import Self

from pydantic import Field, field_validator, model_validator

from exporter.config.section import Section
from exporter.nearest import not_one_of
from exporter.quoting import quoted
from exporter.web.access.suites import CURVES, SUITES, TLS13_SUITES, VERSIONS
from exporter.web.access.values import BcryptHash, GoSeconds, Headers, Secret, Switch

NONE, IF_GIVEN, REQUIRED = "NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"
_UNVERIFIED = ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")


def _known(name: str, known: Collection[str]) -> None:
    if name not in known:
        raise ValueError(not_one_of(quoted(name), name, known))


class TlsServerSettings(Section):
    """TLS of the web server; `IsEnabled` of the toolkit is that the section has a key."""

    cert: Secret = None
    key: Secret = None
    cert_file: str | None = None
    key_file: str | None = None
    client_auth_type: str = NONE
    client_ca: Secret = None
    client_ca_file: str | None = None
    client_allowed_sans: list[str] | None = None
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: list[str] = Field(default_factory=list)
    curve_preferences: list[str] = Field(default_factory=list)
    prefer_server_cipher_suites: Switch = True

    @field_validator("client_auth_type")
    @classmethod
    def _auth_type(cls, value: str) -> str:
        if value in _UNVERIFIED:
            raise ValueError(f"{value} accepts certificates of anybody, which is not supported; use {REQUIRED}")
        if value:
            _known(value, (NONE, IF_GIVEN, REQUIRED))
        return value or NONE

    @field_validator("min_version", "max_version")
    @classmethod
    def _version(cls, value: str) -> str:
        _known(value, VERSIONS)
        return value

    @field_validator("cipher_suites")
    @classmethod
    def _suites(cls, value: list[str]) -> list[str]:
        for name in value:
            _known(name, (*SUITES, *sorted(TLS13_SUITES)))
        return value

    @field_validator("curve_preferences")
    @classmethod
    def _curves(cls, value: list[str]) -> list[str]:
        for name in value:
            _known(name, CURVES)
        if len(value) > 1:
            raise ValueError("more than one curve is not supported; name one, or leave the key out for the usual ones")
        return value

    @model_validator(mode="after")
    def _together(self) -> Self:
        if not self.model_fields_set:
            return self
        for inline in ("cert", "key", "client_ca"):
            file = f"{inline}_file"
            if getattr(self, inline) and getattr(self, file):
                raise ValueError(f"{inline} and {file} exclude each other")
            if inline != "client_ca" and not (getattr(self, inline) or getattr(self, file)):
                raise ValueError(f"{inline}_file or {inline} is required")
        self._check_clients()
        order = list(VERSIONS)
        if order.index(self.min_version) > order.index(self.max_version):
            raise ValueError("min_version is above max_version")
        if self.max_version != "TLS13" and self.cipher_suites and TLS13_SUITES.issuperset(self.cipher_suites):
            raise ValueError(f"cipher_suites has none for {self.max_version} or older")
        return self

    def _check_clients(self) -> None:
        has_ca = bool(self.client_ca or self.client_ca_file)
        if self.client_auth_type == NONE and has_ca:
            raise ValueError(f"a client CA needs client_auth_type {REQUIRED}")
        if self.client_auth_type != REQUIRED and self.client_allowed_sans is not None:
            raise ValueError(f"client_allowed_sans needs client_auth_type {REQUIRED}")
        if self.client_auth_type == REQUIRED and not has_ca:
            raise ValueError(f"{REQUIRED} needs client_ca_file or client_ca")


class HttpServerSettings(Section):
    """What is set on responses. There is no HTTP/2: `http2` has no effect."""

    http2: Switch = True
    headers: Headers = Field(default_factory=dict)


class RateLimitSettings(Section):
    """A token bucket; none with the interval 0."""

    interval: GoSeconds = 0.0
    burst: int = Field(default=0, strict=True, ge=0, le=10**6)

    @model_validator(mode="after")
    def _lets_some_through(self) -> Self:
        if self.interval and not self.burst:
            raise ValueError("burst has to be at least 1; with 0, every request would be refused")
        return self


class WebFile(Section):
    """The complete file."""

    tls_server_config: TlsServerSettings = Field(default_factory=TlsServerSettings)
    http_server_config: HttpServerSettings = Field(default_factory=HttpServerSettings)
    rate_limit: RateLimitSettings = Field(default_factory=RateLimitSettings)
    basic_auth_users: dict[str, BcryptHash] = Field(default_factory=dict, repr=False)
