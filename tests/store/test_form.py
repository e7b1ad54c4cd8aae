"""What was seen is the same after it was packed, whatever it was."""

import json
import zlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.facts.dns import MtaStsFacts, StsPolicy, StsPolicyFacts, TlsaFacts, TlsaRecord
from exporter.facts.handshake import HandshakeFacts, Prime, ServedChain
from exporter.facts.vulnerabilities import Tried, VulnerabilityFacts
from exporter.judge import seen_after
from exporter.model import Facts, Failure, Protocol, Reason, Seen
from exporter.probes.registry import PROBES
from exporter.store.form import UnreadableRecordError, pack, unpack
from tests.support.facts import (
    caa,
    certificate,
    certificates,
    consistent_handshake_facts,
    deployment,
    facts,
    handshake,
    http_everywhere,
    issuer,
    result,
    steady,
)
from tests.support.targets import NOW

FIRST_STORED = Path(__file__).parent / "stored.json"
STORED = Path(__file__).parent / "stored-2.json"
EVERYTHING = facts(
    handshake(
        plain_chains=(ServedChain("RSA", (Protocol.TLS1_0, Protocol.TLS1_2), (b"\x30\x00\xff", b""), cut=True),),
        ssl2_certificate=bytes(range(256)),
        dh_primes=(Prime(1024, "1024 bits of Apache 2.1.5"), Prime(2048)),
        unseen_dh_primes={Protocol.TLS1_2: ("TLS_DHE_RSA_WITH_AES_128_CBC_SHA",)},
        asked_without=("alpn",),
        greeting="220 mail.example ESMTP ümläut",
    ),
    certificates(deployment(issuer()), deployment(), complete=False),
    http_everywhere("max-age=31536000", "max-age=1"),
    caa(("issue", "ca.test.example"), flags=128),
    TlsaFacts("_443._tcp.test.example", (TlsaRecord(3, 1, 1, "ab" * 32),), dnssec=True),
    MtaStsFacts("test.example", "v=STSv1; id=1", None),
    StsPolicyFacts("test.example", StsPolicy("enforce", 86400, ("*.test.example",)), until=NOW),
    VulnerabilityFacts(
        {"robot": Tried(None, "why", NOW, (("TLSv1.2", "True"),), 2), "heartbleed": Tried(False, "", NOW)}
    ),
)
"""Facts of every probe."""


def seen(known: Facts, **changes: Any) -> Seen:  # noqa: ANN401 - any field of ScanResult
    return Seen(replace(result(known), **changes), known, NOW)


def test_the_example_has_facts_of_every_probe() -> None:
    assert {probe.name for probe in PROBES if EVERYTHING.get(probe.kind) is None} == set()


def test_everything_is_the_same_afterwards() -> None:
    before = seen(EVERYTHING, failures=(Failure("http", Reason.HTTP_TIMEOUT, "no answer"),), address="::1")
    after = unpack(pack(before), before.target)
    assert after == before
    attacks = after.facts.get(VulnerabilityFacts)
    assert attacks is not None
    tried = attacks.attacks_tried["robot"]
    assert (tried.signature, tried.hurried) == ((("TLSv1.2", "True"),), 2), "they are not compared"


@steady
@given(consistent_handshake_facts(), consistent_handshake_facts(), st.booleans())
def test_facts_of_the_scan_and_older_ones_stay_apart(old: HandshakeFacts, new: HandshakeFacts, same: bool) -> None:
    """A scan whose time ended may have seen less than what is known."""
    known = facts(old, certificate(), at=NOW - timedelta(hours=1))
    before = Seen(result(known if same else facts(new)), known, None)
    assert unpack(pack(before), before.target) == before


def test_what_a_later_scan_did_not_ask_for_stays_with_its_time() -> None:
    first = seen(EVERYTHING)
    (second,) = seen_after([result(facts(handshake()), target=first.target)], NOW, [first])
    after = unpack(pack(second), first.target)
    assert after.facts.seen_at(VulnerabilityFacts) == NOW
    assert after.result.facts.get(VulnerabilityFacts) is None


def test_a_lone_surrogate_is_replaced_and_loses_nothing_else() -> None:
    before = seen(facts(handshake(greeting="a\ud800b"), certificate(subject="\udfff")))
    after = unpack(pack(before), before.target)
    found = after.facts.get(HandshakeFacts)
    assert found is not None
    assert found.greeting == "a?b"
    assert found.protocols == handshake().protocols


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"not compressed",
        zlib.compress(b"{}"),
        zlib.compress(b"[1"),
        zlib.compress(b"\xff"),
        zlib.compress(zlib.decompress(pack(seen(EVERYTHING))).replace(b'"TLSv1.3"', b'"TLSv9"')),
        zlib.compress(zlib.decompress(pack(seen(EVERYTHING))).replace(b'"success"', b'"successful"')),
        pack(seen(EVERYTHING))[:-9],
    ],
)
def test_what_is_damaged_or_of_another_version_is_an_error(stored: bytes) -> None:
    with pytest.raises(UnreadableRecordError):
        unpack(stored, seen(Facts()).target)


@pytest.mark.parametrize("stored", [FIRST_STORED, STORED])
def test_a_stored_file_of_an_earlier_release_is_read(stored: Path) -> None:
    """If this fails, facts have changed their form: keep reading the old one, or raise the version of the tables."""
    before = seen(EVERYTHING)
    assert unpack(zlib.compress(stored.read_bytes()), before.target) == before


def test_the_stored_file_has_every_field() -> None:
    """A new field has a default, which the file above does not have."""
    now, then = (json.loads(text) for text in (zlib.decompress(pack(seen(EVERYTHING))), STORED.read_bytes()))
    assert now == then, "add the new form as a second file"
