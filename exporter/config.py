"""The configuration file: its schema, its defaults, and every mistake in it at once.

What concerns several sections (names used twice, inherited limits) is looked at once each section is right by itself.
Owns no decisions about scanning; gives validated settings that `exporter.targets` turns into targets.
"""

import difflib
import operator
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from exporter.clients.files import ClientIds
from exporter.credentials import read_chain_file, read_credentials, read_key_file
from exporter.errors import ConfigError, Problem, TargetError
from exporter.model import Addresses, IpProtocol, ip_version, is_ip
from exporter.services import (
    BY_PORT,
    PROTOCOLS,
    STARTTLS,
    default_name,
    normal_host,
    parse_ehlo_name,
    parse_proxy,
    parse_service,
)
from exporter.software.declared import parse_distribution
from exporter.software.files import read_products
from exporter.yamlfile import Document, read_document, validate

_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)
_UNITS_SECONDS = (31_536_000, 604_800, 86_400, 3_600, 60, 1, 0.001)
SHORTEST_INTERVAL = timedelta(seconds=1)
"""Far below what makes sense for a real server; keeps a slip (`1ms` for `1m`) from becoming a flood."""
LONGEST_GAP = timedelta(seconds=10)
"""With some dozens of connections, far more would not fit into any `scan_timeout`."""
DIRECT = "direct"
"""What `proxy_url` says where there is to be none (the word of PAC files for it)."""
SAYS_EHLO = ("smtp", "lmtp")
"""The values of `starttls` whose dialogues begin with the client's name."""
SYSTEM = "system"
"""The trust store that needs no name of its own."""
OFF = "off"
"""What `http.port` says where no server without TLS is to be looked for."""
NEVER = "never"
"""What `vulnerability_interval` says where no attack is to be tried."""
_LONGEST_SECONDS = 10 * 31_536_000

RESERVED_LABELS = frozenset(
    {
        *("target", "address", "host", "port", "protocol", "starttls", "server_name", "policy", "zone"),
        *("probe", "reason", "cipher_suite", "compliant", "group", "extension", "vulnerability", "client"),
        *("key_algorithm", "key_size", "signature_algorithm", "subject", "issuer", "serial", "fingerprint_sha256"),
        *("product", "version", "tag", "check", "severity", "grade", "capped_by", "direction", "status", "mode"),
        *("instance", "job", "type"),
    }
)
"""Labels that the exporter or Prometheus sets on these series; a label of the operator's must not clash."""


