"""What the log says of each scan: one line with its outcome, and one for each probe that failed."""

import logging
from collections.abc import Sequence

from exporter.grade import Grade
from exporter.logs import fields
from exporter.model import Report

log = logging.getLogger(__name__)


def log_scan(reports: Sequence[Report]) -> None:
    """Log the scan that these reports of one target are about; a line for each address."""
    for report in reports:
        result, grade = report.result, report.facts.get(Grade)
        log.info(
            "scanned",
            extra=fields(
                target=report.target.name,
                address=report.address,
                outcome="success" if result.success else "failure",
                duration_seconds=round(result.duration_seconds, 3),
                connections=result.connections,
                grade=None if grade is None or grade.letter is None else str(grade.letter),
                reason=None if result.success or not result.failures else str(result.failures[0].reason),
            ),
        )
        for failure in result.failures:
            known = {"target": report.target.name, "address": report.address}
            why = {"probe": failure.probe, "reason": str(failure.reason), "detail": failure.detail}
            log.warning("probe failed", extra=fields(**known, **why))
