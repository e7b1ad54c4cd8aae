from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from exporter.checks.extensions import CHECK, ExtensionsDemand
from exporter.facts.certificate import CertificateFacts
from exporter.facts.handshake import HandshakeFacts
from exporter.judging.names import EXTENSIONS
from exporter.model import Protocol, Verdict
from exporter.policies import load_policy
from tests.support.facts import CBC_RSA, GCM, TLS13_AES, case, certificates, deployment, handshake

SSL3, TLS1_0, TLS1_1, TLS1_2, TLS1_3 = Protocol.SSL3, Protocol.TLS1_0, Protocol.TLS1_1, Protocol.TLS1_2, Protocol.TLS1_3
V = Verdict
EMS, EtM, HEARTBEAT = "extended_master_secret", "encrypt_then_mac", "heartbeat"
TICKETS, STAPLING, FALLBACK = "session_tickets", "ocsp_stapling", "fallback_scsv"
ONE = {TLS1_2: (GCM,)}
OLD = {TLS1_0: (CBC_RSA,), TLS1_2: (GCM,)}
NEW = {TLS1_3: (TLS13_AES,)}


def seen(
    suites: Mapping[Protocol, Sequence[str]],
    extensions: Mapping[str, bool | None],
    **beside: Any,  # noqa: ANN401 - other fields of the facts
) -> HandshakeFacts:
    return handshake(suites, **({"extensions": extensions, "heartbeat": {}} | beside))


def required(*names: object) -> dict[str, Any]:
    return {"required": list(names)}


def forbidden(*names: object) -> dict[str, Any]:
    return {"forbidden": list(names)}


@pytest.mark.parametrize(
    ("asked", "facts", "verdict", "summary"),
    [
        (required(EMS), seen(OLD, {EMS: True}), V.PASS, f"has {EMS}"),
        (required(EMS), seen(OLD, {EMS: False}), V.FAIL, f"lacks {EMS}"),
        (required(EMS), seen(OLD, {EMS: None}), V.UNKNOWN, f"not known of {EMS}"),
        (required(EMS), seen(OLD, {}), V.UNKNOWN, f"not known of {EMS}"),
        (required(EMS), seen(ONE, {EMS: True}, open_protocols=[TLS1_0]), V.UNKNOWN, f"not known of {EMS}"),
        (required(EMS), seen(ONE, {EMS: False}, open_protocols=[TLS1_0]), V.FAIL, f"lacks {EMS}"),
        (
            required(EMS),
            seen(NEW, {EMS: None}),
            V.NOT_APPLICABLE,
            f"{EMS}: nothing on this server uses them",
        ),
        (required(EMS), seen(NEW, {EMS: None}, open_protocols=[TLS1_2]), V.UNKNOWN, f"not known of {EMS}"),
        (required(STAPLING), seen(NEW, {STAPLING: None}), V.UNKNOWN, f"not known of {STAPLING}"),
        # of no use without suites in CBC mode
        (
            required(EtM),
            seen(ONE, {EtM: None}),
            V.NOT_APPLICABLE,
            f"{EtM}: nothing on this server uses them",
        ),
        (required(EtM), seen(ONE, {EtM: None}, incomplete=[TLS1_2]), V.UNKNOWN, f"not known of {EtM}"),
        (required(EtM), seen(OLD, {EtM: None}), V.UNKNOWN, f"not known of {EtM}"),
        (required(EtM, EMS), seen(ONE, {EtM: None, EMS: True}), V.PASS, f"has {EMS}"),
        # of no use with one protocol
        (
            required(FALLBACK),
            seen(ONE, {FALLBACK: None}),
            V.NOT_APPLICABLE,
            f"{FALLBACK}: nothing on this server uses them",
        ),
        (required(FALLBACK), seen(ONE | NEW, {FALLBACK: None}), V.UNKNOWN, f"not known of {FALLBACK}"),
        (required(FALLBACK), seen(ONE | NEW, {FALLBACK: True}, open_protocols=[SSL3]), V.PASS, f"has {FALLBACK}"),
        # a no of several protocols may be the no of one of them
        (forbidden(TICKETS), seen(ONE, {TICKETS: True}), V.FAIL, f"has {TICKETS}"),
        (forbidden(TICKETS), seen(ONE, {TICKETS: False}), V.PASS, f"lacks {TICKETS}"),
        (forbidden(TICKETS), seen(OLD, {TICKETS: False}), V.UNKNOWN, f"not known of {TICKETS}"),
        (
            forbidden(TICKETS),
            seen(ONE, {TICKETS: False}, open_protocols=[TLS1_1]),
            V.UNKNOWN,
            f"not known of {TICKETS}",
        ),
        (forbidden(STAPLING), seen(ONE | NEW, {STAPLING: False}), V.UNKNOWN, f"not known of {STAPLING}"),
        # heartbeat is known of each protocol
        (
            forbidden(HEARTBEAT),
            seen(OLD, {HEARTBEAT: False}, heartbeat={TLS1_0: False, TLS1_2: False}),
            V.PASS,
            f"lacks {HEARTBEAT}",
        ),
        (
            forbidden(HEARTBEAT),
            seen(OLD, {HEARTBEAT: False}, heartbeat={TLS1_0: True, TLS1_2: False}),
            V.FAIL,
            f"has {HEARTBEAT}",
        ),
        (
            forbidden(HEARTBEAT),
            seen(OLD, {HEARTBEAT: False}, heartbeat={TLS1_2: False}),
            V.UNKNOWN,
            f"not known of {HEARTBEAT}",
        ),
        (
            required(EMS) | forbidden(HEARTBEAT),
            seen(ONE, {EMS: False, HEARTBEAT: True}),
            V.FAIL,
            f"lacks {EMS} and has {HEARTBEAT}",
        ),
        (
            required({"is": EMS, "until": "2026-11-21"}),
            seen(ONE, {}),
            V.NOT_APPLICABLE,
            "nothing of it is in force today",
        ),
        (required(EMS), handshake({}), V.UNKNOWN, "the extensions are not known"),
    ],
)
def test_extensions_are_required_everywhere_and_forbidden_anywhere(
    asked: dict[str, Any], facts: HandshakeFacts, verdict: Verdict, summary: str
) -> None:
    demand = ExtensionsDemand.model_validate({"severity": "warning", "source": "test"} | asked)
    outcome = CHECK.judge(case(facts), demand)
    assert (outcome.verdict, outcome.summary) == (verdict, summary)


