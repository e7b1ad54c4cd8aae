"""Parsers of certificates, HTTP responses and DNS records."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from unittest.mock import patch

import dns.asyncresolver
import dns.exception
import dns.message
import dns.nameserver
import h11

from exporter.config.discovery import DnsRecordType, DnsSource
from exporter.config.sections import TargetSettings
from exporter.errors import ProbeError
from exporter.facts.hsts import MAX_SECONDS, parse_hsts
from exporter.facts.http import HttpFacts, HttpResponse
from exporter.model import Facts, Reason, Target, TrustFailure
from exporter.net.dial import Dialer
from exporter.net.gate import HostGate
from exporter.net.openssl import ClientOffer
from exporter.net.records import RecordResolver
from exporter.net.resolvconf import ResolvConf
from exporter.net.tls import TLSSession
from exporter.pki.caa import issuance
from exporter.pki.parsed import Certificate, parse
from exporter.probes import caa, certificate, mta_sts, tlsa
from exporter.probes import http as web
from exporter.probes.base import Probe, Session
from exporter.probes.certificate.reading import read_chain
from exporter.probes.http.http1 import Http1
from exporter.probes.http.http2 import Http2
from exporter.probes.http.line import MAX_HEAD_BYTES
from exporter.probes.http.odd import STS, OddHeadError, read_head
from exporter.probes.http.question import questions
from exporter.targets.dns import DnsTargets
from exporter.targets.groups import ADDRESS, DiscoveryError, Group
from exporter.threads import OPENSSL
from exporter.workers import Workers
from fuzz.certificates import ROOT_FILE
from fuzz.memory import NAME, NOW, Peer, end_of, pieces, run

F = TypeVar("F")

_TARGET = Target("fuzz", NAME, 443, policies=(), server_name=NAME)

_MOST_GROWTH = 20
"""Most characters in a report for one byte: an escape in JSON, or a part of an object identifier."""
_FRAME = 4000
"""Size of a report and samples without the data of the server."""


def _shown(probe: Probe[F], facts: F, size: int) -> None:
    """Check that facts can be shown as samples and a document, with a size in proportion to the server's bytes."""
    text = json.dumps(probe.shape.document(facts))
    for sample in probe.shape.samples(facts):
        assert sample.family in probe.shape.families
        assert list(sample.labels) == [label.name for label in sample.family.labels]
        text += json.dumps([sample.value, dict(sample.labels)], ensure_ascii=False)
    assert len(text.encode()) <= _FRAME + _MOST_GROWTH * size


# --- HTTP -------------------------------------------------------------------------------------------------------------


class _Page(TLSSession):
    """A session whose server sends these pieces."""

    def __init__(self, said: Iterable[bytes], end: type[Exception] | None) -> None:
        self._peer = Peer(list(said), end)

    async def read(self) -> bytes:
        return await self._peer.read()

    async def write(self, data: bytes) -> None:
        """Discard the bytes."""


def http(data: bytes) -> None:
    """Responses of HTTP/1.1, one after the other, in one piece and split."""
    outcome = _read_responses(Http1, [data], end_of(data))
    cut = _read_responses(Http1, pieces(data), end_of(data))
    if len(data) <= MAX_HEAD_BYTES:
        # Bytes that arrive with a response before the next request do not answer that request.
        assert _first(outcome) == _first(cut), "the result depends on how the bytes are split"
    _looked_at(outcome, len(data))
    _looked_at(cut, len(data))


def _first(outcome: HttpFacts | Reason) -> HttpResponse | Reason:
    return outcome.first if isinstance(outcome, HttpFacts) else outcome


def head(data: bytes) -> None:
    """The head of one response of HTTP/1, conforming or not."""
    try:
        found = read_head(data)
    except OddHeadError:
        return
    if found is None:
        return
    assert 100 <= found.status <= 999
    assert found == read_head(data + b"\r\nX: y"), "bytes after the head change it"
    assert sum(len(name) + len(value) for name, value in found.fields) <= len(data)
    assert b"\0" not in b"".join(name + value for name, value in found.fields)
    strict = _by_h11(data)
    if strict is not None:
        policies = [value for name, value in found.fields if name.lower() == STS]
        assert (strict.status_code, [value for name, value in strict.headers if name == STS]) == (
            found.status,
            policies,
        )


