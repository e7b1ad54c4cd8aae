from typing import Any

import pytest
from pydantic import ValidationError

from exporter.case import Case
from exporter.checks.clients import CHECK, ClientsDemand
from exporter.checks.registry import CHECKS
from exporter.derived.clients import DERIVATION
from exporter.facts.handshake import HandshakeFacts, Listing
from exporter.model import CipherOrder, Protocol, Verdict
from tests.support.facts import CBC_RSA, GCM, case, certificate, handshake

TLS1_0, TLS1_2 = Protocol.TLS1_0, Protocol.TLS1_2
BESIDE: dict[str, Any] = {
    "groups": {TLS1_2: Listing(("x25519", "secp256r1"), complete=True)},
    "group_order": {TLS1_2: CipherOrder.SERVER},
    "signature_schemes": Listing(("rsa_pkcs1_sha256",), complete=True),
}
NEW = handshake({TLS1_2: (GCM,)}, **BESIDE)
OLD = handshake({TLS1_0: (CBC_RSA,), TLS1_2: (GCM,)}, **BESIDE)
UNCLEAR = handshake({TLS1_2: (GCM,)}, open_protocols=[TLS1_0], **BESIDE)
TOO_OLD = "no_common_protocol: the client offers SSLv3 to TLSv1.0, the server accepts TLSv1.2"
NOT_KNOWN = "no_common_protocol: it is not known whether the server accepts TLSv1.0"


def demand(can: tuple[str, ...] = (), cannot: tuple[str, ...] = ()) -> ClientsDemand:
    return ClientsDemand.model_validate(
        {"severity": "warning", "source": "test", "can_connect": can, "cannot_connect": cannot}
    )


def judged(facts: HandshakeFacts) -> Case:
    seen = case(facts, certificate())
    derived = DERIVATION.derive(seen)
    assert derived is not None
    return case(facts, certificate(), derived)


@pytest.mark.parametrize(
    ("facts", "demanded", "verdict", "summary", "evidence"),
    [
        (NEW, (("android-4.4.2",), ()), Verdict.PASS, "Android 4.4.2 can connect", {}),
        (NEW, ((), ("android-4.3",)), Verdict.PASS, "Android 4.3 cannot", {}),
        (
            NEW,
            (("android-4.4.2",), ("android-4.2.2", "android-4.3")),
            Verdict.PASS,
            "Android 4.4.2 can connect; Android 4.2.2, Android 4.3 cannot",
            {},
        ),
        (NEW, (("android-4.3",), ()), Verdict.FAIL, "Android 4.3 cannot connect", {"android-4.3": (TOO_OLD,)}),
        (
            OLD,
            ((), ("android-4.3",)),
            Verdict.FAIL,
            "Android 4.3 can connect",
            {"android-4.3": ("TLSv1.0 TLS_RSA_WITH_AES_128_CBC_SHA",)},
        ),
        (
            NEW,
            (("android-4.3",), ("android-4.4.2",)),
            Verdict.FAIL,
            "Android 4.3 cannot connect; Android 4.4.2 can connect",
            {
                "android-4.3": (TOO_OLD,),
                "android-4.4.2": ("TLSv1.2 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 secp256r1",),
            },
        ),
        (
            UNCLEAR,
            (("android-4.4.2",), ("android-4.3",)),
            Verdict.UNKNOWN,
            "it is not known whether Android 4.3 can connect",
            {"android-4.3": (NOT_KNOWN,)},
        ),
        (
            UNCLEAR,
            (("android-4.3",), ("android-4.4.2",)),
            Verdict.FAIL,
            "Android 4.4.2 can connect",
            {"android-4.4.2": ("TLSv1.2 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 secp256r1",)},
        ),
    ],
)
def test_clients_must_connect_or_must_not(
    facts: HandshakeFacts,
    demanded: tuple[tuple[str, ...], tuple[str, ...]],
    verdict: Verdict,
    summary: str,
    evidence: dict[str, tuple[str, ...]],
) -> None:
    outcome = CHECK.judge(judged(facts), demand(*demanded))
    assert (outcome.verdict, outcome.summary, dict(outcome.evidence)) == (verdict, summary, evidence)


def test_without_a_handshake_nothing_is_known() -> None:
    outcome = CHECK.judge(case(certificate()), demand(("android-4.3",)))
    assert (outcome.verdict, outcome.summary) == (Verdict.UNKNOWN, "what the server accepts is not known")


def test_it_is_one_of_the_checks() -> None:
    assert CHECK in CHECKS


@pytest.mark.parametrize(
    ("can", "cannot", "told"),
    [
        ((), (), "names no client; give can_connect, cannot_connect or both"),
        (("android-4.3",), ("android-4.3",), "android-4.3 cannot be in can_connect and in cannot_connect"),
        (("andriod-4.3",), (), "unknown client 'andriod-4.3'; did you mean android-4.3?"),
        (("netscape",), (), "unknown client 'netscape'; docs/clients.md lists the known clients"),
        (("android-4.3", "android-4.3"), (), "names android-4.3 twice"),
    ],
)
def test_a_demand_with_mistakes_is_refused(can: tuple[str, ...], cannot: tuple[str, ...], told: str) -> None:
    with pytest.raises(ValidationError, match=told.replace("?", r"\?")):
        demand(can, cannot)
