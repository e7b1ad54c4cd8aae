"""Check `hsts_on_errors`: error responses also have an HSTS policy that browsers keep for long enough.

RFC 6797, 7.1 treats all responses the same. Servers do not: nginx's `add_header` needs `always` for responses with
status 400 and above, and so does Apache httpd's `Header set`. lighttpd, Caddy and HAProxy answer malformed requests
themselves, before they apply such a line.
"""

from collections.abc import Iterator

from pydantic import Field

from exporter.case import Case
from exporter.checks.hsts import ignored, what_was_answered
from exporter.facts.http import Asked, HttpResponse
from exporter.judging.check import Check, Demand, Outcome, failed, passed, unknown
from exporter.model import Remedy
from exporter.remedies.http import NEEDS_CERTIFICATE, header_change, hsts_value
from exporter.remedies.servers import remedies


class HstsOnErrorsDemand(Demand):
    """Minimum max-age, in seconds, and the requests whose error responses must have it.

    All three kinds of requests count unless the policy names some. Browsers never send the request of `malformed`.
    """

    min_max_age_seconds: int = Field(default=1, ge=1, strict=True)
    requests: frozenset[Asked] = Field(default=frozenset(Asked), min_length=1)


def _judge(case: Case, demand: HstsOnErrorsDemand) -> Outcome:
    facts = what_was_answered(case)
    if isinstance(facts, Outcome):
        return facts
    errors = [response for response in facts.errors if response.request in demand.requests]
    if not errors:
        # Requests that the policy leaves out can show that every response has the header, but never that one lacks it.
        errors = list(facts.errors)
        if not errors or dict(_lacking(errors, demand)):
            return unknown("no error response was seen that counts")
    evidence = dict(_lacking(errors, demand))
    if evidence:
        return failed(f"{len(evidence)} of {len(errors)} error responses lack the HSTS policy", evidence)
    return ignored(case) or passed(
        f"{len(errors)} error response{' carries' if len(errors) == 1 else 's carry'} the HSTS policy"
    )


def _lacking(errors: list[HttpResponse], demand: HstsOnErrorsDemand) -> Iterator[tuple[str, tuple[str, ...]]]:
    for response in errors:
        if response.hsts is None or response.hsts.max_age_seconds < demand.min_max_age_seconds:
            yield f"{response.request} ({response.status})", response.hsts_fields or ("no HSTS header",)


def _asks(demand: HstsOnErrorsDemand) -> str:
    requests = ", ".join(request for request in Asked if request in demand.requests)
    return f"an HSTS header with a max-age of {demand.min_max_age_seconds} seconds or more on errors too ({requests})"


def _remedy(case: Case, demand: HstsOnErrorsDemand, outcome: Outcome) -> tuple[Remedy, ...]:
    """The header with the demanded max-age, in the form that covers errors; a certificate where the header is good."""
    if not outcome.evidence:
        return remedies(case, NEEDS_CERTIFICATE)
    malformed = any(key.startswith(Asked.MALFORMED) for key in outcome.evidence)
    return remedies(case, header_change(hsts_value(case, demand.min_max_age_seconds), malformed=malformed))


CHECK = Check(
    name="hsts_on_errors",
    why=(
        "The first response that a browser gets may be an error. If it has no HSTS policy, the browser does "
        "not learn the policy."
    ),
    demand=HstsOnErrorsDemand,
    verdict=_judge,
    asks=_asks,
    remedy=_remedy,
)
