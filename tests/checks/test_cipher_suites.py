from typing import Any

import pytest
from pydantic import ValidationError

from exporter.checks.cipher_suites import CHECK, NONCOMPLIANT, SUITE_INFO, CipherSuitesDemand
from exporter.facts.handshake import HandshakeFacts
from exporter.judging.names import iana_name
from exporter.model import CipherOrder, Protocol, Verdict
from exporter.tls.suites import SUITES
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
from tests.support.targets import NOW

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
            "the list of TLSv1.2 may not be complete",
            {"unknown": ("TLSv1.2",)},
        ),
        (
            handshake(open_protocols=[TLS1_0, SSL3]),
            DEMAND,
            Verdict.UNKNOWN,
            "the list of SSLv3, TLSv1.0 may not be complete",
            {"unknown": ("SSLv3", "TLSv1.0")},
        ),
        (
            handshake({TLS1_2: (GCM,)}, open_protocols=[TLS1_3]),
            STRICT,
            Verdict.UNKNOWN,
            "the list of TLSv1.3 may not be complete",
            {"unknown": ("TLSv1.3",)},
        ),
        (
            gap({TLS1_2: True, TLS1_3: True}, {TLS1_3: (TLS13_AES,)}),
            DEMAND,
            Verdict.UNKNOWN,
            "the list of TLSv1.2 may not be complete",
            {"unknown": ("TLSv1.2",)},
        ),
        (
            gap({SSL2: True, TLS1_2: True}, {SSL2: (), TLS1_2: (GCM,)}),
            DEMAND,
            Verdict.UNKNOWN,
            "the list of SSLv2 may not be complete",
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
    with pytest.raises(ValueError, match=r"^'zzzz' is not a registered cipher suite$"):
        iana_name("zzzz")


def test_every_wrong_name_of_a_list_is_reported_at_its_own_place() -> None:
    names = [GCM, "nonsense-1", GCM_128, "nonsense-2"]
    with pytest.raises(ValidationError) as raised:
        CipherSuitesDemand.model_validate(FIELDS | {"allowed": names, "tls13_allowed": ["nonsense-3"]})
    assert [error["loc"][:2] for error in raised.value.errors()] == [
        ("allowed", 1),
        ("allowed", 3),
        ("tls13_allowed", 0),
    ]


def test_tls13_must_be_spoken_of() -> None:
    with pytest.raises(ValidationError, match="tls13_allowed"):
        CipherSuitesDemand.model_validate(FIELDS)


def samples(seen: HandshakeFacts | None, *demands: CipherSuitesDemand) -> list[tuple[str, dict[str, str], float]]:
    known = facts() if seen is None else facts(seen)
    told = CHECK.samples(known, demands or (DEMAND,), "strict", NOW.date())
    return [(s.family.name, dict(s.labels), s.value) for s in told]


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
        (SUITE_INFO.name, {"protocol": "TLSv1.2", "cipher_suite": GCM, "compliant": "true", "policy": "strict"}, 1),
        (SUITE_INFO.name, {"protocol": "TLSv1.2", "cipher_suite": RC4, "compliant": "false", "policy": "strict"}, 1),
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


def test_what_any_demand_does_not_allow_is_counted_once() -> None:
    """Two demands, one sample: RC4 is against both, CBC without forward secrecy against one of them."""
    stricter = demand(forbidden=[{"where": "encryption = RC4"}, {"where": "not forward_secrecy"}])
    counted = samples(handshake({TLS1_2: (GCM, RC4, CBC_RSA)}), demand(forbidden=[{"where": "mac = SHA1"}]), stricter)
    assert [entry for entry in counted if entry[0] == NONCOMPLIANT.name] == [
        (NONCOMPLIANT.name, {"protocol": "TLSv1.2", "policy": "strict"}, 2)
    ]
    assert [labels["compliant"] for _, labels, _ in counted if "compliant" in labels] == ["true", "false", "false"]


@pytest.mark.parametrize(
    "asked",
    [{"forbidden": [RC4], "until": "2026-11-21"}, {"required": [GCM]}],
    ids=["not in force", "limits nothing"],
)
def test_a_demand_that_forbids_nothing_today_counts_nothing(asked: dict[str, Any]) -> None:
    assert samples(handshake({TLS1_2: (GCM, RC4)}), demand(**asked)) == []


def test_a_suite_whose_name_does_not_tell_what_it_is_keeps_the_number_back() -> None:
    told = samples(handshake({TLS1_2: (GCM, "0xFEED")}), demand(forbidden=[{"where": "psk"}]))
    assert [(name, labels["compliant"]) for name, labels, _ in told] == [
        (SUITE_INFO.name, "true"),
        (SUITE_INFO.name, ""),
    ]


def demand(**asked: Any) -> CipherSuitesDemand:  # noqa: ANN401 - any part of the section
    return CipherSuitesDemand.model_validate({"severity": "info", "source": "test"} | asked)


PREFER = {"prefer": [{"where": "aead"}, {"where": "cbc"}]}
CLIENT, MIXED = CipherOrder.CLIENT, CipherOrder.MIXED
TWO = handshake({TLS1_2: (GCM, CBC_RSA)})
LAPSED = {"is": "AES128-SHA", "until": "2026-11-21", "source": "5.1"}
LASTING = {"is": "AES128-SHA", "until": "2026-11-22"}


@pytest.mark.parametrize(
    ("seen", "asked", "verdict", "summary", "sources"),
    [
        # forbidden
        (TWO, {"forbidden": [{"where": "anonymous"}]}, Verdict.PASS, WHOLE, ()),
        (
            TWO,
            {"forbidden": [{"where": "not forward_secrecy", "source": "4.1"}]},
            Verdict.FAIL,
            "accepts 1 cipher suite that the policy does not allow (TLSv1.2)",
            ("4.1",),
        ),
        (
            handshake({SSL2: (SSL2_KIND,), TLS1_2: (GCM,)}),
            {"forbidden": [{"where": "mac = MD5"}]},
            Verdict.FAIL,
            "accepts 1 cipher suite that the policy does not allow (SSLv2)",
            (),
        ),
        (
            handshake({TLS1_2: (GCM,)}, open_protocols=[TLS1_3]),
            {"forbidden": [{"where": "cbc"}]},
            Verdict.PASS,
            WHOLE,
            (),
        ),
        (
            handshake({TLS1_2: (GCM,)}, incomplete=[TLS1_2]),
            {"forbidden": [TLS13_AES]},
            Verdict.PASS,
            WHOLE,
            (),
        ),
        (
            handshake({TLS1_2: (GCM, "0xFEED")}),
            {"forbidden": [{"where": "psk"}]},
            Verdict.UNKNOWN,
            "it is not known what 0xFEED is",
            (),
        ),
        # allowed by what they are, and until a day
        (TWO, {"allowed": [{"where": "aead"}, LASTING], "tls13_allowed": None}, Verdict.PASS, WHOLE, ()),
        (
            TWO,
            {"allowed": [{"where": "aead"}, LAPSED], "tls13_allowed": None},
            Verdict.FAIL,
            "accepts 1 cipher suite that the policy does not allow (TLSv1.2)",
            ("5.1",),
        ),
        (
            handshake({TLS1_2: (GCM, "0xFEED")}),
            {"allowed": [{"where": "aead"}], "tls13_allowed": None},
            Verdict.UNKNOWN,
            "it is not known what 0xFEED is",
            (),
        ),
        # required
        (TWO, {"required": [GCM]}, Verdict.PASS, "accepts those that it requires", ()),
        (TWO, {"required": [{"where": "cbc and bits = 128"}]}, Verdict.PASS, "accepts those that it requires", ()),
        (
            TWO,
            {"required": [{"is": [GCM, GCM_128], "source": "3"}]},
            Verdict.FAIL,
            f"does not accept {GCM_128}",
            ("3",),
        ),
        (
            TWO,
            {"required": [{"where": "encryption = CHACHA20 and not tls13"}]},
            Verdict.FAIL,
            "does not accept encryption = CHACHA20 and not tls13",
            (),
        ),
        (
            TWO,
            {"required": [TLS13_AES]},
            Verdict.NOT_APPLICABLE,
            "nothing of it is in force today, or for what the server accepts",
            (),
        ),
        (
            handshake({TLS1_0: (CBC_RSA,)}),
            {"required": [GCM]},
            Verdict.NOT_APPLICABLE,
            "nothing of it is in force today, or for what the server accepts",
            (),
        ),
        (
            handshake({TLS1_2: (CBC_RSA,)}, incomplete=[TLS1_2]),
            {"required": [GCM]},
            Verdict.UNKNOWN,
            "the list of TLSv1.2 may not be complete",
            (),
        ),
        (
            handshake({TLS1_2: (CBC_RSA,)}, open_protocols=[TLS1_3]),
            {"required": [TLS13_AES]},
            Verdict.UNKNOWN,
            "the list of TLSv1.3 may not be complete",
            (),
        ),
        (
            handshake({TLS1_2: ("0xFEED",)}),
            {"required": [{"where": "aead"}]},
            Verdict.UNKNOWN,
            "it is not known what 0xFEED is",
            (),
        ),
        # prefer
        (TWO, PREFER, Verdict.PASS, "prefers those that it prefers", ()),
        (
            handshake({TLS1_2: (CBC_RSA, RC4, GCM)}),
            {"prefer": [{"where": "aead", "source": "9"}, {"where": "cbc"}]},
            Verdict.FAIL,
            "does not prefer what the policy prefers (TLSv1.2 order)",
            ("9",),
        ),
        (handshake({TLS1_2: (RC4, GCM, CBC_RSA)}), PREFER, Verdict.PASS, "prefers those that it prefers", ()),
        (
            handshake({TLS1_2: (CBC_RSA, GCM)}, order={TLS1_2: CLIENT}),
            PREFER,
            Verdict.NOT_APPLICABLE,
            "nothing of it is in force today, or for what the server accepts",
            (),
        ),
        (
            handshake({TLS1_2: (CBC_RSA, GCM)}, order={TLS1_2: None}),
            PREFER,
            Verdict.UNKNOWN,
            "it is not known whose order decides in TLSv1.2",
            (),
        ),
        (
            handshake({TLS1_2: (GCM, CBC_RSA)}, incomplete=[TLS1_2]),
            PREFER,
            Verdict.UNKNOWN,
            "the list of TLSv1.2 may not be complete",
            (),
        ),
        # days
        (
            TWO,
            {"forbidden": [CBC_RSA], "from": "2026-11-23"},
            Verdict.NOT_APPLICABLE,
            "in force from 2026-11-23",
            (),
        ),
        (
            TWO,
            {"forbidden": [{"is": CBC_RSA, "from": "2026-11-23"}]},
            Verdict.NOT_APPLICABLE,
            "nothing of it is in force today, or for what the server accepts",
            (),
        ),
    ],
)
def test_suites_are_forbidden_allowed_required_and_preferred(
    seen: HandshakeFacts, asked: dict[str, Any], verdict: Verdict, summary: str, sources: tuple[str, ...]
) -> None:
    outcome = CHECK.judge(case(seen), demand(**asked))
    assert (outcome.verdict, outcome.summary, outcome.sources) == (verdict, summary, sources)


MANY = [suite.name for suite in SUITES if suite.cbc and suite.agreement == "DHE"][:9]


def test_evidence_names_what_is_missing_and_what_stands_in_the_wrong_place() -> None:
    asked = demand(required=[GCM_128], prefer=PREFER["prefer"], forbidden=[RC4])
    outcome = CHECK.judge(case(handshake({TLS1_2: (CBC_RSA, GCM, RC4)})), asked)
    assert dict(outcome.evidence) == {
        "TLSv1.2": (RC4,),
        "missing": (GCM_128,),
        "TLSv1.2 order": (f"{CBC_RSA} before {GCM}",),
    }


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"allowed": [GCM], "tls13_allowed": None}, f"{GCM} only"),
        (
            {"tls13_allowed": [TLS13_AES], "forbidden": [{"where": "cbc", "from": "2030-01-01"}]},
            f"in TLSv1.3 {TLS13_AES} only; no suites with cbc from 2030-01-01",
        ),
        (
            {
                "allowed": [*MANY[:2], {"is": MANY[2:5], "until": "2029-12-31"}, *MANY[5:], {"where": "aead"}],
                "tls13_allowed": [TLS13_AES],
            },
            (
                "2 cipher suites, 3 cipher suites until 2029-12-31, 4 cipher suites, suites with aead only; "
                f"in TLSv1.3 {TLS13_AES} only"
            ),
        ),
        ({"required": [GCM], **PREFER}, f"{GCM} required; in falling order: suites with aead, suites with cbc"),
    ],
)
def test_a_demand_is_said_in_words(asked: dict[str, Any], text: str) -> None:
    assert CHECK.asks(demand(**asked)) == text


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "asks for nothing; give it allowed, tls13_allowed, forbidden, required or prefer"),
        ({"allowed": [GCM]}, "needs tls13_allowed in addition to allowed; null allows all suites of TLSv1.3"),
        ({"allowed": [TLS13_AES], "tls13_allowed": None}, f"{TLS13_AES} belongs into tls13_allowed"),
        ({"tls13_allowed": [GCM]}, f"{GCM} belongs into allowed"),
        ({"prefer": [GCM]}, "prefer needs two entries at least, to put one before the other"),
        ({"forbidden": [{"is": GCM, "where": "aead"}]}, "has either `is` or `where`"),
        ({"forbidden": [{"until": "2030-01-01"}]}, "has either `is` or `where`"),
    ],
)
def test_a_demand_that_cannot_be_meant_is_an_error(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        demand(**asked)
    assert [error["msg"] for error in raised.value.errors()] == [f"Value error, {message}"]
