"""Sections of the configuration file for sources of targets, in Prometheus' spelling."""

from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field

from exporter.config.relabelling import RelabelSettings
from exporter.config.section import Section
from exporter.config.values import Interval, whole_number

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


class FileSource(SourceSettings):
    """One entry of `file_sd_configs`."""

    files: list[str] = Field(min_length=1)
    refresh_interval: Interval = timedelta(minutes=5)
