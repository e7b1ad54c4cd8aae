"""Facts of the HTTP probe: the heads of a few responses, and what the plain port does."""

from dataclasses import dataclass
from enum import StrEnum

from exporter.facts.hsts import Hsts, parse_hsts
from exporter.model import Reason
from exporter.software.fields import SOURCES

HSTS_FIELD = "strict-transport-security"
LOWEST_ERROR = BAD_REQUEST = 400
"""RFC 9110, 15.5 and 15.6."""

REDIRECTS = {301, 302, 303, 307, 308}
"""RFC 9110, 15.4: redirects that a browser follows."""

MAX_FIELDS = 64
MAX_FIELD_CHARACTERS = 1024
"""Maximum number of header fields kept of a response, and characters kept of a value.

A policy is parsed from the complete value.
"""
JUDGED_FIELDS = frozenset({"location", *SOURCES})
"""Fields that verdicts use. Of those after the first `MAX_FIELDS`, as many again are kept: no long head hides them."""


class Asked(StrEnum):
    """The request that a response answers."""

    ROOT = "root"
    NOT_FOUND = "not_found"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The head of one response; redirects are not followed.

    Attributes:
        fields: header fields in the order received, names in lower case, values as Latin-1 text. Cut to the first
            `MAX_FIELDS` and as many of `JUDGED_FIELDS`, and each value to `MAX_FIELD_CHARACTERS`.
        hsts: the policy that a browser would keep from it; None when it would keep none.
        hsts_fields: every Strict-Transport-Security field as received, for evidence, cut in the same way.
    """

    request: Asked
    status: int
    fields: tuple[tuple[str, str], ...]
    hsts: Hsts | None
    hsts_fields: tuple[str, ...]

    @property
    def is_error(self) -> bool:
        """Whether it is an error response of the host that was asked.

        For the malformed request, that is status 400 only (RFC 9112, 3.2). With another status the server may have used
        the second Host field, and that host need not have a policy.
        """
        return self.status == BAD_REQUEST if self.request is Asked.MALFORMED else self.status >= LOWEST_ERROR

    @property
    def keeps_hsts(self) -> bool:
        """Whether a browser has a policy after it.

        With max-age=0 a browser forgets the policy it had (RFC 6797, 6.1.1).
        """
        return self.hsts is not None and self.hsts.max_age_seconds > 0

    def values(self, name: str) -> tuple[str, ...]:
        """The values of all fields with this (lower-case) name."""
        return tuple(value for key, value in self.fields if key == name)


def make_response(request: Asked, status: int, received: list[tuple[bytes, bytes]]) -> HttpResponse:
    """A response from its header fields as received."""
    fields = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in received]
    policies = [value for name, value in fields if name == HSTS_FIELD]
    behind = [field for field in fields[MAX_FIELDS:] if field[0] in JUDGED_FIELDS]
    kept = fields[:MAX_FIELDS] + behind[:MAX_FIELDS]
    return HttpResponse(
        request,
        status,
        tuple((name[:MAX_FIELD_CHARACTERS], value[:MAX_FIELD_CHARACTERS]) for name, value in kept),
        parse_hsts(policies),
        tuple(value[:MAX_FIELD_CHARACTERS] for value in policies[:MAX_FIELDS]),
    )


@dataclass(frozen=True, slots=True)
class PlainAnswer:
    """What the port without TLS does with a request for `/`.

    Attributes:
        redirects_to_https: the first answer redirects to https at the same host and the target's port; None when it is
            not known, for example where clients read its Location in different ways.
        location: the redirect's target, cut to `MAX_FIELD_CHARACTERS`; None without a redirect.
        reason: why nothing is known; `connect_refused` when nothing listens.
        detail: the reason for a person.
    """

    port: int
    redirects_to_https: bool | None = None
    status: int | None = None
    location: str | None = None
    reason: Reason | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HttpFacts:
    """All responses received, the one to the root first.

    Attributes:
        responses: at least one.
        http_redirect: None when the port without TLS was not asked.
        hsts_applies: False for a host that is an IP address: browsers keep no policy of it (RFC 6797, 8.1.1).
    """

    responses: tuple[HttpResponse, ...]
    http_redirect: PlainAnswer | None = None
    hsts_applies: bool = True

    @property
    def first(self) -> HttpResponse:
        """The response to the target's `http.path`."""
        return self.responses[0]

    @property
    def status(self) -> int:
        """Status of the first response."""
        return self.first.status

    @property
    def hsts(self) -> Hsts | None:
        """The policy that a browser would keep from the first response; None when it would keep none."""
        return self.first.hsts

    @property
    def hsts_fields(self) -> tuple[str, ...]:
        """Strict-Transport-Security fields of the first response, as received."""
        return self.first.hsts_fields

    @property
    def errors(self) -> tuple[HttpResponse, ...]:
        """The error responses."""
        return tuple(response for response in self.responses if response.is_error)

    @property
    def hsts_on_error_responses(self) -> bool | None:
        """Whether every error response received has a policy to keep; None when none was received."""
        return all(response.keeps_hsts for response in self.errors) if self.errors else None
