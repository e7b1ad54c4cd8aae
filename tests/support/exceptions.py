"""Accepted failures for tests."""

from dataclasses import replace
from datetime import date
from typing import Any

from exporter.config.exceptions import ExceptionSettings
from exporter.exceptions import Exceptions, read_exceptions
from exporter.model import Report

UNTIL = date(2026, 12, 31)


def exceptions(**changes: Any) -> Exceptions:  # noqa: ANN401 - any key of an exception
    """One exception: it accepts HSTS failures of all targets until the end of the year."""
    usual = {"match": "{}", "check": "hsts", "until": UNTIL, "reason": "It moves.", "accepted_by": "Jane"}
    return read_exceptions([ExceptionSettings.model_validate(usual | changes)])


def accepted(report: Report, **changes: Any) -> Report:  # noqa: ANN401 - as above
    """The report as it is with such an exception."""
    return replace(report, findings=exceptions(**changes).applied(report.target, report.findings, report.judged_on))
