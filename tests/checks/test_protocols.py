from collections.abc import Iterable

import pytest
from pydantic import ValidationError

from exporter.checks.protocols import CHECK, ProtocolsDemand
from exporter.facts.handshake import HandshakeFacts
from exporter.model import Protocol, Verdict
from tests.support.facts import CBC_RSA, GCM, TLS13_AES, case, handshake

DEMAND = ProtocolsDemand.model_validate({"severity": "critical", "source": "test", "allowed": ["TLSv1.2", "TLSv1.3"]})
SSL2, SSL3, TLS1_0, TLS1_1, TLS1_2, TLS1_3 = Protocol


def seen(accepted: Iterable[Protocol], open_protocols: Iterable[Protocol] = ()) -> HandshakeFacts:
    return handshake(dict.fromkeys(accepted, (GCM,)), open_protocols=open_protocols)


@pytest.mark.parametrize(
    ("accepted", "open_protocols", "verdict", "summary", "evidence"),
    [
        ([TLS1_2], [], Verdict.PASS, "accepts TLSv1.2 only", {}),
        ([TLS1_3], [], Verdict.PASS, "accepts TLSv1.3 only", {}),
        ([TLS1_2, TLS1_3], [], Verdict.PASS, "accepts TLSv1.2, TLSv1.3 only", {}),
        ([TLS1_2], [TLS1_3], Verdict.PASS, "accepts TLSv1.2 only", {}),
        ([TLS1_1, TLS1_2], [], Verdict.FAIL, "accepts TLSv1.1", {"accepted": ("TLSv1.1",)}),
        ([SSL2], [], Verdict.FAIL, "accepts SSLv2", {"accepted": ("SSLv2",)}),
        (
            [SSL2, SSL3, TLS1_0, TLS1_1, TLS1_2, TLS1_3],
            [],
            Verdict.FAIL,
            "accepts SSLv2, SSLv3, TLSv1.0, TLSv1.1",
            {"accepted": ("SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1")},
        ),
        ([TLS1_0, TLS1_2], [SSL3], Verdict.FAIL, "accepts TLSv1.0", {"accepted": ("TLSv1.0",)}),
        (
            [TLS1_2],
            [SSL3],
            Verdict.UNKNOWN,
            "it is not known whether SSLv3 is accepted",
            {"unknown": ("SSLv3",)},
        ),
        (
            [TLS1_2, TLS1_3],
            [SSL2, TLS1_1],
            Verdict.UNKNOWN,
            "it is not known whether SSLv2, TLSv1.1 is accepted",
            {"unknown": ("SSLv2", "TLSv1.1")},
        ),
        ([], [TLS1_2], Verdict.UNKNOWN, "no protocol is known to be accepted", {}),
        ([], [], Verdict.UNKNOWN, "no protocol is known to be accepted", {}),
    ],
)
def test_only_allowed_protocols_may_be_accepted(
    accepted: list[Protocol],
    open_protocols: list[Protocol],
    verdict: Verdict,
    summary: str,
    evidence: dict[str, tuple[str, ...]],
) -> None:
    outcome = CHECK.judge(case(seen(accepted, open_protocols)), DEMAND)
    assert (outcome.verdict, outcome.summary, dict(outcome.evidence)) == (verdict, summary, evidence)


def test_without_a_handshake_nothing_is_known() -> None:
    outcome = CHECK.judge(case(), DEMAND)
    assert (outcome.verdict, outcome.summary, outcome.evidence) == (
        Verdict.UNKNOWN,
        "the protocols are not known",
        {},
    )


def test_a_protocol_the_facts_do_not_mention_is_unknown() -> None:
    facts = HandshakeFacts({Protocol.TLS1_2: True}, {Protocol.TLS1_2: (GCM,)}, frozenset(), {}, False)
    outcome = CHECK.judge(case(facts), DEMAND)
    assert outcome.verdict is Verdict.UNKNOWN
    assert outcome.evidence == {"unknown": ("SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1")}


def test_another_allow_list_is_obeyed() -> None:
    only_new = ProtocolsDemand.model_validate({"severity": "info", "source": "test", "allowed": ["TLSv1.3"]})
    both = handshake({Protocol.TLS1_2: (CBC_RSA,), Protocol.TLS1_3: (TLS13_AES,)})
    outcome = CHECK.judge(case(both), only_new)
    assert (outcome.verdict, outcome.evidence) == (Verdict.FAIL, {"accepted": ("TLSv1.2",)})


