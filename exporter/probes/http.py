"""HTTP probe: one request for `/` over the best TLS the server takes, and what its response head says.

Redirects are not followed: a browser keeps the HSTS policy of the very response it gets (RFC 6797, 8.1).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import h11

from exporter import __version__
from exporter.errors import ProbeError
from exporter.model import Family, Reason, Sample, Target
from exporter.net.dial import PeerFloodError, PeerResetError, PeerSilentError
from exporter.net.tls import TLSSession, tls_session
from exporter.probes.base import Probe, Session
from exporter.probes.hsts import Hsts, parse_hsts

MAX_HEAD_BYTES = 65536
HSTS_FIELD = "strict-transport-security"


@dataclass(frozen=True, slots=True)
class HttpFacts:
    """The head of the first response.

    Attributes:
        hsts: the policy a browser would keep; None when it would keep none.
        hsts_applies: False for a host that is an IP address, of which browsers keep no policy (RFC 6797, 8.1.1).
        hsts_fields: every such header field as received, for evidence.
    """

    status: int
    hsts: Hsts | None
    hsts_fields: tuple[str, ...]
    hsts_applies: bool = True


def _host_field(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if target.port == 443 else f"{host}:{target.port}"


def _request(target: Target) -> h11.Request:
    return h11.Request(
        method="GET",
        target="/",
        headers=[
            ("Host", _host_field(target)),
            ("User-Agent", f"tls-posture-exporter/{__version__}"),
            ("Accept", "*/*"),
            ("Connection", "close"),
        ],
    )


async def _response(tls: TLSSession, target: Target) -> h11.Response:
    """The final response head; interim ones (1xx) are passed over."""
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
    await tls.write(client.send(_request(target)) + client.send(h11.EndOfMessage()))
    while True:
        event = client.next_event()
        if event is h11.NEED_DATA:
            client.receive_data(await tls.read())
        elif isinstance(event, h11.Response):
            return event
        elif not isinstance(event, h11.InformationalResponse):
            raise ProbeError(Reason.HTTP_ERROR, "the server closed the connection without a response")


async def read_response(tls: TLSSession, target: Target) -> HttpFacts:
    """Ask, and read the head of the answer.

    Raises:
        ProbeError: `http_timeout` or `http_error` when there is none.
    """
    try:
        response = await _response(tls, target)
    except h11.RemoteProtocolError as error:
        raise ProbeError(Reason.HTTP_ERROR, f"not an HTTP response: {error}") from error
    except PeerSilentError as error:
        raise ProbeError(Reason.HTTP_TIMEOUT, "no response to the request") from error
    except (PeerResetError, PeerFloodError) as error:
        raise ProbeError(Reason.HTTP_ERROR, "the connection broke before the response was complete") from error
    fields = tuple(value.decode("latin-1") for name, value in response.headers if name == HSTS_FIELD.encode())
    return HttpFacts(response.status_code, parse_hsts(fields), fields, hsts_applies=not target.host_is_ip)


async def _run(session: Session) -> HttpFacts:
    async with tls_session(session.dialer, alpn=[b"http/1.1"]) as tls:
        await tls.handshake()
        return await read_response(tls, session.target)


MAX_AGE = Family(
    "tls_posture_hsts_max_age_seconds",
    "max-age of the HSTS policy a browser would keep, 0 without a valid one (as of the last scan)",
)
PRESENT = Family("tls_posture_hsts_present", "Whether the response carries a valid HSTS policy (as of the last scan)")
SUBDOMAINS = Family(
    "tls_posture_hsts_include_subdomains", "Whether the HSTS policy has includeSubDomains (as of the last scan)"
)
PRELOAD = Family("tls_posture_hsts_preload", "Whether the HSTS policy has preload (as of the last scan)")


def _samples(facts: HttpFacts) -> Iterator[Sample]:
    if not facts.hsts_applies:
        return
    hsts = facts.hsts
    yield Sample(MAX_AGE, hsts.max_age_seconds if hsts else 0)
    yield Sample(PRESENT, hsts is not None)
    yield Sample(SUBDOMAINS, hsts is not None and hsts.include_subdomains)
    yield Sample(PRELOAD, hsts is not None and hsts.preload)


def _document(facts: HttpFacts) -> dict[str, object]:
    hsts = facts.hsts
    return {
        "http": {
            "status": facts.status,
            "hsts_fields": list(facts.hsts_fields),
            "hsts": None
            if hsts is None
            else {
                "max_age_seconds": hsts.max_age_seconds,
                "include_subdomains": hsts.include_subdomains,
                "preload": hsts.preload,
            },
        }
    }


PROBE = Probe(
    name="http",
    kind=HttpFacts,
    mandatory=True,
    applies=lambda target: target.protocol == "https",
    run=_run,
    families=(MAX_AGE, PRESENT, SUBDOMAINS, PRELOAD),
    samples=_samples,
    document=_document,
)
