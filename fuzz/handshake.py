"""Parsers of the answers to our own hellos."""

from exporter.model import Protocol
from exporter.net.primes import PrimeReader
from exporter.pki.keys import key_kind
from exporter.probes.handshake.hello import Offer
from exporter.probes.handshake.keyexchange import read_key_exchange
from exporter.probes.handshake.observations import Observations
from exporter.probes.handshake.server_flight import FlightReader
from exporter.probes.handshake.server_hello import (
    Answer,
    CloseNotifyError,
    MalformedError,
    NotTLSError,
    ServerHello,
    SSL2ServerHello,
)
from exporter.tls.suites import CLASSIC_SUITES, TLS13_SUITES, VERSION_CODES
from fuzz.memory import pieces

_PROTOCOLS = {code: protocol for protocol, code in VERSION_CODES.items() if protocol is not Protocol.SSL2}


def flight(data: bytes) -> None:
    """Records, in one piece and split, to an answer, and from there to everything that is read from it."""
    answer, error = _fed(data)
    assert (answer, error) == _fed(*pieces(data)), "the result depends on how the bytes are split"
    match answer:
        case SSL2ServerHello(kinds, certificate):
            assert 3 * len(kinds) + len(certificate) <= len(data)
        case ServerHello(extensions=extensions, rest=rest):
            assert sum(4 + len(body) for body in extensions.values()) <= len(data)
            assert sum(3 + len(certificate) for certificate in rest.certificates) <= len(data)
            _learn(answer, len(data))
        case _:
            pass


def prime(data: bytes) -> None:
    """The same records, as OpenSSL's client gets them, to the length of the prime in them."""
    whole, split = PrimeReader(), PrimeReader()
    whole.feed(data)
    for part in pieces(data):
        split.feed(part)
    assert whole.bits == split.bits, "the result depends on how the bytes are split"
    assert whole.bits is None or whole.bits <= 8 * len(data)


def _fed(*parts: bytes) -> tuple[Answer | None, type[Exception] | None]:
    """Feed the parts as an exchange does, until the answer is complete."""
    reader = FlightReader()
    try:
        for part in parts:
            reader.feed(part)
            if reader.complete:
                break
    except (NotTLSError, MalformedError, CloseNotifyError) as error:
        assert reader.answer is None, "an answer was there already"
        return None, type(error)
    return reader.answer, None


def _learn(answer: ServerHello, size: int) -> None:
    exchange = read_key_exchange(answer)
    if exchange is not None and exchange.prime is not None:
        assert exchange.prime.bits <= 8 * size
    protocol = _PROTOCOLS.get(answer.version)
    if protocol is None:
        return
    observations = Observations()
    for offer in (
        Offer(answer.version, CLASSIC_SUITES),
        Offer(answer.version, TLS13_SUITES, groups=(0x001D, 0x0017), schemes=(0x0403,), optional_extensions=False),
    ):
        observations.add(protocol, offer, answer)
    assert not list(observations.contradictions()), "one answer contradicts itself"
    assert observations.has_extension("session_tickets") in {True, False, None}
    assert len(observations.chains()) <= 1
    observations.group_order(protocol)


def key(data: bytes) -> None:
    """The kind of key of a certificate."""
    kind = key_kind(data)
    assert kind is None or (kind.isprintable() and 2 < len(kind) < 40)
