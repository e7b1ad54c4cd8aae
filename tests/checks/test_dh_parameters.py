from typing import Any

import pytest
from pydantic import ValidationError

from exporter.checks.dh_parameters import CHECK, DhParametersDemand
from exporter.facts.handshake import HandshakeFacts, Prime
from exporter.model import Protocol, Verdict
from tests.support.facts import GCM, TLS13_AES, case, handshake

TLS1_0, TLS1_2, TLS1_3 = Protocol.TLS1_0, Protocol.TLS1_2, Protocol.TLS1_3
V = Verdict
DHE = "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"
DHE_PSK = "TLS_DHE_PSK_WITH_AES_128_GCM_SHA256"
STATIC = "TLS_DH_RSA_WITH_AES_128_GCM_SHA256"
SIZE, NAMED = {"min_bits": 2048}, {"named_only": True}
OWN, FFDHE, SMALL = Prime(2048), Prime(3072, "ffdhe3072"), Prime(1024, "1024 bits of Apache 2.1.5")


def demand(asked: dict[str, Any]) -> DhParametersDemand:
    return DhParametersDemand.model_validate({"severity": "critical", "source": "test"} | asked)


def seen(*primes: Prime, suites: tuple[str, ...] = (DHE, GCM), **beside: Any) -> HandshakeFacts:  # noqa: ANN401
    return handshake({TLS1_2: suites}, dh_primes=primes, **beside)


@pytest.mark.parametrize(
    ("asked", "facts", "verdict", "summary"),
    [
        (SIZE, seen(OWN), V.PASS, "uses a prime of 2048 bits"),
        (SIZE, seen(OWN, FFDHE), V.PASS, "uses a prime of 2048 bits, ffdhe3072"),
        (SIZE, seen(SMALL, FFDHE), V.FAIL, "uses a prime of 1024 bits"),
        (SIZE, seen(SMALL, incomplete=[TLS1_2]), V.FAIL, "uses a prime of 1024 bits"),
        (NAMED, seen(FFDHE), V.PASS, "uses ffdhe3072"),
        (NAMED, seen(OWN, FFDHE), V.FAIL, "uses a prime of 2048 bits"),
        (NAMED, seen(SMALL), V.FAIL, "uses a prime of 1024 bits"),
        (SIZE | NAMED, seen(FFDHE), V.PASS, "uses ffdhe3072"),
        (SIZE, seen(suites=(GCM,)), V.NOT_APPLICABLE, "no finite-field key exchange is accepted"),
        (
            SIZE,
            handshake({TLS1_3: (TLS13_AES,)}, dh_primes=()),
            V.NOT_APPLICABLE,
            "no finite-field key exchange is accepted",
        ),
        (SIZE, seen(), V.UNKNOWN, f"the prime of {DHE} was not seen"),
        (SIZE, seen(OWN, suites=(DHE, DHE_PSK)), V.PASS, "uses a prime of 2048 bits"),
        (
            SIZE,
            seen(OWN, suites=(DHE, DHE_PSK), unseen_dh_primes={TLS1_2: (DHE_PSK,)}),
            V.UNKNOWN,
            f"the prime of {DHE_PSK} was not seen",
        ),
        (SIZE, seen(suites=(GCM, STATIC)), V.UNKNOWN, f"the prime of {STATIC} was not seen"),
        (SIZE, seen(OWN, suites=(DHE, "0xFEED")), V.UNKNOWN, "the prime of 0xFEED was not seen"),
        (SIZE, seen(OWN, incomplete=[TLS1_2]), V.UNKNOWN, "the list of TLSv1.2 may not be complete"),
        (SIZE, seen(suites=(GCM,), open_protocols=[TLS1_0]), V.UNKNOWN, "the list of TLSv1.0 may not be complete"),
        (
            SIZE,
            seen(suites=(GCM,), open_protocols=[TLS1_3]),
            V.NOT_APPLICABLE,
            "no finite-field key exchange is accepted",
        ),
        (SIZE, handshake({}), V.UNKNOWN, "the key exchanges are not known"),
    ],
)
def test_primes_are_large_enough_and_well_known(
    asked: dict[str, Any], facts: HandshakeFacts, verdict: Verdict, summary: str
) -> None:
    outcome = CHECK.judge(case(facts), demand(asked))
    assert (outcome.verdict, outcome.summary) == (verdict, summary)


def test_without_a_handshake_nothing_is_known() -> None:
    assert CHECK.judge(case(), demand(SIZE)).verdict is V.UNKNOWN


@pytest.mark.parametrize("asked", [{}, {"named_only": False}])
def test_a_demand_must_ask_for_something(asked: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="asks for nothing; give it min_bits, or named_only: true"):
        demand(asked)


def test_a_demand_is_said_in_words() -> None:
    assert CHECK.asks(demand(SIZE | NAMED)) == "primes of 2048 bits or more, of RFC 7919 only"
