"""Sections of the configuration file, each validated by itself."""

from datetime import timedelta
from typing import Any, Self

from pydantic import (
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from exporter.clients.files import ClientIds
from exporter.config.celery import BACKENDS, CelerySettings, ZoneName
from exporter.config.discovery import DnsSource, FileSource, SourceSettings
from exporter.config.exceptions import ExceptionSettings
from exporter.config.http_client import HttpSource
from exporter.config.kubernetes import KubernetesSource
from exporter.config.probe import ProbeSettings
from exporter.config.relabelling import RelabelSettings
from exporter.config.section import Section
from exporter.config.values import (
    DIRECT,
    Address,
    AddressesChoice,
    Contact,
    Count,
    Duration,
    FieldText,
    Gap,
    Interval,
    IntervalOrNever,
    IpProtocolChoice,
    LabelName,
    PolicyText,
    Port,
    PortOrOff,
    RequestPath,
    StoreFile,
    StoreName,
    Surroundings,
    TableFile,
    readable_file,
)
from exporter.credentials import read_chain_file, read_credentials, read_key_file
from exporter.errors import TargetError
from exporter.model import Addresses, IpProtocol, is_ip
from exporter.nearest import not_one_of
from exporter.quoting import quoted, shown
from exporter.services import (
    BY_PORT,
    PROTOCOLS,
    SERVICES,
    STARTTLS,
    default_name,
    normal_host,
    parse_ehlo_name,
    parse_proxy,
    parse_service,
)
from exporter.software.declared import parse_distribution

_SAY_EHLO = tuple(service.name for service in SERVICES.values() if service.says_ehlo)
"""Values of `starttls` whose dialogues begin with the client's name."""


class TlsSettings(Section):
    """The certificate for servers that ask for one, as in Prometheus' `tls_config`."""

    cert_file: str = Field(min_length=1)
    key_file: str = Field(min_length=1)

    @field_validator("cert_file", "key_file")
    @classmethod
    def _of_use(cls, value: str, info: ValidationInfo) -> str:
        path = readable_file(value, info)
        if not isinstance(info.context, Surroundings):
            return path
        cert_file = info.data.get("cert_file")
        try:
            if info.field_name == "cert_file":
                read_chain_file(path)
            elif cert_file is None:  # there is no certificate that the key could match
                read_key_file(path)
            else:
                read_credentials(cert_file, path)
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
        return path


class HttpSettings(Section):
    """How servers are asked over HTTP; for protocol https only."""

    path: RequestPath | None = None
    host: str | None = None
    user_agent: FieldText | None = None
    port: PortOrOff | None = None

    @field_validator("host")
    @classmethod
    def _host(cls, value: str | None) -> str | None:
        try:
            return None if value is None else normal_host(value)
        except TargetError as error:
            raise ValueError(str(error)) from error


class ResolverSettings(Section):
    """Which name servers answer queries for DNS records. Addresses of targets always come from the system."""

    nameservers: list[Address] = Field(min_length=1)
    port: Port = 53
    timeout: Duration = timedelta(seconds=5)
    validating: bool = Field(default=False, strict=True)


class SoftwareSettings(Section):
    """Files with support dates of software, in the form of endoflife.date's API."""

    eol_files: list[TableFile] = Field(default_factory=list)


class MetricsSettings(Section):
    """How much detail `/metrics` shows."""

    detail: str = "default"

    @field_validator("detail")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in {"default", "full"}:
            raise ValueError(not_one_of(quoted(value), value, ("default", "full")))
        return value


class ScanSettings(Section):
    """Settings that apply to all targets or to one."""

    policy: PolicyText | None = None
    policies: list[PolicyText] | None = Field(default=None, min_length=1)
    scan_interval: Interval | None = None
    scan_timeout: Duration | None = None
    vulnerability_interval: IntervalOrNever | None = None
    timeout: Duration | None = None
    max_age: Duration | None = None
    connections_per_host: Count | None = None
    connection_gap: Gap | None = None
    proxy_url: str | None = Field(default=None, repr=False)
    ehlo_name: str | None = None
    addresses: AddressesChoice | None = None
    ip_protocol: IpProtocolChoice | None = None
    ca_file: str | None = Field(default=None, min_length=1)
    trust_store: str | None = Field(default=None, min_length=1)
    tls_config: TlsSettings | None = None
    http: HttpSettings | None = None
    clients: ClientIds | None = None
    zone: ZoneName | None = None

    @model_validator(mode="after")
    def _one_store(self) -> Self:
        if self.ca_file and self.trust_store:
            raise ValueError("ca_file and trust_store exclude each other")
        return self

    @model_validator(mode="after")
    def _one_way_to_name_policies(self) -> Self:
        if self.policies and "policy" in self.model_fields_set:
            raise ValueError("policy and policies exclude each other")
        return self

    @property
    def all_policies(self) -> tuple[str, ...]:
        """The value of `policies`, else of `policy`; empty without either."""
        return tuple(self.policies or ([self.policy] if self.policy else ()))

    @field_validator("proxy_url")
    @classmethod
    def _proxy(cls, value: str | None) -> str | None:
        if value is not None and value != DIRECT:
            try:
                parse_proxy(value)
            except TargetError as error:
                raise ValueError(str(error)) from None
        return value

    @field_validator("ehlo_name")
    @classmethod
    def _ehlo_name(cls, value: str | None) -> str | None:
        try:
            return None if value is None else parse_ehlo_name(value)
        except TargetError as error:
            raise ValueError(str(error)) from error

    @field_validator("ca_file")
    @classmethod
    def _file_opens(cls, value: str | None, info: ValidationInfo) -> str | None:
        return None if value is None else readable_file(value, info)


class GlobalSettings(ScanSettings):
    """Defaults for every target, and settings of the exporter itself."""

    policy: PolicyText = "kopano-checklist"
    scan_interval: Interval = timedelta(hours=6)
    timeout: Duration = timedelta(seconds=5)
    connections_per_host: Count = 4
    addresses: AddressesChoice = Addresses.ONE
    ip_protocol: IpProtocolChoice = IpProtocol.ANY
    max_concurrent_scans: Count = 10
    backend: str = BACKENDS[0]
    contact: Contact | None = None
    resolver: ResolverSettings | None = None
    trust_stores: dict[StoreName, StoreFile] = Field(default_factory=dict)

    @field_validator("backend")
    @classmethod
    def _known_backend(cls, value: str) -> str:
        if value not in BACKENDS:
            raise ValueError(not_one_of(quoted(value), value, BACKENDS))
        return value


class TargetSettings(ScanSettings):
    """One entry of `targets:`; a plain string there is the text form of a target."""

    host: str
    port: Port | None = None
    name: str | None = Field(default=None, min_length=1, max_length=200)
    protocol: str | None = None
    starttls: str | None = None
    server_name: str | None = None
    connect_address: str | None = None
    mail_domain: str | None = None
    distribution: str | None = None
    labels: dict[LabelName, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:  # noqa: ANN401 - pydantic's signature
        if isinstance(value, dict):
            return value
        if not isinstance(value, str):
            raise ValueError(f"{shown(value)} is neither a mapping nor text such as www.example.com:443")
        try:
            service = parse_service(value)
        except TargetError as error:
            raise ValueError(str(error)) from error
        return {
            "host": service.host,
            "port": service.port,
            "starttls": service.starttls,
            "protocol": None if service.starttls else service.protocol,
        }

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Settings from the text form of a target.

        Raises:
            TargetError: the text is not valid.
        """
        service = parse_service(text)
        protocol = None if service.starttls else service.protocol
        try:
            return cls(host=service.host, port=service.port, starttls=service.starttls, protocol=protocol)
        except ValidationError as error:
            raise TargetError(f"{quoted(text)}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error

    @field_validator("host", "server_name", "connect_address", "mail_domain")
    @classmethod
    def _host(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            return normal_host(value)
        except TargetError as error:
            raise ValueError(str(error)) from error

    @field_validator("protocol", "starttls")
    @classmethod
    def _known(cls, value: str | None, info: ValidationInfo) -> str | None:
        known = list(STARTTLS if info.field_name == "starttls" else PROTOCOLS)
        if value is not None and value not in known:
            raise ValueError(not_one_of(quoted(value), value, known))
        return value

    @field_validator("mail_domain")
    @classmethod
    def _domain(cls, value: str | None) -> str | None:
        if value is not None and is_ip(value):
            raise ValueError(f"{quoted(value)} is an IP address; mail domains are DNS names")
        return value

    @field_validator("distribution")
    @classmethod
    def _distribution(cls, value: str | None) -> str | None:
        if value is not None:
            parse_distribution(value)
        return value

    @field_validator("server_name")
    @classmethod
    def _no_address(cls, value: str | None) -> str | None:
        if value is not None and is_ip(value):
            raise ValueError(f"{quoted(value)} is an IP address; server names are DNS names (RFC 6066, 3)")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.starttls and self.protocol:
            raise ValueError("protocol and starttls exclude each other")
        if self.protocol == "tls" and self.port is None:
            raise ValueError("protocol tls has no usual port: port is required")
        if self.http and self.effective_protocol != "https":
            raise ValueError(f"http is for protocol https; this is {self.effective_protocol}")
        if self.ehlo_name and self.starttls not in _SAY_EHLO:
            raise ValueError(f"ehlo_name is for starttls {' and '.join(_SAY_EHLO)}")
        return self

    @property
    def effective_port(self) -> int:
        """The given port, or the usual port of the service."""
        usual = STARTTLS[self.starttls] if self.starttls else PROTOCOLS[self.protocol or "https"]
        return self.port or usual or 443

    @property
    def effective_protocol(self) -> str:
        """The given protocol, or the one that the port is registered for, or https."""
        return self.starttls or self.protocol or BY_PORT.get(self.effective_port, "https")

    @property
    def effective_name(self) -> str:
        """The given name, or `host:port`."""
        return self.name or default_name(self.host, self.effective_port)


class Config(Section):
    """The complete file."""

    global_: GlobalSettings = Field(default_factory=GlobalSettings, alias="global")
    celery: CelerySettings | None = None
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    software: SoftwareSettings = Field(default_factory=SoftwareSettings)
    policy_files: list[PolicyText] = Field(default_factory=list)
    exceptions: list[ExceptionSettings] = Field(default_factory=list)
    allow_empty: bool = Field(default=False, strict=True)
    targets: list[TargetSettings] = Field(default_factory=list)
    file_sd_configs: list[FileSource] = Field(default_factory=list)
    http_sd_configs: list[HttpSource] = Field(default_factory=list)
    dns_sd_configs: list[DnsSource] = Field(default_factory=list)
    kubernetes_sd_configs: list[KubernetesSource] = Field(default_factory=list)
    relabel_configs: list[RelabelSettings] = Field(default_factory=list)
    probe: ProbeSettings = Field(default_factory=ProbeSettings)

    @property
    def remote(self) -> CelerySettings | None:
        """Where scans run on other machines; None if this process scans."""
        return self.celery if self.global_.backend == "celery" else None

    @property
    def sources(self) -> dict[str, SourceSettings]:
        """The sources of targets, by their places in the file, such as `file_sd_configs.0`."""
        return {
            f"{key}.{index}": source
            for key in type(self).model_fields
            if key.endswith("_sd_configs")
            for index, source in enumerate(getattr(self, key))
        }

    def without_targets(self) -> Self:
        """The same without the settings of targets: they need more memory than the targets that are made of them."""
        return self.model_copy(update={"targets": []})

    @property
    def all_policies(self) -> tuple[str, ...]:
        """Names and files of all policies that are named for targets, each once."""
        named = (*self.policy_files, *(name for one in (self.global_, *self.targets) for name in one.all_policies))
        return tuple(dict.fromkeys(named))