def parse_duration(text: object) -> timedelta:
    """A duration in Prometheus' spelling: `90s`, `1h30m`, `2d`.

    Raises:
        ValueError: it is none, is zero, or is longer than ten years.
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) and text else None
    if match is None:
        raise ValueError(f"{_shown(text)} is not a duration; write 30s, 5m, 1h30m or 2d")
    # Floats, as an integer of thousands of digits raises; such a float is infinite.
    seconds = sum(float(number or 0) * unit for number, unit in zip(match.groups(), _UNITS_SECONDS, strict=True))
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise ValueError(f"{text!r} is out of range; a duration is longer than zero and at most ten years")
    return timedelta(seconds=seconds)


def _interval(text: object) -> timedelta:
    value = parse_duration(text)
    if value < SHORTEST_INTERVAL:
        raise ValueError(f"{text!r} is too short for an interval; the shortest is {SHORTEST_INTERVAL.seconds}s")
    return value


def _interval_or_never(text: object) -> timedelta | str:
    return NEVER if text == NEVER else _interval(text)


def _gap(text: object) -> timedelta:
    value = timedelta(0) if text == "0s" else parse_duration(text)
    if value > LONGEST_GAP:
        raise ValueError(f"{text!r} is too long for a gap; the longest is {LONGEST_GAP.seconds}s")
    return value


def _port(value: object) -> object:
    if type(value) is not int or not 1 <= value <= 65535:
        raise ValueError(f"{_shown(value)} is not a port (1 to 65535)")
    return value


def _port_or_off(value: object) -> object:
    return OFF if value == OFF else _port(value)


def _count(value: object) -> object:
    if type(value) is not int or not 1 <= value <= 10_000:
        raise ValueError(f"{_shown(value)} is not a whole number from 1 to 10000")
    return value


def _address(value: str) -> str:
    if not is_ip(value):
        raise ValueError(f"{value!r} is not an IP address")
    return value


def _label_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or name.startswith("__"):
        raise ValueError(f"{name!r} is not a label name")
    if name in RESERVED_LABELS:
        raise ValueError(f"{name!r} is a label that the exporter or Prometheus sets")
    return name


def _shown(value: object) -> str:
    """A value as the file has it."""
    match value:
        case bool():
            return str(value).lower()
        case None:
            return "null"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return repr(value)


def _one_of(kind: type[StrEnum]) -> Callable[[object], object]:
    def read(value: object) -> object:
        if value not in list(kind):
            raise ValueError(f"{_shown(value)} is not one of {', '.join(kind)}")
        return kind(str(value))

    return read


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Interval = Annotated[timedelta, BeforeValidator(_interval)]
IntervalOrNever = Annotated[timedelta | str, BeforeValidator(_interval_or_never)]
Gap = Annotated[timedelta, BeforeValidator(_gap)]
Port = Annotated[int, BeforeValidator(_port), Field(ge=1, le=65535, strict=True)]
PortOrOff = Annotated[int | str, BeforeValidator(_port_or_off)]
Count = Annotated[int, BeforeValidator(_count), Field(ge=1, le=10_000, strict=True)]
Address = Annotated[str, AfterValidator(_address)]
LabelName = Annotated[str, AfterValidator(_label_name)]
AddressesChoice = Annotated[Addresses, BeforeValidator(_one_of(Addresses))]
IpProtocolChoice = Annotated[IpProtocol, BeforeValidator(_one_of(IpProtocol))]

PolicyCheck = Callable[[str], str | None]
"""Says what is wrong with the name (or path) of a policy, None when nothing is."""
PolicyName = Callable[[str], str]
"""The name of a policy that is given by its name or path, and that nothing is wrong with."""


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What a file is validated against, beside the schema.

    Attributes:
        folder: where relative paths start.
        wrong_policies: answers of `wrong_policy` so far; ten thousand targets can name the same policy.
    """

    folder: Path
    wrong_policy: PolicyCheck
    wrong_policies: dict[str, str | None] = field(default_factory=dict)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:  # noqa: ANN401 - pydantic's signature
        """A key without a value is as good as none, also where all that stood below it is commented out."""
        return {key: part for key, part in value.items() if part is not None} if isinstance(value, dict) else value


def _readable_file(text: str, info: ValidationInfo) -> str:
    """The absolute path of a file that is there; unchanged where nothing says what it is relative to.

    Raises:
        ValueError: it is not there, or not for us.
    """
    if not isinstance(info.context, _Surroundings):
        return text
    path = _path(text, info.context.folder)
    if not os.path.isfile(path):  # noqa: PTH113 - the method of Path raises where this says no
        raise ValueError(f"there is no file {path}")
    if not os.access(path, os.R_OK):
        raise ValueError(f"{path} cannot be read")
    return path


def _store_name(name: str) -> str:
    if not name or name == SYSTEM:
        raise ValueError(f"{name!r} cannot be the name of a trust store of your own")
    return name


def _policy(text: str, info: ValidationInfo) -> str:
    """The name of a shipped policy, or the absolute path of a policy file.

    Raises:
        ValueError: there is none, or it is wrong.
    """
    around = info.context
    if not isinstance(around, _Surroundings):
        return text
    policy = _path(text, around.folder) if is_policy_path(text) else text
    if policy not in around.wrong_policies:
        around.wrong_policies[policy] = around.wrong_policy(policy)
    wrong = around.wrong_policies[policy]
    if wrong:
        raise ValueError(wrong)
    return policy


PolicyText = Annotated[str, Field(min_length=1), AfterValidator(_policy)]
StoreName = Annotated[str, AfterValidator(_store_name)]
StoreFile = Annotated[str, Field(min_length=1), AfterValidator(_readable_file)]


