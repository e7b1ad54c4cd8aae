"""MTA-STS policy probe: the file that names the mail servers of a mail domain (RFC 8461, 3.2 and 3.3).

The file is on a web server of the mail domain, which is not a target. Where a policy asks for it, each scan makes one
connection to that server, through the target's proxy and within its limits. If the exporter cannot see the file, it is
unknown. If sending mail servers would not accept it, there is no policy.
"""

import re
from dataclasses import replace
from datetime import datetime
from functools import partial

import h11

from exporter.errors import ProbeError
from exporter.facts.certificate import Deployment
from exporter.facts.dns import StsPolicy, StsPolicyFacts
from exporter.facts.shapes.dns import MTA_STS_POLICY
from exporter.model import DnsQuestion, HttpOptions, Reason, Target, TrustFailure
from exporter.net.dial import Dialer
from exporter.net.openssl import ClientOffer
from exporter.net.tls import TLSSession, tls_session
from exporter.pki.parsed import parse
from exporter.probes.base import Probe, Session
from exporter.probes.certificate.reading import read_deployment, read_in_thread
from exporter.probes.http.line import MAX_HEAD_BYTES, told_apart, unanswered
from exporter.probes.http.question import PRODUCT

PATH = "/.well-known/mta-sts.txt"
MOST_BYTES = 65536
"""RFC 8461, 3.3: a limit of 64 kilobytes is suggested."""
MODES = ("enforce", "testing", "none")
LONGEST_SECONDS = 31_557_600
_OK = 200
_SERVER_ERROR = 500

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_MX = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_SECONDS = re.compile(r"[0-9]{1,10}")


class _NoneError(Exception):
    """There is no valid policy; the message says why."""


def read_policy(text: bytes) -> StsPolicy:
    """Parse by the grammar of RFC 8461, 3.2: the first of repeated fields counts, except for mx.

    Raises:
        ValueError: it is not well-formed; the message says where.
    """
    try:
        lines = text.decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    fields: dict[str, list[str]] = {}
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        name, _, value = line.partition(":")
        if not _NAME.fullmatch(name) or not value.strip(" \t"):
            raise ValueError(f"has a line that is no field ({number})")
        fields.setdefault(name, []).append(value.strip(" \t"))
    first = {name: values[0] for name, values in fields.items()}
    mode, seconds, mx = first.get("mode", ""), first.get("max_age", ""), fields.get("mx", [])
    if first.get("version") != "STSv1":
        raise ValueError("is not of version STSv1")
    if mode not in MODES:
        raise ValueError("has no mode")
    if not _SECONDS.fullmatch(seconds) or int(seconds) > LONGEST_SECONDS:
        raise ValueError("has no max_age, or one of more than a year")
    if not all(map(_MX.fullmatch, mx)) or (not mx and mode != "none"):
        raise ValueError("has no mx, or one that is none")
    return StsPolicy(mode, int(seconds), tuple(pattern.lower() for pattern in mx))


def web_server(target: Target, domain: str) -> Target:
    """The web server that has the policy of this target's mail domain, reached in the same way as the target."""
    host = f"mta-sts.{domain}"
    elsewhere = replace(target, host=host, port=443, protocol="https", starttls=None, server_name=host)
    return replace(elsewhere, connect_address=None, client_certificate=None, http=HttpOptions())


async def fetch(dialer: Dialer, domain: str, now: datetime) -> StsPolicyFacts:
    """The policy on the web server that the dialer connects to.

    Raises:
        ProbeError: it is not known whether there is one.
    """
    until = None
    try:
        async with tls_session(dialer, ClientOffer(alpn=(b"http/1.1",))) as tls:
            await tls.handshake()
            seen = await read_in_thread(partial(_read, tls.chain(), dialer.target, now), dialer.target)
            until = _next_date(seen, now)
            _check(seen, dialer.target)
            with told_apart():
                plain, body = await _get(tls, dialer.target.host)
    except _NoneError as error:
        return StsPolicyFacts(domain, None, str(error), until=until)
    try:
        return StsPolicyFacts(domain, read_policy(body), plain_text=plain, until=until)
    except ValueError as error:
        return StsPolicyFacts(domain, None, f"its policy {error}", until=until)


def _read(served: tuple[bytes, ...], target: Target, now: datetime) -> Deployment:
    if not served:
        raise ProbeError(Reason.HANDSHAKE_ERROR, "the server sent no certificate")
    try:
        return read_deployment(tuple(map(parse, served)), target.verified_name, target.ca_file, now)
    except ValueError as error:
        raise ProbeError(Reason.HANDSHAKE_ERROR, f"the certificate cannot be read: {error}") from error


def _next_date(seen: Deployment, now: datetime) -> datetime | None:
    early = TrustFailure.NOT_YET_VALID in seen.failures
    return seen.valid_from if early else seen.valid_until if seen.valid_until >= now else None


def _check(seen: Deployment, target: Target) -> None:
    """Check that senders accept the certificate (RFC 8461, 3.3).

    Raises:
        _NoneError: they do not accept it.
        ProbeError: it is not known whether they accept it.
    """
    if seen.trusted is None:
        raise ProbeError(Reason.INTERNAL, seen.trust_detail)
    if seen.trusted and seen.hostname_match is None:
        raise ProbeError(Reason.HANDSHAKE_ERROR, f"the names in the certificate of {target.host} cannot be read")
    if not (seen.trusted and seen.hostname_match):
        why = ", ".join(dict.fromkeys(seen.failures))
        raise _NoneError(f"the certificate of {target.host} is not to be trusted ({why})")


async def _get(tls: TLSSession, host: str) -> tuple[bool, bytes]:
    """Whether the file is sent as text/plain, and its content. Redirects are not followed (RFC 8461, 3.3)."""
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
    fields = [("Host", host), ("User-Agent", PRODUCT), ("Accept", "text/plain"), ("Connection", "close")]
    await tls.write((client.send(h11.Request(method="GET", target=PATH, headers=fields)) or b"") + _end(client))
    plain, body = False, b""
    while True:
        event = client.next_event()
        if event is h11.NEED_DATA:
            client.receive_data(await tls.read())
        elif isinstance(event, h11.Response):
            _must_be_there(event.status_code, host)
            types = [value for name, value in event.headers if name == b"content-type"]
            plain = len(types) == 1 and types[0].partition(b";")[0].strip().lower() == b"text/plain"
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MOST_BYTES:
                raise _NoneError(f"its policy is longer than {MOST_BYTES} bytes")
        elif isinstance(event, h11.EndOfMessage):
            return plain, body
        elif not isinstance(event, h11.InformationalResponse):
            raise unanswered()


def _end(client: h11.Connection) -> bytes:
    return client.send(h11.EndOfMessage()) or b""


def _must_be_there(status: int, host: str) -> None:
    if status >= _SERVER_ERROR:
        raise ProbeError(Reason.HTTP_ERROR, f"{host} answers {status}")
    if status != _OK:
        raise _NoneError(f"{host} answers {status} when asked for its policy")


async def _run(session: Session) -> StsPolicyFacts:
    domain = str(session.target.mail_domain)
    return await fetch(session.dialer.towards(web_server(session.target, domain)), domain, session.now)


PROBE = Probe(
    name="mta_sts_policy",
    shape=MTA_STS_POLICY,
    mandatory=False,
    applies=lambda target: DnsQuestion.MTA_STS_POLICY in target.questions and target.mail_domain is not None,
    run=_run,
    of_name=True,
    later=StsPolicyFacts.at,
    turns=StsPolicyFacts.turns,
)
