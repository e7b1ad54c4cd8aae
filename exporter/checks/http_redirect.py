"""Check `http_redirect`: where a server answers without TLS, it first redirects to https on the same host.

RFC 6797, 7.2 demands this order: a browser that is redirected to another host first never sees this host's policy.
"""

from typing import Literal

from exporter.case import Case
from exporter.facts.http import HttpFacts
from exporter.judging.check import Check, Demand, Outcome, failed, not_applicable, passed, unknown
from exporter.model import Reason, Remedy
from exporter.remedies.http import redirect_change
from exporter.remedies.servers import remedies


class HttpRedirectDemand(Demand):
    """The first response must be the redirect."""

    required: Literal[True]


def _judge(case: Case, _demand: HttpRedirectDemand) -> Outcome:
    if case.target.protocol != "https":
        return not_applicable(f"the redirect is for https; this is {case.target.protocol}")
    if case.target.http.port is None:
        return not_applicable("no port without TLS is looked at")
    facts = case.facts.get(HttpFacts)
    plain = facts.http_redirect if facts else None
    if plain is None:
        return unknown("the port without TLS was not looked at")
    if plain.reason is Reason.CONNECT_REFUSED:
        return not_applicable(f"nobody listens on port {plain.port}")
    if plain.redirects_to_https is None:
        return unknown(f"what port {plain.port} does is not known: {plain.reason}", {"port": (plain.detail,)})
    if plain.redirects_to_https:
        return passed(f"port {plain.port} redirects to https on the same host")
    evidence = {"location": (plain.location,)} if plain.location is not None else None
    return failed(f"port {plain.port} answers {plain.status} and does not redirect to https on the same host", evidence)


def _remedy(case: Case, _demand: HttpRedirectDemand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """The redirect from port 80 to the target."""
    return remedies(case, redirect_change(case.target))


CHECK = Check(
    name="http_redirect",
    why=(
        "Visitors who type a name may arrive at port 80. The redirect leads them to TLS, and to this host's "
        "HSTS policy."
    ),
    demand=HttpRedirectDemand,
    verdict=_judge,
    asks=lambda _demand: "a redirect from http to https on the same host",
    remedy=_remedy,
)