class TlsSettings(_Section):
    """The certificate to show to servers that ask for one, as in Prometheus' `tls_config`."""

    cert_file: str = Field(min_length=1)
    key_file: str = Field(min_length=1)

    @field_validator("cert_file", "key_file")
    @classmethod
    def _of_use(cls, value: str, info: ValidationInfo) -> str:
        path = _readable_file(value, info)
        if not isinstance(info.context, _Surroundings):
            return path
        cert_file = info.data.get("cert_file")
        try:
            if info.field_name == "cert_file":
                read_chain_file(path)
            elif cert_file is None:  # there is nothing yet that it could fit
                read_key_file(path)
            else:
                read_credentials(cert_file, path)
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
        return path


_PATH = re.compile(r"/[!-\"$-~]*")
"""What a request line can carry (RFC 9112, 3.2.1), less the fragment, which is not sent."""
_TEXT = re.compile(r"[!-~](?:[ -~]*[!-~])?")
"""Of a header field: printable ASCII, no blanks at its ends. Nothing else gets into a request."""
_COMMENT = re.compile(r"[!-'*-\[\]-~](?:[ -'*-\[\]-~]*[!-'*-\[\]-~])?")
"""As that, without what would end a comment in User-Agent (RFC 9110, 5.6.5)."""
MAX_HTTP_TEXT = 1000
"""Servers take some thousands of characters in a request line or a field."""


def _fits(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"{value!r} is not {what}")
        if len(value) > MAX_HTTP_TEXT:
            raise ValueError(f"is too long; at most {MAX_HTTP_TEXT} characters")
        return value

    return read


RequestPath = Annotated[
    str, AfterValidator(_fits(_PATH, "a path; it starts with / and is printable ASCII without blanks and #"))
]
FieldText = Annotated[
    str, AfterValidator(_fits(_TEXT, "the text of a header field; printable ASCII without blanks at its ends"))
]
Contact = Annotated[
    str, AfterValidator(_fits(_COMMENT, "a contact for User-Agent; printable ASCII without brackets and \\"))
]


class HttpSettings(_Section):
    """How servers are asked over HTTP, for protocol https alone."""

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


class ResolverSettings(_Section):
    """Which name servers answer the questions about DNS records (CAA); addresses always come from the system."""

    nameservers: list[Address] = Field(min_length=1)
    port: Port = 53
    timeout: Duration = timedelta(seconds=5)
    validating: bool = Field(default=False, strict=True)


def _table_file(text: str, info: ValidationInfo) -> str:
    path = _readable_file(text, info)
    if isinstance(info.context, _Surroundings):
        try:
            read_products(Path(path))
        except ConfigError as error:
            raise ValueError(str(error.problems[0])) from None
    return path


TableFile = Annotated[str, Field(min_length=1), AfterValidator(_table_file)]


class SoftwareSettings(_Section):
    """Until when software is maintained, by files in the form of endoflife.date's API."""

    eol_files: list[TableFile] = Field(default_factory=list)


class MetricsSettings(_Section):
    """How much detail `/metrics` shows."""

    detail: str = "default"

    @field_validator("detail")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in {"default", "full"}:
            raise ValueError(f"{value!r} is not one of default, full")
        return value


class _ScanSettings(_Section):
    """What can be said for all targets and for one."""

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
        """What `policies` says, else `policy`; none where neither does."""
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
        return None if value is None else _readable_file(value, info)


class GlobalSettings(_ScanSettings):
    """Defaults for every target, and what concerns the exporter as a whole."""

    policy: PolicyText = "kopano-checklist"
    scan_interval: Interval = timedelta(hours=6)
    timeout: Duration = timedelta(seconds=5)
    connections_per_host: Count = 4
    addresses: AddressesChoice = Addresses.ONE
    ip_protocol: IpProtocolChoice = IpProtocol.ANY
    max_concurrent_scans: Count = 10
    contact: Contact | None = None
    resolver: ResolverSettings | None = None
    trust_stores: dict[StoreName, StoreFile] = Field(default_factory=dict)


