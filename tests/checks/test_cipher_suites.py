import pytest
from pydantic import ValidationError

from exporter.checks.cipher_suites import CHECK, NONCOMPLIANT, SUITE_INFO, CipherSuitesDemand, iana_name
from exporter.model import Protocol, Verdict
from exporter.probes.handshake import HandshakeFacts
from tests.support.facts import (
    CBC_RSA,
    GCM,
    GCM_128,
    GOOD_SUITES,
    RC4,
    TLS13_AES,
    TLS13_CHACHA,
    case,
    facts,
    handshake,
)

SSL2, SSL3, TLS1_0, TLS1_1, TLS1_2, TLS1_3 = Protocol
FIELDS = {"severity": "critical", "source": "test", "allowed": [GCM, GCM_128]}
DEMAND = CipherSuitesDemand.model_validate(FIELDS | {"tls13_allowed": None})
STRICT = CipherSuitesDemand.model_validate(FIELDS | {"tls13_allowed": [TLS13_AES]})
WHOLE = "accepts only cipher suites that the policy allows"
SSL2_KIND = "SSL_CK_RC4_128_WITH_MD5"


def gap(protocols: dict[Protocol, bool | None], suites: dict[Protocol, tuple[str, ...]]) -> HandshakeFacts:
    """Facts with a protocol that is accepted and has no list."""
    return HandshakeFacts(dict.fromkeys(Protocol, False) | protocols, suites, frozenset(), {}, False)


@pytest.mark.parametrize(
    ("seen", "demand", "verdict", "summary", "evidence"),
    [
        (handshake(), DEMAND, Verdict.PASS, WHOLE, {}),
        (handshake({TLS1_2: (GCM,)}), DEMAND, Verdict.PASS, WHOLE, {}),
        (handshake({TLS1_3: (TLS13_AES, TLS13_CHACHA)}), DEMAND, Verdict.PASS, WHOLE, {}),
        (handshake({TLS1_3: (TLS13_AES,)}), STRICT, Verdict.PASS, WHOLE, {}),
        (handshake({TLS1_2: (GCM,)}, open_protocols=[TLS1_3]), DEMAND, Verdict.PASS, WHOLE, {}),
        (handshake(incomplete=[TLS1_3]), DEMAND, Verdict.PASS, WHOLE, {}),
        (
            handshake({TLS1_2: (GCM, CBC_RSA)}),
            DEMAND,
            Verdict.FAIL,
            "accepts 1 cipher suite that the policy does not allow (TLSv1.2)",
            {"TLSv1.2": (CBC_RSA,)},
        ),
        (
            handshake({TLS1_0: (CBC_RSA, RC4), TLS1_2: (RC4, GCM, CBC_RSA)}),
            DEMAND,
            Verdict.FAIL,
            "accepts 2 cipher suites that the policy does not allow (TLSv1.0, TLSv1.2)",
            {"TLSv1.0": (CBC_RSA, RC4), "TLSv1.2": (RC4, CBC_RSA)},
        ),
        (
            handshake({SSL2: (SSL2_KIND,), TLS1_2: (GCM,)}),
            DEMAND,
            Verdict.FAIL,
            "accepts 1 cipher suite that the policy does not allow (SSLv2)",
            {"SSLv2": (SSL2_KIND,)},
        ),
        (
            handshake({TLS1_2: ("0xFEED",)}),
            DEMAND,
            Verdict.FAIL,
            "accepts 1 cipher suite that the policy does not allow (TLSv1.2)",
            {"TLSv1.2": ("0xFEED",)},
        ),
        (
            handshake({TLS1_2: (GCM,), TLS1_3: (TLS13_AES, TLS13_CHACHA)}),
            STRICT,
            Verdict.FAIL,
            "accepts 1 cipher suite that the policy does not allow (TLSv1.3)",
            {"TLSv1.3": (TLS13_CHACHA,)},
        ),
        (
            handshake({TLS1_2: (CBC_RSA,)}, open_protocols=[SSL3], incomplete=[TLS1_2]),
            DEMAND,
            Verdict.FAIL,
            "accepts 1 cipher suite that the policy does not allow (TLSv1.2)",
            {"TLSv1.2": (CBC_RSA,)},
        ),
        (
            handshake(incomplete=[TLS1_2]),
            DEMAND,
            Verdict.UNKNOWN,
            "the list of TLSv1.2 may not be whole",
            {"unknown": ("TLSv1.2",)},
        ),
        (
            handshake(open_protocols=[TLS1_0, SSL3]),
            DEMAND,
            Verdict.UNKNOWN,
            "the list of SSLv3, TLSv1.0 may not be whole",
            {"unknown": ("SSLv3", "TLSv1.0")},
        ),
        (
            handshake({TLS1_2: (GCM,)}, open_protocols=[TLS1_3]),
            STRICT,
            Verdict.UNKNOWN,
            "the list of TLSv1.3 may not be whole",
            {"unknown": ("TLSv1.3",)},
        ),
        (
            gap({TLS1_2: True, TLS1_3: True}, {TLS1_3: (TLS13_AES,)}),
            DEMAND,
            Verdict.UNKNOWN,
            "the list of TLSv1.2 may not be whole",
            {"unknown": ("TLSv1.2",)},
        ),
        (
            gap({SSL2: True, TLS1_2: True}, {SSL2: (), TLS1_2: (GCM,)}),
            DEMAND,
            Verdict.UNKNOWN,
            "the list of SSLv2 may not be whole",
            {"unknown": ("SSLv2",)},
        ),
        (handshake({}), DEMAND, Verdict.UNKNOWN, "the cipher suites are not known", {}),
        (handshake({}, open_protocols=[TLS1_3]), DEMAND, Verdict.UNKNOWN, "the cipher suites are not known", {}),
    ],
)
def test_every_accepted_suite_must_be_allowed_in_its_protocol(
    seen: HandshakeFacts,
    demand: CipherSuitesDemand,
    verdict: Verdict,
    summary: str,
    evidence: dict[str, tuple[str, ...]],
) -> None:
    outcome = CHECK.judge(case(seen), demand)
    assert (outcome.verdict, outcome.summary, dict(outcome.evidence)) == (verdict, summary, evidence)


