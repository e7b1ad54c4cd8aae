"""The grade that follows from facts, and how it is shown."""

from typing import Any

import pytest

from exporter.derived.attacks import is_cbc, is_rc4
from exporter.derived.grade import DERIVATION
from exporter.derived.material import gather
from exporter.derived.negotiation import BROWSERS, browsers_get, browsers_lack
from exporter.facts.handshake import Prime
from exporter.grade import HstsRating, Material
from exporter.grade.material import Sizes
from exporter.model import CipherOrder, Protocol
from exporter.tls.suites import BY_NAME
from tests.grade.test_table import GCM_RSA, RC4_RSA, graded
from tests.support.facts import (
    CBC_RSA,
    GCM,
    GCM_128,
    GOOD_HTTP,
    case,
    certificate,
    certificates,
    deployment,
    handshake,
    tried,
)

TLS11, TLS12, TLS13 = Protocol.TLS1_1, Protocol.TLS1_2, Protocol.TLS1_3


def gathered(*parts: object, **target: Any) -> Material:  # noqa: ANN401 - as `case`
    material = gather(case(*parts, **target))
    assert material is not None
    return material


def samples(*parts: object) -> dict[str, list[tuple[dict[str, str], float]]]:
    grade = graded(*parts)
    assert grade is not None
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for sample in DERIVATION.shape.samples(grade):
        found.setdefault(sample.family.name, []).append((dict(sample.labels), sample.value))
    return found


def test_a_grade_is_four_series() -> None:
    assert samples(handshake(), certificate(), GOOD_HTTP, tried()) == {
        "tls_posture_grade_score": [({}, 93)],
        "tls_posture_grade_rank": [({}, 7)],
        "tls_posture_grade_info": [({"grade": "A+", "capped_by": ""}, 1)],
        "tls_posture_grade_trust_ignored_rank": [({}, 7)],
    }


def test_a_private_authority_has_its_grade_without_trust_beside_it() -> None:
    found = samples(handshake(), certificate(trusted=False), GOOD_HTTP, tried())
    assert found["tls_posture_grade_info"] == [({"grade": "T", "capped_by": "not_trusted"}, 1)]
    assert found["tls_posture_grade_rank"] == [({}, 0)]
    assert found["tls_posture_grade_trust_ignored_rank"] == [({}, 7)]


def test_what_is_not_known_has_no_series() -> None:
    old = handshake(extensions={"secure_renegotiation": True, "extended_master_secret": False})
    assert samples(old, certificate(), GOOD_HTTP) == {"tls_posture_grade_score": [({}, 93)]}
    assert samples(handshake(open_protocols=[TLS11])) == {}


def test_the_facts_of_a_report_say_nothing_twice() -> None:
    grade = graded(handshake())
    assert grade is not None
    assert DERIVATION.shape.document(grade) == {}


# --- what browsers get ------------------------------------------------------------------------------------------------


def test_browsers_offer_suites_that_there_are_each_once() -> None:
    for browser in BROWSERS:
        assert len(set(browser)) == len(browser)
        assert set(browser) <= BY_NAME.keys()


@pytest.mark.parametrize(
    ("names", "order", "rc4"),
    [
        ((RC4_RSA,), None, True),
        ((GCM,), None, False),
        # The browser of today has no RC4, and gets the other.
        ((RC4_RSA, GCM), CipherOrder.SERVER, True),
        ((GCM, RC4_RSA), CipherOrder.SERVER, False),
        ((RC4_RSA, GCM), CipherOrder.CLIENT, False),
        ((RC4_RSA, GCM), CipherOrder.MIXED, None),
        ((RC4_RSA, GCM), None, None),
        ((GCM, RC4_RSA), None, False),
        # No browser has a suite of these.
        (("TLS_PSK_WITH_RC4_128_SHA",), None, True),
        (("TLS_PSK_WITH_AES_128_CBC_SHA",), None, False),
        (("TLS_PSK_WITH_RC4_128_SHA", "TLS_PSK_WITH_AES_128_CBC_SHA"), CipherOrder.SERVER, None),
        ((), CipherOrder.SERVER, None),
    ],
)
def test_what_a_browser_gets_follows_from_the_order(
    names: tuple[str, ...], order: CipherOrder | None, rc4: bool | None
) -> None:
    seen = handshake({TLS12: names}, order={TLS12: order})
    assert browsers_get(seen, [TLS12], is_rc4) is rc4


CBC_256 = "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"
ECDSA_CBC = "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"


