"""How HTTP facts are shown: metric families, samples, JSON."""

from collections.abc import Iterator
from typing import Annotated

from typing_extensions import TypedDict

from exporter.facts.form import Key
from exporter.facts.hsts import Hsts
from exporter.facts.http import Asked, HttpFacts, HttpResponse, PlainAnswer
from exporter.facts.shape import Shape
from exporter.model import Family, Reason, Sample, Unit

NO_HSTS = "when no response came by HTTP, and for a host that is an IP address, for which there is no HSTS"

MAX_AGE = Family(
    "tls_posture_hsts_max_age_seconds",
    "max-age of the HSTS policy, which browsers keep if they take the certificate; 0 without a valid one "
    "(as of the last scan)",
    Unit.SECONDS,
    NO_HSTS,
    example=31536000,
)
PRESENT = Family(
    "tls_posture_hsts_present",
    "Whether the response carries a valid HSTS policy (as of the last scan)",
    Unit.FLAG,
    NO_HSTS,
)
SUBDOMAINS = Family(
    "tls_posture_hsts_include_subdomains",
    "Whether the HSTS policy has includeSubDomains (as of the last scan)",
    Unit.FLAG,
    NO_HSTS,
)
PRELOAD = Family(
    "tls_posture_hsts_preload",
    "Whether the HSTS policy has preload (as of the last scan)",
    Unit.FLAG,
    NO_HSTS,
    example=0,
)
ON_ERRORS = Family(
    "tls_posture_hsts_on_error_responses",
    "Whether each error response that was seen carries an HSTS policy to keep, too (as of the last scan)",
    Unit.FLAG,
    "when no error response was seen, and for a host that is an IP address",
)
REDIRECTS = Family(
    "tls_posture_http_redirects_to_https",
    "Whether the first answer without TLS redirects to https on the same host (as of the last scan)",
    Unit.FLAG,
    "when the port without TLS was not asked, or its answer leaves it open",
)
FAMILIES = (MAX_AGE, PRESENT, SUBDOMAINS, PRELOAD, ON_ERRORS, REDIRECTS)


def samples(facts: HttpFacts) -> Iterator[Sample]:
    """Samples of what is known. HSTS is absent for IP addresses, because it does not exist for them."""
    if facts.hsts_applies:
        yield from _policy(facts.hsts)
        if facts.hsts_on_error_responses is not None:
            yield Sample(ON_ERRORS, facts.hsts_on_error_responses)
    if facts.http_redirect is not None and facts.http_redirect.redirects_to_https is not None:
        yield Sample(REDIRECTS, facts.http_redirect.redirects_to_https)


def _policy(hsts: Hsts | None) -> Iterator[Sample]:
    yield Sample(MAX_AGE, hsts.max_age_seconds if hsts else 0)
    yield Sample(PRESENT, hsts is not None)
    yield Sample(SUBDOMAINS, hsts is not None and hsts.include_subdomains)
    yield Sample(PRELOAD, hsts is not None and hsts.preload)


class HstsForm(TypedDict):
    """A valid HSTS policy (RFC 6797)."""

    max_age_seconds: Annotated[int, Key("how long a browser keeps it; 0 makes it forget the policy")]
    include_subdomains: Annotated[bool, Key("it has includeSubDomains")]
    preload: Annotated[bool, Key("it has preload, which the browsers' preload list asks for")]


class ResponseForm(TypedDict):
    """The head of one response."""

    request: Annotated[Asked, Key("what it answers: the configured path, a path that does not exist, or a bad request")]
    status: Annotated[int, Key("status code")]
    headers: Annotated[
        dict[str, list[str]],
        Key("names in lower case -> values in the order received; long values and very many fields are cut"),
    ]
    hsts: Annotated[HstsForm | None, Key("the policy a browser would take from it; null when it would take none")]


class RedirectForm(TypedDict):
    """What the port without TLS does with a request for `/`."""

    port: Annotated[int, Key("the port that was asked")]
    redirects_to_https: Annotated[
        bool | None, Key("its first answer leads to https at the same host and the target's port")
    ]
    # The relevant part of these is in `redirects_to_https`; correct machines differ in the rest.
    status: Annotated[int | None, Key("status code", compared=False)]
    location: Annotated[str | None, Key("where it leads; null when nowhere", compared=False)]
    reason: Annotated[Reason | None, Key("why nothing is known; `connect_refused` when nobody listens", compared=False)]
    detail: Annotated[str | None, Key("that, for a person", compared=False)]


class HttpForm(TypedDict):
    """What web servers answer."""

    # A machine that is drained or busy has another status, and is no less secure.
    status: Annotated[int, Key("of the response to the configured path", compared=False)]
    hsts_fields: Annotated[list[str], Key("its Strict-Transport-Security fields as received")]
    hsts: Annotated[HstsForm | None, Key("the policy a browser would keep from it; null when it would keep none")]
    hsts_on_error_responses: Annotated[
        bool | None, Key("every error response that came has a policy to keep; null when none came")
    ]
    # The relevant fields have keys of their own; the rest is dates, cookies and addresses of pages.
    responses: Annotated[list[ResponseForm], Key("all that came, the one above first", compared=False)]
    http_redirect: Annotated[RedirectForm | None, Key("the port without TLS; null when it was not looked at")]


class HttpKeys(TypedDict):
    """What is known from HTTP."""

    http: Annotated[HttpForm, Key("what web servers answer; of other protocols null")]


def document(facts: HttpFacts) -> HttpKeys:
    """The key `http` of the report's facts: the first response, then all responses, and the port without TLS."""
    return {
        "http": {
            "status": facts.status,
            "hsts_fields": list(facts.hsts_fields),
            "hsts": _hsts(facts.hsts),
            "hsts_on_error_responses": facts.hsts_on_error_responses,
            "responses": [_response(response) for response in facts.responses],
            "http_redirect": None if facts.http_redirect is None else _plain(facts.http_redirect),
        }
    }


def _hsts(hsts: Hsts | None) -> HstsForm | None:
    if hsts is None:
        return None
    return {
        "max_age_seconds": hsts.max_age_seconds,
        "include_subdomains": hsts.include_subdomains,
        "preload": hsts.preload,
    }


def _response(response: HttpResponse) -> ResponseForm:
    headers: dict[str, list[str]] = {}
    for name, value in response.fields:
        headers.setdefault(name, []).append(value)
    return {
        "request": response.request,
        "status": response.status,
        "headers": headers,
        "hsts": _hsts(response.hsts),
    }


def _plain(plain: PlainAnswer) -> RedirectForm:
    return {
        "port": plain.port,
        "redirects_to_https": plain.redirects_to_https,
        "status": plain.status,
        "location": plain.location,
        "reason": plain.reason,
        "detail": plain.detail or None,
    }


SHAPE = Shape(HttpFacts, HttpKeys, document, FAMILIES, samples=samples, title="HTTP")