def _by_h11(data: bytes) -> h11.Response | h11.InformationalResponse | None:
    """What h11 reads; None if it rejects the response."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", NAME)]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    try:
        event = client.next_event()
    except h11.RemoteProtocolError:
        return None
    return event if isinstance(event, h11.Response | h11.InformationalResponse) else None


def http2(data: bytes) -> None:
    """Frames of HTTP/2, in one piece and split."""
    for said in ([data], pieces(data)):
        # One byte can repeat an earlier field (RFC 7541, 6.1). h2 limits the resulting size.
        _looked_at(_read_responses(Http2, said, end_of(data)), MAX_HEAD_BYTES)


def _looked_at(outcome: HttpFacts | Reason, size: int) -> None:
    """Check the outcome; `size` is the limit of its data in bytes."""
    if isinstance(outcome, HttpFacts):
        for response in outcome.responses:
            assert 200 <= response.status <= 999
        assert sum(map(len, outcome.hsts_fields)) <= size
        _shown(web.PROBE, outcome, size)
    else:
        assert outcome in {Reason.HTTP_ERROR, Reason.HTTP_TIMEOUT}


def _read_responses(
    kind: type[Http1 | Http2], said: Iterable[bytes], end: type[Exception] | None
) -> HttpFacts | Reason:
    line = kind(_Page(said, end))

    async def talk() -> HttpFacts:
        root, *others = questions(_TARGET, "nonce")
        responses = [await line.ask(root)]
        for question in others:
            if not await line.ready():
                break
            try:
                responses.append(await line.ask(question))
            except ProbeError:
                break
        return HttpFacts(tuple(responses))

    try:
        return run(talk())
    except ProbeError as error:
        return error.reason


def hsts(data: bytes) -> None:
    """Strict-Transport-Security fields, one per line."""
    fields = [line.decode("latin-1") for line in data.split(b"\n")]
    policy = parse_hsts(fields)
    assert policy is None or 0 <= policy.max_age_seconds <= MAX_SECONDS
    assert policy == parse_hsts(fields[:1]), "a field after the first counts"
    assert policy == parse_hsts([f" {fields[0]};"]), "an empty directive counts"
    swapped = data.swapcase().split(b"\n")[0].decode("latin-1")
    assert policy == parse_hsts([swapped]), "case counts"


# --- DNS --------------------------------------------------------------------------------------------------------------


class _NameServer(dns.nameserver.Nameserver):
    """Answers every question with the same bytes, with the right id and question, as an attacker can do."""

    def __init__(self, data: bytes) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._data = data

    def __str__(self) -> str:
        return "192.0.2.1"

    def answer_nameserver(self) -> str:
        return "192.0.2.1"

    def answer_port(self) -> int:
        return 53

    def is_always_max_size(self) -> bool:
        return True

    async def async_query(self, request: dns.message.QueryMessage, *_: Any, **__: Any) -> dns.message.Message:  # noqa: ANN401 - not used
        response = dns.message.from_wire(request.id.to_bytes(2, "big") + self._data[2:])
        if response.question:
            response.question = request.question
        if not request.is_response(response):
            raise dns.exception.FormError
        return response


def dns_response(data: bytes) -> None:
    """The response of a name server, for each name and type that is queried."""
    facts = _looked_up(caa.PROBE, data)
    if facts is not None:
        assert bool(facts.caa) == (facts.caa_domain is not None)
        for wildcard in (False, True):
            allowed = issuance(facts.caa, wildcard=wildcard)
            assert allowed.restricted or not allowed.grants
    bound = _looked_up(tlsa.PROBE, data)
    assert bound is None or all(bytes.fromhex(record.data) is not None for record in bound.records)
    _looked_up(mta_sts.PROBE, data)
    for kind in DnsRecordType:
        _discovered(kind, data)


class _Sink:
    """Checks targets that are found."""

    def found(self, groups: Sequence[Group]) -> None:
        for group in groups:
            for labels in group.label_sets():
                assert all(value.isprintable() for value in labels.values())
                TargetSettings.from_text(labels[ADDRESS])

    def failed(self, error: DiscoveryError) -> None:
        assert str(error).isprintable()


def _discovered(kind: DnsRecordType, data: bytes) -> None:
    """The targets if a name server always sends these bytes."""
    entry = DnsSource.model_validate({"names": [NAME], "type": kind, "port": 443})
    asyncio.run(DnsTargets(entry, RecordResolver(_resolver(data), most_entries=0), ResolvConf).refresh(_Sink()))


def _resolver(data: bytes) -> dns.asyncresolver.Resolver:
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [_NameServer(data)]
    return resolver


async def _run(probe: Probe[F], session: Session) -> F:
    """The probe in a task, because the time of a lookup is limited."""
    return await probe.run(session)


def _looked_up(probe: Probe[F], data: bytes) -> F | None:
    """The probe's facts if a name server always sends these bytes; None if the probe fails."""
    records, target = RecordResolver(_resolver(data), validating=True), replace(_TARGET, mail_domain=NAME)
    session = Session(target, Dialer(target, HostGate()), records, NOW, Workers(), known=Facts(), deadline=0.0)
    try:
        facts = asyncio.run(_run(probe, session))
    except ProbeError as error:
        assert error.reason is Reason.DNS_ERROR  # noqa: PT017 - no test of pytest
        return None
    _shown(probe, facts, len(data))
    return facts


