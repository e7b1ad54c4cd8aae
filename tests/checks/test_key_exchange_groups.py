from typing import Any

import pytest
from pydantic import ValidationError

from exporter.checks.key_exchange_groups import CHECK, KeyExchangeGroupsDemand
from exporter.facts.handshake import HandshakeFacts, Listing
from exporter.model import Protocol, Verdict
from tests.support.facts import CBC_RSA, GCM, TLS13_AES, case, handshake

SSL3, TLS1_0, TLS1_2, TLS1_3 = Protocol.SSL3, Protocol.TLS1_0, Protocol.TLS1_2, Protocol.TLS1_3
V = Verdict
ALLOWED = {"allowed": ["X25519MLKEM768", "x25519", "secp256r1"]}
REQUIRED = {"required": [{"is": "x25519", "source": "4.4"}]}
FORBIDDEN = {"forbidden": ["secp192r1", {"is": "secp224r1", "from": "2026-11-22", "source": "4.5"}]}
BOTH = {TLS1_2: (GCM,), TLS1_3: (TLS13_AES,)}


def seen(*names: str, complete: bool = True, **beside: Any) -> HandshakeFacts:  # noqa: ANN401 - fields of the facts
    """These groups in TLS 1.2, and x25519 in TLS 1.3."""
    groups = {TLS1_2: Listing(names, complete), TLS1_3: Listing(("x25519",), complete=True)}
    return handshake(BOTH, groups=groups, **beside)


def without(suites: dict[Protocol, tuple[str, ...]], **beside: Any) -> HandshakeFacts:  # noqa: ANN401 - as above
    return handshake(suites, groups={}, **beside)


@pytest.mark.parametrize(
    ("asked", "facts", "verdict", "summary", "sources"),
    [
        (ALLOWED, seen("secp256r1"), V.PASS, "accepts secp256r1, x25519 only", ()),
        (ALLOWED, seen("secp256r1", "sect163k1"), V.FAIL, "accepts sect163k1", ()),
        (ALLOWED, seen("0x1234"), V.FAIL, "accepts 0x1234", ()),
        (ALLOWED, seen("sect163k1", complete=False), V.FAIL, "accepts sect163k1", ()),
        (
            ALLOWED,
            seen("secp256r1", complete=False),
            V.UNKNOWN,
            "the list of groups of TLSv1.2 may not be complete",
            (),
        ),
        (
            ALLOWED,
            seen("secp256r1", open_protocols=[TLS1_0]),
            V.UNKNOWN,
            "the list of groups of TLSv1.0 may not be complete",
            (),
        ),
        (REQUIRED, seen("secp256r1", complete=False), V.PASS, "accepts secp256r1, x25519", ()),
        (
            {"required": ["secp384r1"]},
            seen("secp256r1", complete=False),
            V.UNKNOWN,
            "the list of groups of TLSv1.2 may not be complete",
            (),
        ),
        ({"required": ["secp384r1"]}, seen("secp256r1"), V.FAIL, "does not accept secp384r1", ()),
        (FORBIDDEN, seen("secp224r1"), V.FAIL, "accepts secp224r1", ("4.5",)),
        (FORBIDDEN, seen("secp256r1"), V.PASS, "accepts secp256r1, x25519", ()),
        # lists of suites decide if no group was seen
        (ALLOWED, without({TLS1_2: (CBC_RSA,)}), V.NOT_APPLICABLE, "no key exchange with groups is accepted", ()),
        (
            ALLOWED | {"required": [{"is": "x25519", "from": "2026-11-23"}]},
            without({TLS1_2: (CBC_RSA,)}),
            V.NOT_APPLICABLE,
            "no key exchange with groups is accepted",
            (),
        ),
        (REQUIRED, without({TLS1_2: (CBC_RSA,)}), V.FAIL, "does not accept x25519", ("4.4",)),
        (ALLOWED, without({TLS1_2: (GCM,)}), V.UNKNOWN, "the list of groups of TLSv1.2 may not be complete", ()),
        (ALLOWED, without({SSL3: (GCM,)}), V.UNKNOWN, "the list of groups of SSLv3 may not be complete", ()),
        (ALLOWED, without({TLS1_2: ("0xFEED",)}), V.UNKNOWN, "the list of groups of TLSv1.2 may not be complete", ()),
        (ALLOWED, without({TLS1_3: (TLS13_AES,)}), V.UNKNOWN, "the list of groups of TLSv1.3 may not be complete", ()),
        (ALLOWED, handshake({}), V.UNKNOWN, "the key exchange groups are not known", ()),
    ],
)
def test_groups_are_required_allowed_and_forbidden(
    asked: dict[str, Any], facts: HandshakeFacts, verdict: Verdict, summary: str, sources: tuple[str, ...]
) -> None:
    demand = KeyExchangeGroupsDemand.model_validate({"severity": "warning", "source": "test"} | asked)
    outcome = CHECK.judge(case(facts), demand)
    assert (outcome.verdict, outcome.summary, outcome.sources) == (verdict, summary, sources)


def test_a_typo_names_the_group_that_was_meant() -> None:
    with pytest.raises(ValidationError, match="'X25519' is not a key exchange group; did you mean x25519"):
        KeyExchangeGroupsDemand.model_validate({"severity": "info", "source": "test", "allowed": ["X25519"]})
