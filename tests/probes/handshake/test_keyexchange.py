"""Answers with arbitrary contents are parsed, with their key exchange and certificates."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from exporter.probes.handshake.keyexchange import read_key_exchange
from exporter.probes.handshake.server_hello import FlightRest, ServerHello
from exporter.tls.suites import CLASSIC_SUITES
from fuzz.certificates import CHAINS
from fuzz.handshake import flight, key
from tests.support.scripted import (
    certificate_message,
    curve_message,
    extension,
    message,
    prime_message,
    record,
    server_hello_message,
)

_versions = st.sampled_from([0x0300, 0x0301, 0x0302, 0x0303, 0x0304])
_suites = st.sampled_from([0x002F, 0x0033, 0xC014, 0xC02B, 0xC02F, 0xC030, 0x1301, 0x0000, 0xFFFF])
_extensions = st.lists(
    st.builds(extension, st.sampled_from([0, 5, 15, 16, 22, 23, 35, 43, 51, 0xFF01]), st.binary(max_size=8)),
    min_size=1,
    max_size=6,
).map(b"".join)
_chains = st.one_of(st.sampled_from(CHAINS), st.lists(st.binary(max_size=60), max_size=3))
_exchanges = st.one_of(
    st.builds(curve_message, st.integers(0, 0xFFFF), st.none() | st.integers(0, 0xFFFF)),
    st.builds(prime_message, st.integers(1, 2**1030), st.none() | st.integers(0, 0xFFFF)),
    st.binary(max_size=40).map(lambda body: message(12, body)),
    st.just(b""),
)


@given(_versions, _suites, _extensions, _chains, _exchanges)
def test_every_answer_is_taken_in(
    version: int, suite: int, extensions: bytes, served: list[bytes], exchange: bytes
) -> None:
    body = server_hello_message(version, suite, extensions=extensions) + certificate_message(served) + exchange
    flight(record(22, body + message(14), version))


@given(st.sampled_from(CLASSIC_SUITES), st.sampled_from([0x0302, 0x0303]), st.binary(max_size=60))
def test_a_key_exchange_is_read_or_none(suite: int, version: int, body: bytes) -> None:
    hello = ServerHello(version, suite, 0, retry_request=False, rest=FlightRest(key_exchange=body))
    found = read_key_exchange(hello)
    if found is not None and found.group is not None:
        assert body[:3] == struct.pack(">BH", 3, found.group)
    if found is not None and found.prime is not None:
        assert found.prime.bits <= 8 * struct.unpack(">H", body[:2])[0]


@given(st.sampled_from(CHAINS), st.integers(0, 800), st.binary(max_size=3))
def test_the_kind_of_a_key_is_told_or_none(served: tuple[bytes, ...], at: int, change: bytes) -> None:
    at %= len(served[0])
    key(served[0][:at] + change + served[0][at + len(change) :])
