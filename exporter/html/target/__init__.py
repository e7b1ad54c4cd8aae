"""One target for people: views that `templates/target/` shows, on its page and in reports in HTML."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from exporter.html.target.history import ShownHistory, shown_history, since
from exporter.html.target.view import AddressView, TargetView, address_view, target_view, worst_first
from exporter.model import Report
from exporter.policies import Policy

__all__ = [
    "AddressView",
    "ShownHistory",
    "TargetView",
    "address_view",
    "shown_history",
    "since",
    "target_view",
    "view_of_reports",
    "worst_first",
]


def view_of_reports(reports: Sequence[Report], policies: Mapping[str, Policy], now: datetime) -> TargetView:
    """The view of one scanned target, without a history; `policies` by their names."""
    own = [policies[name] for name in reports[0].policies]
    addresses = [address_view(report, own, place, now) for place, report in enumerate(worst_first(reports))]
    return target_view(reports[0].target, own, addresses, now=now)
