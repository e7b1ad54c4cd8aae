"""`/policies/NAME`: what a policy asks, and who fails what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date

from starlette.requests import Request

from exporter.checks.registry import CHECKS
from exporter.judging.check import Demand
from exporter.policies import Policy
from exporter.policy_counts import CheckCounts, PolicyCounts, count_policy
from exporter.web.api.parameters import Parameters
from exporter.web.pages.page import PageData, PageNotFoundError, WebPage
from exporter.web.pages.query import page_parameters

_CHECK = {check.name: check for check in CHECKS}


@dataclass(frozen=True, slots=True)
class DemandView:
    """A demand, as a phrase and whether it is in force today."""

    demand: Demand
    asks: str
    is_in_force: bool


@dataclass(frozen=True, slots=True)
class CheckView:
    """A check of the policy: its demands, the worst first, and how targets do."""

    name: str
    demands: Sequence[DemandView]
    counts: CheckCounts


def _checks(policy: Policy, counts: PolicyCounts, today: date) -> list[CheckView]:
    return [
        CheckView(
            name,
            [DemandView(one, _CHECK[name].asks(one), one.counts(today)) for one in demands],
            counts.checks.get(name, CheckCounts()),
        )
        for name, demands in policy.demands.items()
    ]


async def _values(data: PageData, request: Request, name: str) -> Mapping[str, object]:
    page_parameters(Parameters, request)
    queries = data.api.queries
    found = next((one.policy for one in queries.policies() if one.policy.name == name), None)
    if found is None:
        raise PageNotFoundError(f"There is no policy {name!r}")
    counts = await count_policy(queries.summaries(), name)
    today = queries.now.astimezone(UTC).date()
    return {"policy": found, "counts": counts, "checks": _checks(found, counts, today)}


PAGE = WebPage("/policies/{name}", "Policies", "policy.html", _values)
