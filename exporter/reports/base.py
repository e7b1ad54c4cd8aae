"""What a format is. A new format is a file with a `FORMAT` and an entry in `exporter.reports.registry`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from exporter.model import Report, Target
from exporter.policies import Policy


@dataclass(frozen=True, slots=True)
class ReportSet:
    """What a document is made of.

    Attributes:
        reports: of each target one report for each address, at least one; the worst target first.
        policies: the policies of all of them, by name.
        made_at: the time of the reports.
        not_scanned: targets without any result, such as those that were due when the run was interrupted.
        full: metrics in full detail.
    """

    reports: Sequence[Sequence[Report]]
    policies: Mapping[str, Policy]
    made_at: datetime
    not_scanned: Sequence[Target] = ()
    full: bool = False


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        name: for `--format`, and in paths.
        media_type: for the header field.
        extension: of files, without a dot.
        render: the document; text of servers is escaped as the format needs it.
    """

    name: str
    media_type: str
    extension: str
    render: Callable[[ReportSet], str]


def used_policies(reports: Sequence[Sequence[Report]], known: Iterable[Policy]) -> dict[str, Policy]:
    """Those of the policies that these reports are judged by, by name."""
    named = {policy.name: policy for policy in known}
    return {name: named[name] for of_target in reports for name in of_target[0].policies}
