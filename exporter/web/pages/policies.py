"""`/policies`: all policies that are known, and how their targets do."""

from collections import Counter
from collections.abc import Mapping

from starlette.requests import Request

from exporter.policy_counts import Standing, count_policies
from exporter.web.api.parameters import Parameters
from exporter.web.pages.page import PageData, WebPage
from exporter.web.pages.query import page_parameters


async def _values(data: PageData, request: Request, _name: str) -> Mapping[str, object]:
    page_parameters(Parameters, request)
    counts, none = await count_policies(data.api.queries.summaries()), Counter[Standing]()
    known = sorted(data.api.queries.policies(), key=lambda one: (one.targets == 0, one.policy.name))
    return {"known": [(one.policy, one.targets, counts.get(one.policy.name, none)) for one in known]}


PAGE = WebPage("/policies", "Policies", "policies.html", _values)