# --- certificates -----------------------------------------------------------------------------------------------------


def chain(data: bytes) -> None:
    """Certificates in DER, one after the other, the leaf first."""
    try:
        served = tuple(map(parse, _split(data)))
    except ValueError:
        return
    if served:
        _read_chain(served, len(data))


def _split(data: bytes) -> list[bytes]:
    """DER elements with a length of two bytes. Anything else is the last element."""
    parts = []
    while data:
        size = 4 + int.from_bytes(data[2:4], "big") if data[:2] == b"\x30\x82" else len(data)
        parts.append(data[:size])
        data = data[size:]
    return parts


def _read_chain(served: tuple[Certificate, ...], size: int) -> None:
    try:
        facts = read_chain(served, NAME, str(ROOT_FILE), NOW)
    except ValueError:
        return
    assert len(facts.first.chain) == len(served)
    assert facts.first.path[0] == 0
    assert facts.chain_not_after <= facts.first.leaf.not_after
    assert facts.trusted is not None or facts.first.trust_detail
    assert facts.trusted is None or facts.trusted == (not set(facts.failures) - {TrustFailure.NAME_MISMATCH})
    _shown(certificate.PROBE, facts, size)


_HANDSHAKE_REASONS = {Reason.HANDSHAKE_ERROR, Reason.HANDSHAKE_TIMEOUT, Reason.CLIENT_CERTIFICATE_REQUIRED}


async def _at_once(work: Any, _owner: str) -> Any:  # noqa: ANN401 - as Pool.run
    return work()


def tls(data: bytes) -> None:
    """A handshake by OpenSSL, until its signature checks stop it, and the chain it has received until then."""
    session = TLSSession(Peer(pieces(data), end_of(data)), _TARGET, ClientOffer(alpn=(b"http/1.1",)))
    with patch.object(OPENSSL, "run", _at_once):
        try:
            run(session.handshake())
        except ProbeError as error:
            assert error.reason in _HANDSHAKE_REASONS  # noqa: PT017 - no test of pytest
    ders = session.chain()
    assert sum(map(len, ders)) <= len(data)
    try:
        served = tuple(map(parse, ders))
    except ValueError:
        return
    if served:
        _read_chain(served, len(data))