WITH, WITHOUT, UNREADABLE = (deployment(names_ocsp=named) for named in (True, False, None))


@pytest.mark.parametrize(
    ("stapled", "certificate_facts", "verdict"),
    [
        (False, certificates(WITH), V.FAIL),
        (False, certificates(WITHOUT), V.NOT_APPLICABLE),
        (False, certificates(UNREADABLE), V.UNKNOWN),
        (False, certificates(WITH, WITHOUT), V.UNKNOWN),
        (False, certificates(WITHOUT, complete=False), V.UNKNOWN),
        (False, certificates(WITH, complete=False), V.FAIL),
        (False, None, V.UNKNOWN),
        # A server may be told where to ask.
        (True, certificates(WITHOUT), V.PASS),
        (None, certificates(WITH), V.UNKNOWN),
        (None, certificates(WITHOUT), V.NOT_APPLICABLE),
    ],
)
def test_only_certificates_that_name_an_ocsp_server_can_be_stapled(
    stapled: bool | None, certificate_facts: CertificateFacts | None, verdict: Verdict
) -> None:
    demand = ExtensionsDemand.model_validate({"severity": "warning", "source": "test", "required": [STAPLING]})
    parts = [seen(ONE, {STAPLING: stapled}), *([certificate_facts] if certificate_facts else [])]
    assert CHECK.judge(case(*parts), demand).verdict is verdict


def test_nist_asks_for_no_stapling_of_a_certificate_without_an_ocsp_server() -> None:
    """What else it asks for in the same place is judged as before."""
    policy = load_policy("nist-800-52r2")
    (demand,) = policy.demands[CHECK.name]
    assert isinstance(demand, ExtensionsDemand)
    has = {"secure_renegotiation": True, EMS: True, EtM: None}
    verdicts = {
        V.PASS: (has | {STAPLING: False}, WITHOUT),
        V.FAIL: (has | {STAPLING: False}, WITH),
    }
    for verdict, (extensions, one) in verdicts.items():
        assert CHECK.judge(case(seen(ONE, extensions), certificates(one)), demand).verdict is verdict


def test_a_failure_says_where_it_is_written() -> None:
    asked = {"required": [{"is": EMS, "source": "3.5"}, "secure_renegotiation"]}
    demand = ExtensionsDemand.model_validate({"severity": "warning", "source": "test"} | asked)
    outcome = CHECK.judge(case(seen(ONE, {EMS: False, "secure_renegotiation": True})), demand)
    assert (outcome.sources, dict(outcome.evidence)) == (("3.5",), {"missing": (EMS,)})


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "asks for nothing; give it required or forbidden"),
        (forbidden("hartbeat"), "'hartbeat' is not an extension that is looked for; did you mean heartbeat?"),
    ],
)
def test_a_demand_that_cannot_be_meant_is_an_error(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        ExtensionsDemand.model_validate({"severity": "warning", "source": "test"} | asked)
    assert [error["msg"] for error in raised.value.errors()] == [f"Value error, {message}"]


def test_these_are_all_extensions_that_there_are() -> None:
    """As `exporter.probes.handshake.summary` fills them in; a new one is added to both."""
    assert (
        *("secure_renegotiation", "extended_master_secret", "session_tickets", "heartbeat"),
        *("encrypt_then_mac", "ocsp_stapling", "fallback_scsv", "downgrade_marks"),
    ) == EXTENSIONS