def test_without_a_handshake_nothing_is_known() -> None:
    outcome = CHECK.judge(case(), DEMAND)
    assert (outcome.verdict, outcome.summary) == (Verdict.UNKNOWN, "the cipher suites are not known")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
        ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
        ("ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
        ("AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"),
        ("DES-CBC3-SHA", "TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
    ],
)
def test_openssl_and_iana_names_mean_the_same_suite(name: str, expected: str) -> None:
    """RFC 7905 and the OpenSSL manual page openssl-ciphers(1)."""
    assert iana_name(name) == expected


def test_a_typo_names_the_suite_that_was_meant() -> None:
    with pytest.raises(ValueError, match="did you mean ECDHE-RSA-AES256-GCM-SHA384"):
        iana_name("ECDHE-RSA-AES256-GCM-SHA348")


def test_a_name_like_no_other_is_refused_without_a_suggestion() -> None:
    with pytest.raises(ValueError, match=r"^'zzzz' is no registered cipher suite$"):
        iana_name("zzzz")


def test_every_wrong_name_of_a_list_is_reported_at_its_own_place() -> None:
    names = [GCM, "nonsense-1", GCM_128, "nonsense-2"]
    with pytest.raises(ValidationError) as raised:
        CipherSuitesDemand.model_validate(FIELDS | {"allowed": names, "tls13_allowed": ["nonsense-3"]})
    assert [error["loc"] for error in raised.value.errors()] == [("allowed", 1), ("allowed", 3), ("tls13_allowed", 0)]


def test_tls13_must_be_spoken_of() -> None:
    with pytest.raises(ValidationError, match="tls13_allowed"):
        CipherSuitesDemand.model_validate(FIELDS)


def samples(
    seen: HandshakeFacts | None, demand: CipherSuitesDemand = DEMAND
) -> list[tuple[str, dict[str, str], float]]:
    known = facts() if seen is None else facts(seen)
    return [(s.family.name, dict(s.labels), s.value) for s in CHECK.samples(known, demand, "strict")]


def test_offending_suites_are_counted_for_each_accepted_protocol() -> None:
    counted = samples(handshake({TLS1_0: (CBC_RSA, RC4), TLS1_2: (GCM,), TLS1_3: (TLS13_AES,)}))
    assert [entry for entry in counted if entry[0] == NONCOMPLIANT.name] == [
        (NONCOMPLIANT.name, {"protocol": "TLSv1.0", "policy": "strict"}, 2),
        (NONCOMPLIANT.name, {"protocol": "TLSv1.2", "policy": "strict"}, 0),
        (NONCOMPLIANT.name, {"protocol": "TLSv1.3", "policy": "strict"}, 0),
    ]


def test_every_accepted_suite_is_shown_with_its_verdict() -> None:
    shown = samples(handshake({TLS1_2: (GCM, RC4)}))
    assert [entry for entry in shown if entry[0] == SUITE_INFO.name] == [
        (SUITE_INFO.name, {"protocol": "TLSv1.2", "cipher_suite": GCM, "compliant": "true"}, 1),
        (SUITE_INFO.name, {"protocol": "TLSv1.2", "cipher_suite": RC4, "compliant": "false"}, 1),
    ]


@pytest.mark.parametrize(
    "seen",
    [
        handshake({TLS1_2: (GCM,)}, incomplete=[TLS1_2]),
        gap({TLS1_2: True}, {}),
        gap({SSL2: True}, {SSL2: ()}),
        handshake({}, open_protocols=[TLS1_2]),
    ],
)
def test_a_list_that_may_not_be_whole_is_not_counted(seen: HandshakeFacts) -> None:
    assert NONCOMPLIANT.name not in {name for name, _, _ in samples(seen)}


def test_without_a_handshake_there_are_no_samples() -> None:
    assert samples(None) == []


def test_only_the_list_of_suites_is_left_to_full_detail() -> None:
    assert CHECK.full == {SUITE_INFO}
    assert {name for name, _, _ in samples(handshake(GOOD_SUITES))} <= {family.name for family in CHECK.families}
