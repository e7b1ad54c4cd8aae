"""`json`: the published form; docs/report.schema.json is its schema."""

from exporter.report import reports_json
from exporter.reports.base import Format, ReportSet


def _render(reports: ReportSet) -> str:
    return reports_json(report for of_target in reports.reports for report in of_target) + "\n"


FORMAT = Format("json", "application/json", "json", _render)
