"""Sections of the configuration file for sources of targets, in Prometheus' spelling."""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from exporter.config.relabelling import RelabelSettings
from exporter.config.section import Section
from exporter.config.values import Interval, Port, Surroundings, absolute_path, whole_number
from exporter.errors import TargetError
from exporter.model import is_ip
from exporter.nearest import not_one_of
from exporter.quoting import quoted, shown
from exporter.services import normal_host

TARGET_LIMIT = 10_000
"""Most targets of one source, unless it says otherwise. A defect of a source must not lead to scans of a network."""
MOST_TARGETS = 100_000

TargetLimit = Annotated[int, BeforeValidator(whole_number(1, MOST_TARGETS)), Field(ge=1, le=MOST_TARGETS, strict=True)]


class SourceSettings(Section):
    """What every source of targets has.

    Attributes:
        refresh_interval: how often it is asked.
        target_limit: a list with more targets, before relabelling, is refused.
        allow_empty: whether a list may become empty. If not, the last one stays.
        relabel_configs: rules for its targets, before those for all targets.
    """

    refresh_interval: Interval
    target_limit: TargetLimit = TARGET_LIMIT
    allow_empty: bool = Field(default=False, strict=True)
    relabel_configs: list[RelabelSettings] = Field(default_factory=list)


_FILES = re.compile(r"[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)")
"""Source: patFileSDName in discovery/file/file.go of Prometheus."""


def _files(text: str, info: ValidationInfo) -> str:
    """The absolute path, or a pattern of paths."""
    if not _FILES.fullmatch(text):
        kinds = ".json, .yml or .yaml"
        raise ValueError(f"{quoted(text)} is not valid for file discovery; it ends in {kinds}, with * after the last /")
    if any(char in text.rpartition("/")[0] for char in "?["):
        raise ValueError(f"{quoted(text)} is not valid for file discovery; only what follows the last / is a pattern")
    return absolute_path(text, info.context.folder) if isinstance(info.context, Surroundings) else text


class FileSource(SourceSettings):
    """One entry of `file_sd_configs`."""

    files: list[Annotated[str, AfterValidator(_files)]] = Field(min_length=1)
    refresh_interval: Interval = timedelta(minutes=5)


class DnsRecordType(StrEnum):
    """Records that name targets."""

    A = "A"
    AAAA = "AAAA"
    MX = "MX"
    NS = "NS"
    SRV = "SRV"


def _record_type(value: object) -> DnsRecordType:
    """The type; in lower case too, as Prometheus reads it."""
    kind = value.upper() if isinstance(value, str) else value
    if kind not in list(DnsRecordType):
        raise ValueError(not_one_of(shown(value), value, list(DnsRecordType)))
    return DnsRecordType(str(kind))


def _dns_name(text: str) -> str:
    try:
        host = normal_host(text)
    except TargetError:
        raise ValueError(f"{quoted(text)} is not a DNS name") from None
    if is_ip(host):
        raise ValueError(f"{quoted(text)} is an IP address, not a DNS name")
    return text


SMTP_PORT = 25


class DnsSource(SourceSettings):
    """One entry of `dns_sd_configs`.

    Attributes:
        names: as they are written; a final dot makes a name absolute.
        port: of the targets. SRV records have their own.
    """

    names: list[Annotated[str, AfterValidator(_dns_name)]] = Field(min_length=1)
    type: Annotated[DnsRecordType, BeforeValidator(_record_type)] = DnsRecordType.SRV
    port: Port | None = None
    refresh_interval: Interval = timedelta(seconds=30)

    @model_validator(mode="after")
    def _has_port(self) -> Self:
        if self.port is None and self.type not in {DnsRecordType.SRV, DnsRecordType.MX}:
            raise ValueError(f"port is required for type {self.type}")
        return self

    @property
    def effective_port(self) -> int:
        """The given port, or that of SMTP between mail servers. It has no meaning for SRV records."""
        return self.port or SMTP_PORT
