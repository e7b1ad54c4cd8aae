"""Reports judged by policies that need not be those of the target."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from exporter.judge import Judge
from exporter.model import Report, ScanResult, Target
from exporter.policies import Policy


def judge_by(*policies: Policy) -> Judge:
    """A judge with these policies, by their names, and without other addresses of a target."""
    return Judge({policy.name: policy for policy in policies})


def under(target: Target, policies: Sequence[Policy]) -> Target:
    """The target, with these policies."""
    names = tuple(policy.name for policy in policies)
    return target if target.policies == names else replace(target, policies=names)


def report_after(
    result: ScanResult, policies: Sequence[Policy], now: datetime, previous: Report | None = None
) -> Report:
    """The report after a scan at one address."""
    judged = replace(result, target=under(result.target, policies))
    (report,) = judge_by(*policies).after_scan([judged], now, [previous] if previous else ())
    return report


def report_later(report: Report, target: Target, policies: Sequence[Policy], now: datetime) -> Report:
    """The report at a later time."""
    (later,) = judge_by(*policies).reports([report], under(target, policies), now)
    return later
