"""Sections of the configuration file for sources of targets, in Prometheus' spelling."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from exporter.config.relabelling import RelabelSettings
from exporter.config.section import Section
from exporter.config.values import Interval, Surroundings, absolute_path, whole_number
from exporter.quoting import quoted

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