class TargetSettings(_ScanSettings):
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
            raise ValueError(f"{_shown(value)} is neither a mapping nor text such as www.example.com:443")
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
            TargetError: it cannot be read.
        """
        service = parse_service(text)
        protocol = None if service.starttls else service.protocol
        try:
            return cls(host=service.host, port=service.port, starttls=service.starttls, protocol=protocol)
        except ValidationError as error:
            raise TargetError(f"{text!r}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error

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
            raise ValueError(f"{value!r} is not one of {', '.join(known)}")
        return value

    @field_validator("mail_domain")
    @classmethod
    def _domain(cls, value: str | None) -> str | None:
        if value is not None and is_ip(value):
            raise ValueError(f"{value!r} is an IP address; mail domains are DNS names")
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
            raise ValueError(f"{value!r} is an IP address; server names are DNS names (RFC 6066, 3)")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.starttls and self.protocol:
            raise ValueError("protocol and starttls exclude each other")
        if self.protocol == "tls" and self.port is None:
            raise ValueError("protocol tls has no usual port: port is required")
        if self.http and self.effective_protocol != "https":
            raise ValueError(f"http is for protocol https; this is {self.effective_protocol}")
        if self.ehlo_name and self.starttls not in SAYS_EHLO:
            raise ValueError(f"ehlo_name is for starttls {' and '.join(SAYS_EHLO)}")
        return self

    @property
    def effective_port(self) -> int:
        """The port given, or the service's usual one."""
        usual = STARTTLS[self.starttls] if self.starttls else PROTOCOLS[self.protocol or "https"]
        return self.port or usual or 443

    @property
    def effective_protocol(self) -> str:
        """The protocol given, or what the port is registered for, or https."""
        return self.starttls or self.protocol or BY_PORT.get(self.effective_port, "https")

    @property
    def effective_name(self) -> str:
        """The name given, or `host:port`."""
        return self.name or default_name(self.host, self.effective_port)


class Config(_Section):
    """The whole file."""

    global_: GlobalSettings = Field(default_factory=GlobalSettings, alias="global")
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    software: SoftwareSettings = Field(default_factory=SoftwareSettings)
    targets: list[TargetSettings] = Field(default_factory=list)


def load_config(path: Path, wrong_policy: PolicyCheck, policy_name: PolicyName) -> Config:
    """Read and validate the file. Relative paths in it are relative to its folder, and come back absolute.

    Raises:
        ConfigError: with every problem of the file.
    """
    document = read_document(path)
    config, problems = validate(document, Config, _Surroundings(path.resolve().parent, wrong_policy))
    if config is not None:
        problems += _duplicates(config, document) + _too_long(config, document) + _too_old(config, document)
        problems += _too_often(config, document) + _unknown_stores(config, document)
        problems += _out_of_reach(config, document) + _resolved_elsewhere(config, document)
        problems += _policies_twice(config, document, policy_name)
    if problems or config is None:
        raise ConfigError(problems)
    return config


def is_policy_path(policy: str) -> bool:
    """Whether the text names a file and not a shipped policy."""
    return "/" in policy or policy.endswith((".yaml", ".yml"))


def _path(text: str, folder: Path) -> str:
    if "\0" in text:
        raise ValueError(f"{text!r} is not a path")
    return str(folder / text)


def _duplicates(config: Config, document: Document) -> list[Problem]:
    first: dict[str, int] = {}
    problems = []
    for index, target in enumerate(config.targets):
        name = target.effective_name
        if name in first:
            line = document.problem(("targets", first[name]), "").line
            message = f"duplicate target {name!r}, first on line {line}; give one of them another name"
            problems.append(document.problem(("targets", index), message))
        first.setdefault(name, index)
    return problems


