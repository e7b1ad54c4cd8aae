import pytest

from exporter.checks.cipher_order import CHECK, CipherOrderDemand
from exporter.facts.handshake import HandshakeFacts
from exporter.model import CipherOrder, Protocol, Verdict
from tests.support.facts import CBC_RSA, GCM, GCM_128, RC4, TLS13_AES, case, handshake

SSL2, SSL3, TLS1_0, TLS1_1, TLS1_2, TLS1_3 = Protocol
SERVER, CLIENT, MIXED = CipherOrder
DEMAND = CipherOrderDemand.model_validate({"severity": "warning", "source": "test", "required": "server"})
ONE = {TLS1_2: (GCM,)}
TWO = {TLS1_2: (GCM, GCM_128)}
OLD_AND_NEW = {TLS1_0: (CBC_RSA, RC4), TLS1_2: (GCM, GCM_128)}
KINDS = ("SSL_CK_RC4_128_WITH_MD5", "SSL_CK_DES_64_CBC_WITH_MD5")


def without_lists(protocols: dict[Protocol, bool | None], order: dict[Protocol, CipherOrder | None]) -> HandshakeFacts:
    return HandshakeFacts(dict.fromkeys(Protocol, False) | protocols, {}, frozenset(), order, False)


@pytest.mark.parametrize(
    ("seen", "verdict", "summary", "evidence"),
    [
        (handshake(TWO), Verdict.PASS, "the server's order decides", {}),
        (handshake(OLD_AND_NEW), Verdict.PASS, "the server's order decides", {}),
        (handshake(TWO | {TLS1_3: (TLS13_AES,)}, order={TLS1_3: None}), Verdict.PASS, "the server's order decides", {}),
        (
            handshake(TWO | {SSL2: KINDS}, order={SSL2: None}),
            Verdict.PASS,
            "the server's order decides",
            {},
        ),
        (handshake(TWO, open_protocols=[SSL2]), Verdict.PASS, "the server's order decides", {}),
        (
            handshake(TWO, order={TLS1_2: CLIENT}),
            Verdict.FAIL,
            "the server's order does not decide in TLSv1.2",
            {"TLSv1.2": ("client",)},
        ),
        (
            handshake(OLD_AND_NEW, order={TLS1_0: MIXED, TLS1_2: CLIENT}),
            Verdict.FAIL,
            "the server's order does not decide in TLSv1.0, TLSv1.2",
            {"TLSv1.0": ("mixed",), "TLSv1.2": ("client",)},
        ),
        (
            handshake(TWO, order={TLS1_2: MIXED}, open_protocols=[TLS1_0]),
            Verdict.FAIL,
            "the server's order does not decide in TLSv1.2",
            {"TLSv1.2": ("mixed",)},
        ),
        (
            handshake(TWO, order={TLS1_2: None}),
            Verdict.UNKNOWN,
            "it is not known whose order decides in TLSv1.2",
            {"unknown": ("TLSv1.2",)},
        ),
        (
            handshake(TWO, open_protocols=[SSL3, TLS1_3]),
            Verdict.UNKNOWN,
            "it is not known whose order decides in SSLv3, TLSv1.3",
            {"unknown": ("SSLv3", "TLSv1.3")},
        ),
        (
            handshake(ONE, order={TLS1_2: None}, incomplete=[TLS1_2]),
            Verdict.UNKNOWN,
            "it is not known whose order decides in TLSv1.2",
            {"unknown": ("TLSv1.2",)},
        ),
        (
            without_lists({TLS1_2: True}, {}),
            Verdict.UNKNOWN,
            "it is not known whose order decides in TLSv1.2",
            {"unknown": ("TLSv1.2",)},
        ),
        (handshake({}, open_protocols=[TLS1_2]), Verdict.UNKNOWN, "the cipher order is not known", {}),
        (
            handshake(ONE, order={TLS1_2: None}),
            Verdict.NOT_APPLICABLE,
            "no protocol has two cipher suites to choose from",
            {},
        ),
        (
            handshake({SSL2: KINDS}, order={SSL2: None}),
            Verdict.NOT_APPLICABLE,
            "no protocol has two cipher suites to choose from",
            {},
        ),
    ],
)
def test_the_server_decides_wherever_there_is_a_choice(
    seen: HandshakeFacts, verdict: Verdict, summary: str, evidence: dict[str, tuple[str, ...]]
) -> None:
    outcome = CHECK.judge(case(seen), DEMAND)
    assert (outcome.verdict, outcome.summary, dict(outcome.evidence)) == (verdict, summary, evidence)


def test_without_a_handshake_nothing_is_known() -> None:
    outcome = CHECK.judge(case(), DEMAND)
    assert (outcome.verdict, outcome.summary) == (Verdict.UNKNOWN, "the cipher order is not known")


@pytest.mark.parametrize(
    ("whose", "order", "verdict", "summary"),
    [
        ("client", CLIENT, Verdict.PASS, "the client's order decides"),
        ("client", SERVER, Verdict.FAIL, "the client's order does not decide in TLSv1.2"),
        ("client", MIXED, Verdict.FAIL, "the client's order does not decide in TLSv1.2"),
        ("either", CLIENT, Verdict.PASS, "one side's order decides"),
        ("either", SERVER, Verdict.PASS, "one side's order decides"),
        ("either", MIXED, Verdict.FAIL, "one side's order does not decide in TLSv1.2"),
        ("either", None, Verdict.UNKNOWN, "it is not known whose order decides in TLSv1.2"),
    ],
)
def test_a_policy_may_want_the_clients_order_or_either(
    whose: str, order: CipherOrder | None, verdict: Verdict, summary: str
) -> None:
    demand = CipherOrderDemand.model_validate({"severity": "info", "source": "test", "required": whose})
    outcome = CHECK.judge(case(handshake(TWO, order={TLS1_2: order})), demand)
    assert (outcome.verdict, outcome.summary) == (verdict, summary)


def test_a_demand_is_said_in_words() -> None:
    assert CHECK.asks(DEMAND) == "the server's order decides"
