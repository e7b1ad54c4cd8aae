"""HTTP facts as samples and as the report's document."""

from collections.abc import Iterator

from exporter.facts.hsts import Hsts
from exporter.facts.http import HttpFacts, HttpResponse, PlainAnswer
from exporter.facts.shape import Shape
from exporter.model import Family, Sample

MAX_AGE = Family(
    "tls_posture_hsts_max_age_seconds",
    "max-age of the HSTS policy, which browsers keep if they take the certificate; 0 without a valid one "
    "(as of the last scan)",
)
PRESENT = Family("tls_posture_hsts_present", "Whether the response carries a valid HSTS policy (as of the last scan)")
SUBDOMAINS = Family(
    "tls_posture_hsts_include_subdomains", "Whether the HSTS policy has includeSubDomains (as of the last scan)"
)
PRELOAD = Family("tls_posture_hsts_preload", "Whether the HSTS policy has preload (as of the last scan)")
ON_ERRORS = Family(
    "tls_posture_hsts_on_error_responses",
    "Whether each error response that was seen carries an HSTS policy to keep, too (as of the last scan)",
)
REDIRECTS = Family(
    "tls_posture_http_redirects_to_https",
    "Whether the first answer without TLS redirects to https on the same host (as of the last scan)",
)
FAMILIES = (MAX_AGE, PRESENT, SUBDOMAINS, PRELOAD, ON_ERRORS, REDIRECTS)


def samples(facts: HttpFacts) -> Iterator[Sample]:
    """Unknown is absent; so is HSTS for addresses, for which it does not exist."""
    if facts.hsts_applies:
        yield from _policy(facts.hsts)
        if facts.hsts_on_error_responses is not None:
            yield Sample(ON_ERRORS, facts.hsts_on_error_responses)
    if facts.plain is not None and facts.plain.redirects is not None:
        yield Sample(REDIRECTS, facts.plain.redirects)


def _policy(hsts: Hsts | None) -> Iterator[Sample]:
    yield Sample(MAX_AGE, hsts.max_age_seconds if hsts else 0)
    yield Sample(PRESENT, hsts is not None)
    yield Sample(SUBDOMAINS, hsts is not None and hsts.include_subdomains)
    yield Sample(PRELOAD, hsts is not None and hsts.preload)


def document(facts: HttpFacts) -> dict[str, object]:
    """The key `http` of the report's facts: the first response, then all that came, and the port without TLS."""
    return {
        "http": {
            "status": facts.status,
            "hsts_fields": list(facts.hsts_fields),
            "hsts": _hsts(facts.hsts),
            "hsts_on_error_responses": facts.hsts_on_error_responses,
            "responses": [_response(response) for response in facts.responses],
            "http_redirect": None if facts.plain is None else _plain(facts.plain),
        }
    }


def _hsts(hsts: Hsts | None) -> dict[str, object] | None:
    if hsts is None:
        return None
    return {
        "max_age_seconds": hsts.max_age_seconds,
        "include_subdomains": hsts.include_subdomains,
        "preload": hsts.preload,
    }


def _response(response: HttpResponse) -> dict[str, object]:
    headers: dict[str, list[str]] = {}
    for name, value in response.fields:
        headers.setdefault(name, []).append(value)
    return {
        "request": response.request,
        "status": response.status,
        "headers": headers,
        "hsts": _hsts(response.hsts),
    }


def _plain(plain: PlainAnswer) -> dict[str, object]:
    return {
        "port": plain.port,
        "redirects_to_https": plain.redirects,
        "status": plain.status,
        "location": plain.location,
        "reason": plain.reason,
        "detail": plain.detail or None,
    }


SHAPE = Shape(HttpFacts, document, FAMILIES, samples=samples)