def _against_interval(
    config: Config, document: Document, key: str, wrong: Callable[[timedelta, timedelta], bool], what: tuple[str, str]
) -> list[Problem]:
    """Every place where a duration does not fit the scan interval, by what a section says or inherits.

    `what` says it of the duration ("longer than") and of the interval ("shorter than").
    """
    usual = config.global_
    problems = []
    own = getattr(usual, key)
    if own and own != NEVER and wrong(own, usual.scan_interval):
        problems.append(document.problem(("global", key), f"is {what[0]} scan_interval"))
    for index, target in enumerate(config.targets):
        value = getattr(target, key) or own
        if not value or value == NEVER or not wrong(value, target.scan_interval or usual.scan_interval):
            continue
        path = ("targets", index)
        if getattr(target, key):
            whose = "" if target.scan_interval else "the global "
            problems.append(document.problem((*path, key), f"is {what[0]} {whose}scan_interval"))
        elif target.scan_interval:
            problems.append(document.problem((*path, "scan_interval"), f"is {what[1]} the global {key}"))
    return problems


def _too_long(config: Config, document: Document) -> list[Problem]:
    """Scans that may take longer than the time to the next one."""
    return _against_interval(config, document, "scan_timeout", operator.gt, ("longer than", "shorter than"))


def _too_old(config: Config, document: Document) -> list[Problem]:
    """Facts that would go before the next scan can renew them."""
    return _against_interval(config, document, "max_age", operator.lt, ("shorter than", "longer than"))


def _too_often(config: Config, document: Document) -> list[Problem]:
    """Attacks that are to be tried more often than there are scans."""
    what = ("shorter than", "longer than")
    return _against_interval(config, document, "vulnerability_interval", operator.lt, what)


def _unknown_stores(config: Config, document: Document) -> list[Problem]:
    """Names that no trust store has."""
    known = [SYSTEM, *config.global_.trust_stores]
    named: dict[tuple[str | int, ...], str | None] = {("global",): config.global_.trust_store}
    named |= {("targets", index): target.trust_store for index, target in enumerate(config.targets)}
    problems = []
    for section, name in named.items():
        if name is not None and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            problems.append(document.problem((*section, "trust_store"), f"unknown trust store {name!r}; {hint}"))
    return problems


def _out_of_reach(config: Config, document: Document) -> list[Problem]:
    """Addresses that are given, but are none that `ip_protocol` uses."""
    problems = []
    for index, target in enumerate(config.targets):
        key = "connect_address" if target.connect_address else "host"
        address = target.connect_address or target.host
        protocol = target.ip_protocol or config.global_.ip_protocol
        if is_ip(address) and not protocol.takes(address):
            whose = "" if target.ip_protocol else "the global "
            message = f"{address!r} is an IPv{ip_version(address)} address, but {whose}ip_protocol is {protocol}"
            problems.append(document.problem(("targets", index, key), message))
    return problems


def _resolved_elsewhere(config: Config, document: Document) -> list[Problem]:
    """Choices among the addresses of a name that only the proxy gets to know."""
    problems = []
    for index, target in enumerate(config.targets):
        proxy = target.proxy_url or config.global_.proxy_url
        if proxy in {None, DIRECT} or is_ip(target.connect_address or target.host):
            continue
        addresses = target.addresses or config.global_.addresses
        protocol = target.ip_protocol or config.global_.ip_protocol
        for key, choice, any_of_them in (
            ("addresses", addresses, Addresses.ONE),
            ("ip_protocol", protocol, IpProtocol.ANY),
        ):
            if choice is not any_of_them:
                message = f"is {choice}, but it is the proxy that resolves the name; it can only be {any_of_them}"
                problems.append(document.problem(("targets", index, key), message))
    return problems


def _policies_twice(config: Config, document: Document, policy_name: PolicyName) -> list[Problem]:
    """Policies of one list that have the same name, by which series and findings tell them apart."""
    sections: list[tuple[tuple[str | int, ...], _ScanSettings]] = [(("global",), config.global_)]
    sections += [(("targets", index), target) for index, target in enumerate(config.targets)]
    names: dict[str, str] = {}
    problems = []
    for section, settings in sections:
        seen: set[str] = set()
        for index, policy in enumerate(settings.policies or ()):
            name = names[policy] = names.get(policy) or policy_name(policy)
            if name in seen:
                problems.append(document.problem((*section, "policies", index), f"policy {name!r} is there twice"))
            seen.add(name)
    return problems
