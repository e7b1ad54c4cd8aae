"""The configuration file: its schema, its defaults, and every mistake in it at once.

Owns no decisions about scanning; gives validated settings that `exporter.targets` turns into targets.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from exporter.errors import ConfigError, Problem, TargetError
from exporter.model import is_ip
from exporter.services import BY_PORT, PROTOCOLS, STARTTLS, default_name, normal_host, parse_service
from exporter.yamlfile import Document, read_document, validate

_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)
_UNITS_SECONDS = (31_536_000, 604_800, 86_400, 3_600, 60, 1, 0.001)
_LONGEST_SECONDS = 10 * 31_536_000

RESERVED_LABELS = frozenset(
    {
        *("target", "address", "host", "port", "protocol", "starttls", "server_name", "policy", "zone"),
        *("probe", "reason", "cipher_suite", "compliant", "group", "vulnerability", "client"),
        *("key_algorithm", "key_size", "signature_algorithm", "subject", "issuer", "serial", "fingerprint_sha256"),
        *("product", "version", "tag", "check", "severity", "grade", "capped_by"),
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
        raise ValueError(f"{text!r} is not a duration; write 30s, 5m, 1h30m or 2d")
    numbers = [float(number or 0) if len(number or "") < 12 else float(_LONGEST_SECONDS) for number in match.groups()]
    seconds = sum(number * unit for number, unit in zip(numbers, _UNITS_SECONDS, strict=True))
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise ValueError(f"{text!r} is out of range; a duration is longer than zero and at most ten years")
    return timedelta(seconds=seconds)


def _not_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("is not a number")
    return value


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Port = Annotated[int, BeforeValidator(_not_bool), Field(ge=1, le=65535, strict=True)]
Count = Annotated[int, BeforeValidator(_not_bool), Field(ge=1, le=10_000, strict=True)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ResolverSettings(_Section):
    """Which name servers answer the questions about DNS records (CAA); addresses always come from the system."""

    nameservers: list[str] = Field(min_length=1)
    port: Port = 53
    timeout: Duration = timedelta(seconds=5)

    @field_validator("nameservers")
    @classmethod
    def _addresses(cls, value: list[str]) -> list[str]:
        for address in value:
            if not is_ip(address):
                raise ValueError(f"{address!r} is not an IP address")
        return value


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

    policy: str | None = Field(default=None, min_length=1)
    scan_interval: Duration | None = None
    scan_timeout: Duration | None = None
    timeout: Duration | None = None
    max_age: Duration | None = None
    connections_per_host: Count | None = None
    ca_file: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _timeout_within_interval(self) -> Self:
        if self.scan_timeout and self.scan_interval and self.scan_timeout > self.scan_interval:
            raise ValueError("scan_timeout is longer than scan_interval")
        return self


class GlobalSettings(_ScanSettings):
    """Defaults for every target, and what concerns the exporter as a whole."""

    policy: str = Field(default="kopano-checklist", min_length=1)
    scan_interval: Duration = timedelta(hours=6)
    timeout: Duration = timedelta(seconds=5)
    connections_per_host: Count = 4
    max_concurrent_scans: Count = 10
    resolver: ResolverSettings | None = None


class TargetSettings(_ScanSettings):
    """One entry of `targets:`; a plain string there is the text form of a target."""

    host: str
    port: Port | None = None
    name: str | None = Field(default=None, min_length=1, max_length=200)
    protocol: str | None = None
    starttls: str | None = None
    server_name: str | None = None
    connect_address: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:  # noqa: ANN401 - pydantic's signature
        if not isinstance(value, str):
            return value
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

    @field_validator("host", "server_name", "connect_address")
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
    def _known(cls, value: str | None, info: Any) -> str | None:  # noqa: ANN401 - pydantic's signature
        known = list(STARTTLS if info.field_name == "starttls" else PROTOCOLS)
        if value is not None and value not in known:
            raise ValueError(f"{value!r} is not one of {', '.join(known)}")
        return value

    @field_validator("labels")
    @classmethod
    def _label_names(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or name.startswith("__"):
                raise ValueError(f"{name!r} is not a label name")
            if name in RESERVED_LABELS:
                raise ValueError(f"{name!r} is a label of the exporter's own")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.starttls and self.protocol:
            raise ValueError("protocol and starttls exclude each other")
        if self.protocol == "tls" and self.port is None:
            raise ValueError("protocol tls has no usual port: port is required")
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
    targets: list[TargetSettings] = Field(default_factory=list)


PolicyCheck = Callable[[str], str | None]
"""Says what is wrong with the name (or path) of a policy, None when nothing is."""


def load_config(path: Path, wrong_policy: PolicyCheck) -> Config:
    """Read and validate the file. Relative paths in it are relative to its folder, and come back absolute.

    Raises:
        ConfigError: with every problem of the file.
    """
    document = read_document(path)
    config, problems = validate(document, Config)
    if isinstance(config, Config):
        config = _absolute(config, path.resolve().parent)
        problems += _duplicates(config, document) + _references(config, document, wrong_policy)
        problems += _too_long(config, document)
    if problems or not isinstance(config, Config):
        raise ConfigError(problems)
    return config


def is_policy_path(policy: str) -> bool:
    """Whether the text names a file and not a shipped policy."""
    return "/" in policy or policy.endswith((".yaml", ".yml"))


def _absolute(config: Config, folder: Path) -> Config:
    def settled(section: _ScanSettings) -> dict[str, object]:
        changes: dict[str, object] = {}
        if section.ca_file:
            changes["ca_file"] = str(folder / section.ca_file)
        if section.policy and is_policy_path(section.policy):
            changes["policy"] = str(folder / section.policy)
        return changes

    return config.model_copy(
        update={
            "global_": config.global_.model_copy(update=settled(config.global_)),
            "targets": [target.model_copy(update=settled(target)) for target in config.targets],
        }
    )


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


def _references(config: Config, document: Document, wrong_policy: PolicyCheck) -> list[Problem]:
    """Files and policies that the settings name and that are not there."""
    sections: list[tuple[tuple[str | int, ...], _ScanSettings]] = [(("global",), config.global_)]
    sections += [(("targets", index), target) for index, target in enumerate(config.targets)]
    problems = []
    seen: dict[str, str | None] = {}
    for path, section in sections:
        if section.policy:
            if section.policy not in seen:
                seen[section.policy] = wrong_policy(section.policy)
            wrong = seen[section.policy]
            if wrong:
                problems.append(document.problem((*path, "policy"), wrong))
        if section.ca_file and not Path(section.ca_file).is_file():
            problems.append(document.problem((*path, "ca_file"), f"there is no file {section.ca_file}"))
    return problems


def _too_long(config: Config, document: Document) -> list[Problem]:
    """A target's own scan_timeout against the interval it inherits, or the other way round."""
    problems = []
    for index, target in enumerate(config.targets):
        interval = target.scan_interval or config.global_.scan_interval
        timeout = target.scan_timeout
        if timeout and not target.scan_interval and timeout > interval:
            path = ("targets", index, "scan_timeout")
            problems.append(document.problem(path, "scan_timeout is longer than scan_interval"))
    return problems
