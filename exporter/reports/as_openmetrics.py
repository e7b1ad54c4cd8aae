"""`openmetrics`: as `prometheus`, in OpenMetrics 1.0."""

from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST

from exporter.reports.as_prometheus import families_text
from exporter.reports.base import Format, ReportSet


def _render(reports: ReportSet) -> str:
    return f"{families_text(reports)}# EOF\n"


FORMAT = Format("openmetrics", CONTENT_TYPE_LATEST, "om", _render)