def test_an_unknown_version_in_the_demand_is_an_error() -> None:
    with pytest.raises(ValidationError, match=r"TLSv1\.4|'TLSv1.3'"):
        ProtocolsDemand.model_validate({"severity": "info", "source": "test", "allowed": ["TLSv1.4"]})


REQUIRED = {"required": [{"is": "TLSv1.3", "from": "2024-01-01", "source": "3.1"}]}
FORBIDDEN = {"forbidden": ["SSLv2", {"is": ["TLSv1.0", "TLSv1.1"], "from": "2026-11-22", "source": "2.2"}]}
LAPSING = {"allowed": ["TLSv1.3", {"is": "TLSv1.2", "until": "2026-11-21", "source": "3.2"}]}


@pytest.mark.parametrize(
    ("asked", "facts", "verdict", "summary", "sources"),
    [
        (REQUIRED, seen([TLS1_0, TLS1_3]), Verdict.PASS, "accepts TLSv1.0, TLSv1.3", ()),
        (REQUIRED, seen([TLS1_3], [SSL2]), Verdict.PASS, "accepts TLSv1.3", ()),
        (REQUIRED, seen([TLS1_2]), Verdict.FAIL, "does not accept TLSv1.3", ("3.1",)),
        (REQUIRED, seen([TLS1_2], [TLS1_3]), Verdict.UNKNOWN, "it is not known whether TLSv1.3 is accepted", ()),
        (FORBIDDEN, seen([TLS1_2], [TLS1_3]), Verdict.PASS, "accepts TLSv1.2", ()),
        (FORBIDDEN, seen([SSL2, TLS1_1]), Verdict.FAIL, "accepts SSLv2, TLSv1.1", ("2.2",)),
        (FORBIDDEN, seen([TLS1_2], [TLS1_0]), Verdict.UNKNOWN, "it is not known whether TLSv1.0 is accepted", ()),
        (LAPSING, seen([TLS1_3]), Verdict.PASS, "accepts TLSv1.3 only", ()),
        (LAPSING, seen([TLS1_2, TLS1_3]), Verdict.FAIL, "accepts TLSv1.2", ("3.2",)),
        (
            {"required": ["TLSv1.3"], "forbidden": ["TLSv1.0"]},
            seen([TLS1_0]),
            Verdict.FAIL,
            "accepts TLSv1.0 and does not accept TLSv1.3",
            (),
        ),
        (
            {"required": [{"is": "TLSv1.3", "from": "2027-01-01"}]},
            seen([TLS1_0]),
            Verdict.NOT_APPLICABLE,
            "nothing of it is in force today",
            (),
        ),
        ({**REQUIRED, "from": "2027-01-01"}, seen([TLS1_0]), Verdict.NOT_APPLICABLE, "in force from 2027-01-01", ()),
        (
            {**REQUIRED, "from": "2020-01-01", "until": "2026-11-21"},
            seen([TLS1_0]),
            Verdict.NOT_APPLICABLE,
            "in force from 2020-01-01 until 2026-11-21",
            (),
        ),
        ({**REQUIRED, "until": "2026-11-22"}, seen([TLS1_0]), Verdict.FAIL, "does not accept TLSv1.3", ("3.1",)),
    ],
)
def test_versions_are_required_allowed_and_forbidden_on_their_days(
    asked: dict[str, object],
    facts: HandshakeFacts,
    verdict: Verdict,
    summary: str,
    sources: tuple[str, ...],
) -> None:
    demand = ProtocolsDemand.model_validate({"severity": "info", "source": "test"} | asked)
    outcome = CHECK.judge(case(facts), demand)
    assert (outcome.verdict, outcome.summary, outcome.sources) == (verdict, summary, sources)


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"allowed": ["TLSv1.2", "TLSv1.3"]}, "TLSv1.2, TLSv1.3 only"),
        ({"allowed": []}, "none at all"),
        (REQUIRED | FORBIDDEN, "TLSv1.3 from 2024-01-01 required; no SSLv2, (TLSv1.0, TLSv1.1 from 2026-11-22)"),
    ],
)
def test_a_demand_is_said_in_words(asked: dict[str, object], text: str) -> None:
    assert CHECK.asks(ProtocolsDemand.model_validate({"severity": "info", "source": "test"} | asked)) == text


def test_a_demand_must_ask_for_something() -> None:
    with pytest.raises(ValidationError, match="asks for nothing; give it required, allowed or forbidden"):
        ProtocolsDemand.model_validate({"severity": "info", "source": "test"})