@pytest.mark.parametrize(
    ("names", "order", "lacks"),
    [
        # Neither side prefers it most, but no other suite is in front of it in both lists.
        ((GCM_RSA, CBC_256, GCM), CipherOrder.MIXED, None),
        ((GCM_RSA, CBC_256, GCM), None, None),
        ((GCM_RSA, CBC_256, GCM), CipherOrder.SERVER, False),
        # Behind another in both lists.
        ((GCM_RSA, GCM, CBC_256), CipherOrder.MIXED, False),
        ((GCM_RSA, GCM, CBC_256), None, False),
        # By the client's order, and perhaps with the certificate chosen first.
        ((ECDSA_CBC, GCM), CipherOrder.CLIENT, None),
        ((GCM_128, ECDSA_CBC, GCM), CipherOrder.CLIENT, False),
    ],
)
def test_every_suite_that_may_be_chosen_counts(
    names: tuple[str, ...], order: CipherOrder | None, lacks: bool | None
) -> None:
    assert browsers_lack(handshake({TLS12: names}, order={TLS12: order}), is_cbc) is lacks


def test_a_list_that_may_lack_suites_tells_nothing_of_the_choice() -> None:
    assert browsers_get(handshake({TLS12: (GCM,)}, incomplete=[TLS12]), [TLS12], is_rc4) is None
    assert browsers_get(handshake({TLS12: (GCM,)}), [TLS11, TLS12], is_rc4) is False
    assert browsers_get(handshake({TLS12: (GCM,)}, open_protocols=[TLS11]), [TLS11, TLS12], is_rc4) is None


@pytest.mark.parametrize(
    ("suites", "forward_secrecy", "aead"),
    [
        ({TLS13: ("TLS_AES_128_GCM_SHA256",)}, True, True),
        ({TLS12: (GCM_RSA,), TLS13: ("TLS_AES_128_GCM_SHA256",)}, False, True),
        ({TLS11: (CBC_RSA,), TLS13: ("TLS_AES_128_GCM_SHA256",)}, True, True),
        ({TLS11: (CBC_RSA,)}, False, False),
        ({TLS11: (CBC_RSA,), TLS12: (GCM,)}, True, True),
        ({Protocol.SSL2: ("SSL_CK_RC4_128_WITH_MD5",)}, False, False),
    ],
)
def test_what_browsers_lack_is_looked_for_in_tls_1_2(
    suites: dict[Protocol, tuple[str, ...]], forward_secrecy: bool, aead: bool
) -> None:
    material = gathered(handshake(suites))
    assert (material.forward_secrecy_used, material.aead_used) == (forward_secrecy, aead)


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_primes_are_not_whole_when_a_suite_did_not_show_its_own() -> None:
    dhe = "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"
    facts = handshake({TLS12: (GCM, dhe)}, dh_primes=(Prime(2048),), unseen_dh_primes={TLS12: (dhe,)})
    assert gathered(facts, certificate()).primes == Sizes((2048,), whole=False)


def test_keys_and_primes_are_whole_when_nothing_is_hidden() -> None:
    one = gathered(handshake({TLS12: (GCM, GCM_128)}, dh_primes=()), certificate())
    assert (one.keys, one.primes) == (Sizes((3072,), whole=True), Sizes((), whole=True))
    static = "TLS_DH_RSA_WITH_AES_128_CBC_SHA"
    hidden = gathered(
        handshake({TLS12: (GCM, static)}, dh_primes=(Prime(2048),)), certificates(deployment(), complete=False)
    )
    assert (hidden.keys, hidden.primes) == (Sizes((3072,), whole=False), Sizes((2048,), whole=False))


def test_hsts_is_for_web_servers_with_names() -> None:
    assert gathered(handshake(), GOOD_HTTP).hsts is HstsRating.LONG
    assert gathered(handshake(), GOOD_HTTP, protocol="imaps").hsts is HstsRating.NOT_APPLICABLE
    assert gathered(handshake(), GOOD_HTTP, host="192.0.2.1").hsts is HstsRating.NOT_APPLICABLE
    assert gathered(handshake()).hsts is None


def test_a_server_with_extended_master_secret_has_no_openssl_that_takes_early_change_cipher_specs() -> None:
    both = {"secure_renegotiation": True, "extended_master_secret": True}
    assert gathered(handshake(extensions=both)).ccs_injection is False
    assert gathered(handshake(extensions=both, open_protocols=[TLS11])).ccs_injection is None
    assert gathered(handshake(extensions=both | {"extended_master_secret": None})).ccs_injection is None


def test_secure_renegotiation_is_of_protocols_that_have_renegotiation() -> None:
    lacks = {"secure_renegotiation": False}
    assert gathered(handshake(extensions=lacks)).secure_renegotiation is False
    assert gathered(handshake({TLS13: (GCM,)}, extensions=lacks)).secure_renegotiation is True
    assert gathered(handshake({TLS13: (GCM,)}, open_protocols=[TLS12], extensions=lacks)).secure_renegotiation is None
    has = {"secure_renegotiation": True}
    assert gathered(handshake(extensions=has)).secure_renegotiation is True
    assert gathered(handshake(open_protocols=[TLS11], extensions=has)).secure_renegotiation is None
