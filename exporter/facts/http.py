"""What the HTTP probe saw: the heads of a few responses, and what the plain port does."""

from dataclasses import dataclass
from enum import StrEnum

from exporter.facts.hsts import Hsts, parse_hsts
from exporter.model import Reason
from exporter.software.fields import SOURCES

HSTS_FIELD = "strict-transport-security"
LOWEST_ERROR = BAD_REQUEST = 400
"""RFC 9110, 15.5 and 15.6."""

REDIRECTS = {301, 302, 303, 307, 308}
"""RFC 9110, 15.4: those that a browser goes along with."""

MAX_FIELDS = 64
MAX_FIELD_CHARACTERS = 1024
"""Of one response, and of one value, are kept; a policy is read from all of it."""
JUDGED_FIELDS = frozenset({"location", *SOURCES})
"""What verdicts are made of: as many of them are kept wherever they stand, or a long head would hide them."""


class Asked(StrEnum):
    """What a response was given to."""

    ROOT = "root"
    NOT_FOUND = "not_found"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The head of one response; redirects are not followed.

    Attributes:
        fields: header fields in the order received, names in lower case, values as Latin-1 text; cut to the first
            `MAX_FIELDS` and the first so many of `JUDGED_FIELDS`, and each value to `MAX_FIELD_CHARACTERS`.
        hsts: the policy a browser would take from it; None when it would take none.
        hsts_fields: every Strict-Transport-Security field as received, for evidence, cut likewise.
    """

    request: Asked
    status: int
    fields: tuple[tuple[str, str], ...]
    hsts: Hsts | None
    hsts_fields: tuple[str, ...]

    @property
    def is_error(self) -> bool:
        """It is an error response of the host that was asked.

        To the malformed request that is 400 alone (RFC 9112, 3.2): with another status the second Host field may have
        been followed, to a host that nobody said has a policy.
        """
        return self.status == BAD_REQUEST if self.request is Asked.MALFORMED else self.status >= LOWEST_ERROR

    @property
    def keeps_hsts(self) -> bool:
        """A browser has a policy behind it; with max-age=0 it forgets the one it had (RFC 6797, 6.1.1)."""
        return self.hsts is not None and self.hsts.max_age_seconds > 0

    def values(self, name: str) -> tuple[str, ...]:
        """The values of all fields of this (lower-case) name."""
        return tuple(value for key, value in self.fields if key == name)


def make_response(request: Asked, status: int, received: list[tuple[bytes, bytes]]) -> HttpResponse:
    """A response from its header fields as they came."""
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
        redirects_to_https: the first answer leads to https at the same host and the target's port; None when it is not
            known, which it is not where clients read its Location in different ways.
        location: where it leads, cut to `MAX_FIELD_CHARACTERS`; None when nowhere.
        reason: why nothing is known; `connect_refused` when nobody listens.
        detail: that, for a person.
    """

    port: int
    redirects_to_https: bool | None = None
    status: int | None = None
    location: str | None = None
    reason: Reason | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HttpFacts:
    """All responses that came, the one to the root first.

    Attributes:
        responses: at least one.
        http_redirect: None when the port without TLS was not looked at.
        hsts_applies: False for a host that is an IP address, of which browsers keep no policy (RFC 6797, 8.1.1).
    """

    responses: tuple[HttpResponse, ...]
    http_redirect: PlainAnswer | None = None
    hsts_applies: bool = True

    @property
    def first(self) -> HttpResponse:
        """The response to what the target's `http.path` names."""
        return self.responses[0]

    @property
    def status(self) -> int:
        """Of the first response."""
        return self.first.status

    @property
    def hsts(self) -> Hsts | None:
        """The policy a browser would keep from the first response; None when it would keep none."""
        return self.first.hsts

    @property
    def hsts_fields(self) -> tuple[str, ...]:
        """Of the first response, as received."""
        return self.first.hsts_fields

    @property
    def errors(self) -> tuple[HttpResponse, ...]:
        """The error responses among them."""
        return tuple(response for response in self.responses if response.is_error)

    @property
    def hsts_on_error_responses(self) -> bool | None:
        """Every error response that came has a policy to keep; None when none came."""
        return all(response.keeps_hsts for response in self.errors) if self.errors else None
