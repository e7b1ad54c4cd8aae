"""`prometheus`: the families about targets as on `/metrics`, without the exporter's own.

Targets without a result have no samples.
"""

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from exporter.metrics import render_reports, target_text
from exporter.reports.base import Format, ReportSet


def families_text(reports: ReportSet) -> str:
    """The lines of all families; gauges have the same text in the text format and in OpenMetrics."""
    return target_text(
        render_reports(of_target, [reports.policies[name] for name in of_target[0].policies], full=reports.full)
        for of_target in reports.reports
    )


FORMAT = Format("prometheus", CONTENT_TYPE_PLAIN_0_0_4, "prom", families_text)
