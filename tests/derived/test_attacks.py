"""Truth tables of the attacks that follow from what a server accepts: vulnerable, not vulnerable, or unknown."""

from collections.abc import Callable
from typing import Any

import pytest

from exporter.case import Case, Neighbours
from exporter.derived import attacks
from exporter.derived.verdicts import AttackVerdict
from exporter.facts.handshake import HandshakeFacts, Prime
from exporter.model import Protocol
from exporter.moments import Now
from tests.support.facts import CBC_RSA, GCM, RC4, TLS13_AES, certificate, certificates, deployment, facts, handshake
from tests.support.targets import NOW, make_target

SSL2, SSL3, TLS1_0, TLS1_1, TLS1_2, TLS1_3 = Protocol
RC4_KIND, RC2_KIND, NULL_KIND = "SSL_CK_RC4_128_WITH_MD5", "SSL_CK_RC2_128_CBC_WITH_MD5", "SSL_CK_NULL_WITH_MD5"
TRIPLE_DES, IDEA = "TLS_RSA_WITH_3DES_EDE_CBC_SHA", "TLS_RSA_WITH_IDEA_CBC_SHA"
EXPORT_RSA, EXPORT_1024 = "TLS_RSA_EXPORT_WITH_RC4_40_MD5", "TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA"
EXPORT_KERBEROS = "TLS_KRB5_EXPORT_WITH_RC4_40_SHA"
DHE, DHE_PSK, STATIC_DH = (
    "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_DHE_PSK_WITH_AES_128_CBC_SHA",
    "TLS_DH_RSA_WITH_AES_128_CBC_SHA",
)
ANONYMOUS, EXPORT_DHE = "TLS_DH_anon_WITH_AES_128_CBC_SHA", "TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA"
EXPORT_ANONYMOUS, EXPORT_1024_DHE = "TLS_DH_anon_EXPORT_WITH_RC4_40_MD5", "TLS_DHE_DSS_EXPORT1024_WITH_DES_CBC_SHA"

Suites = dict[Protocol, tuple[str, ...]]
Attack = Callable[[HandshakeFacts], AttackVerdict]

MODERN: Suites = {TLS1_2: (GCM,), TLS1_3: (TLS13_AES,)}


def seen(suites: Suites, **beside: Any) -> HandshakeFacts:  # noqa: ANN401 - as `handshake`
    return handshake(suites, **({"dh_primes": ()} | beside))


@pytest.mark.parametrize(
    ("attack", "offending", "elsewhere"),
    [
        (attacks.rc4, (TLS1_2, RC4), None),
        (attacks.rc4, (SSL2, RC4_KIND), None),
        (attacks.rc4, (SSL3, EXPORT_RSA), None),
        (attacks.sweet32, (TLS1_2, TRIPLE_DES), None),
        (attacks.sweet32, (TLS1_0, IDEA), None),
        (attacks.sweet32, (SSL2, RC2_KIND), None),
        (attacks.sweet32, (SSL3, EXPORT_DHE), None),
        (attacks.freak, (SSL3, EXPORT_RSA), (SSL2, "SSL_CK_RC4_128_EXPORT40_WITH_MD5")),
        (attacks.freak, (TLS1_2, EXPORT_RSA), None),
        (attacks.poodle, (SSL3, CBC_RSA), (TLS1_0, CBC_RSA)),
        (attacks.poodle, (SSL3, TRIPLE_DES), (TLS1_2, CBC_RSA)),
        (attacks.beast, (TLS1_0, CBC_RSA), (TLS1_1, CBC_RSA)),
        (attacks.beast, (SSL3, CBC_RSA), (TLS1_2, CBC_RSA)),
        (attacks.logjam, (TLS1_0, EXPORT_DHE), None),
        (attacks.logjam, (TLS1_2, EXPORT_ANONYMOUS), None),
    ],
)
def test_one_offending_suite_proves_it_and_whole_lists_without_rule_it_out(
    attack: Attack, offending: tuple[Protocol, str], elsewhere: tuple[Protocol, str] | None
) -> None:
    protocol, name = offending
    others = tuple(suite for suite in (GCM,) if protocol is not SSL2)
    proved = attack(seen(MODERN | {protocol: (*others, name)}))
    assert (proved.vulnerable, proved.evidence) == (True, (f"{protocol} {name}",))
    assert "CVE-" in proved.source
    assert attack(seen(MODERN)).vulnerable is False
    if elsewhere is not None:
        assert attack(seen(MODERN | {elsewhere[0]: (elsewhere[1],)})).vulnerable is False


BY_SUITES = [
    (attacks.rc4, TLS1_0, RC4),
    (attacks.sweet32, TLS1_2, TRIPLE_DES),
    (attacks.freak, TLS1_1, EXPORT_RSA),
    (attacks.poodle, SSL3, CBC_RSA),
    (attacks.beast, TLS1_0, CBC_RSA),
    (attacks.logjam, TLS1_0, EXPORT_DHE),
]


@pytest.mark.parametrize(("attack", "protocol", "name"), BY_SUITES)
def test_what_is_not_known_leaves_it_open(attack: Attack, protocol: Protocol, name: str) -> None:
    assert attack(seen(MODERN, open_protocols=[protocol])).vulnerable is None
    assert attack(seen(MODERN | {protocol: (GCM,)}, incomplete=[protocol])).vulnerable is None
    assert attack(seen(MODERN | {protocol: ()})).vulnerable is None
    assert attack(seen(MODERN | {protocol: (GCM, "0xFEED")})).vulnerable is None
    assert attack(HandshakeFacts({}, {}, frozenset(), {}, None)).vulnerable is None


@pytest.mark.parametrize(("attack", "protocol", "name"), BY_SUITES)
def test_evidence_stands_whatever_else_is_open(attack: Attack, protocol: Protocol, name: str) -> None:
    others = [one for one in Protocol if one not in {protocol, TLS1_2, TLS1_3}]
    found = attack(seen(MODERN | {protocol: (name,)}, incomplete=[protocol, TLS1_2], open_protocols=others))
    assert (found.vulnerable, found.evidence) == (True, (f"{protocol} {name}",))


@pytest.mark.parametrize(("attack", "protocol", "name"), BY_SUITES)
def test_tls13_has_nothing_of_it(attack: Attack, protocol: Protocol, name: str) -> None:
    alone = seen({TLS1_3: (TLS13_AES,)}, incomplete=[TLS1_3])
    assert attack(alone).vulnerable is False
    assert attack(seen({TLS1_2: (GCM,)}, open_protocols=[TLS1_3])).vulnerable is False


@pytest.mark.parametrize("compression", [True, False, None])
def test_crime_is_what_compression_is(compression: bool | None) -> None:
    assert attacks.crime(seen(MODERN, compression=compression)).vulnerable is compression


@pytest.mark.parametrize(("suites", "vulnerable"), [((RC4,), False), ((RC4, CBC_RSA), True), ((), None)])
def test_poodle_needs_a_block_cipher_in_ssl3(suites: tuple[str, ...], vulnerable: bool | None) -> None:
    assert attacks.poodle(seen({SSL3: suites})).vulnerable is vulnerable


def test_the_key_of_an_export_suite_with_1024_bits_was_not_looked_at() -> None:
    assert attacks.freak(seen({TLS1_0: (EXPORT_1024,)})).vulnerable is None
    assert attacks.freak(seen({TLS1_0: (EXPORT_1024, EXPORT_RSA)})).vulnerable is True
    assert attacks.freak(seen({TLS1_0: (EXPORT_KERBEROS,)})).vulnerable is False


# --- Logjam -----------------------------------------------------------------------------------------------------------

COMMON, OWN = Prime(1024, "1024 bits of Apache 2.1.5"), Prime(1024)


@pytest.mark.parametrize(
    ("suites", "primes", "vulnerable", "evidence"),
    [
        ((GCM, DHE), (Prime(2048),), False, ()),
        ((DHE,), (Prime(1025),), False, ()),
        ((DHE,), (COMMON, Prime(2048)), True, ("a prime of 1024 bits of Apache 2.1.5",)),
        ((ANONYMOUS,), (Prime(768),), True, ("a prime of 768 bits",)),
        ((DHE,), (Prime(512), OWN), True, ("a prime of 512 bits",)),
        ((DHE,), (OWN,), None, ()),
        ((DHE,), (Prime(769),), None, ()),
        ((DHE,), (), None, ()),
        ((ANONYMOUS, DHE), (Prime(3072),), False, ()),
        ((DHE, DHE_PSK), (Prime(2048),), False, ()),
        ((DHE, STATIC_DH), (Prime(2048),), None, ()),
        ((EXPORT_1024_DHE,), (OWN,), None, ()),
        ((EXPORT_1024_DHE,), (COMMON,), True, ("a prime of 1024 bits of Apache 2.1.5",)),
        ((GCM,), (), False, ()),
    ],
)
def test_logjam_goes_by_the_primes_that_were_seen(
    suites: tuple[str, ...], primes: tuple[Prime, ...], vulnerable: bool | None, evidence: tuple[str, ...]
) -> None:
    told = attacks.logjam(seen({TLS1_2: suites}, dh_primes=primes))
    assert (told.vulnerable, told.evidence) == (vulnerable, evidence)


@pytest.mark.parametrize("unseen", [DHE, DHE_PSK])
def test_a_suite_whose_prime_was_not_seen_clears_nobody(unseen: str) -> None:
    facts = seen(
        {TLS1_0: (DHE,), TLS1_2: (DHE, DHE_PSK)}, dh_primes=(Prime(2048),), unseen_dh_primes={TLS1_2: (unseen,)}
    )
    told = attacks.logjam(facts)
    assert told.vulnerable is None
    assert told.why.endswith(f"the prime of TLSv1.2 {unseen} was not seen")


def test_a_weak_prime_is_one_even_where_lists_are_not_whole() -> None:
    told = attacks.logjam(seen({TLS1_2: (GCM,)}, dh_primes=(Prime(512),), incomplete=[TLS1_2], open_protocols=[TLS1_0]))
    assert told.vulnerable is True


def test_large_primes_alone_clear_nobody_whose_list_may_not_be_whole() -> None:
    assert attacks.logjam(seen({TLS1_2: (DHE,)}, dh_primes=(Prime(4096),), incomplete=[TLS1_2])).vulnerable is None


# --- renegotiation ----------------------------------------------------------------------------------------------------

OLD: Suites = {TLS1_0: (CBC_RSA,)}


@pytest.mark.parametrize(
    ("suites", "flag", "open_protocols", "renegotiates", "vulnerable"),
    [
        (MODERN, True, (), None, False),
        (MODERN, True, (), True, False),
        (MODERN, True, (SSL3,), None, None),
        (MODERN, True, (SSL2,), None, False),
        (MODERN, None, (), True, None),
        (OLD, False, (), True, True),
        (OLD, False, (SSL3,), True, True),
        (OLD, False, (), False, None),
        (OLD, False, (), None, None),
        ({TLS1_3: (TLS13_AES,)}, None, (), None, False),
        ({TLS1_3: (TLS13_AES,)}, None, (TLS1_2,), None, None),
    ],
)
def test_insecure_renegotiation_takes_a_renegotiation_and_no_rfc_5746(
    suites: Suites,
    flag: bool | None,
    open_protocols: tuple[Protocol, ...],
    renegotiates: bool | None,
    vulnerable: bool | None,
) -> None:
    known = seen(suites, open_protocols=open_protocols, extensions={"secure_renegotiation": flag})
    assert attacks.insecure_renegotiation(known, renegotiates).vulnerable is vulnerable


def test_a_flag_that_is_not_told_is_not_known() -> None:
    assert attacks.insecure_renegotiation(seen(MODERN, extensions={}), True).vulnerable is None


# --- DROWN ------------------------------------------------------------------------------------------------------------

OURS, OTHER = "aa" * 32, "bb" * 32
RSA = certificate(key_algorithm="RSA", spki_sha256=OURS)
SOME = certificates(deployment(key_algorithm="RSA", spki_sha256=OURS), complete=False)


def drown(known: HandshakeFacts, *parts: object, ssl2: str | None = None, unclear: str | None = None) -> AttackVerdict:
    """With a neighbour `mail` that accepts SSL 2, or may, with the key of this digest."""
    near = Neighbours({ssl2: ("mail",)} if ssl2 else {}, {unclear: ("mail",)} if unclear else {})
    return attacks.drown(Case(make_target(), facts(known, *parts), Now(NOW), near), known)


NEW, UNCLEAR = seen(MODERN, plain_chains=()), seen(MODERN, plain_chains=(), open_protocols=[SSL2])


def test_ssl2_without_a_cipher_that_is_known_proves_nothing() -> None:
    told = drown(seen({SSL2: ()}, incomplete=[SSL2]))
    assert (told.vulnerable, told.evidence) == (None, ())


def test_ssl2_here_is_enough() -> None:
    own = drown(seen({SSL2: (RC4_KIND, NULL_KIND)}))
    assert (own.vulnerable, own.evidence) == (True, (f"SSLv2 {RC4_KIND}", f"SSLv2 {NULL_KIND}"))


@pytest.mark.parametrize(
    ("known", "parts", "near", "vulnerable"),
    [
        (NEW, (RSA,), {}, False),
        (NEW, (), {}, False),
        (NEW, (RSA,), {"ssl2": OTHER}, False),
        (NEW, (RSA,), {"unclear": OTHER}, False),
        (NEW, (RSA,), {"ssl2": OURS}, True),
        (NEW, (SOME,), {"ssl2": OURS}, True),
        (UNCLEAR, (RSA,), {"ssl2": OURS}, True),
        (UNCLEAR, (RSA,), {}, None),
        (NEW, (RSA,), {"unclear": OURS}, None),
        (NEW, (), {"ssl2": OTHER}, None),
        (NEW, (), {"unclear": OTHER}, None),
        (NEW, (SOME,), {"ssl2": OTHER}, None),
        (NEW, (RSA,), {"ssl2": OTHER, "unclear": OURS}, None),
        (NEW, (certificate(key_algorithm="EC", spki_sha256=OURS),), {"ssl2": OURS}, False),
        (NEW, (certificate(key_algorithm="1.2.3", spki_sha256=None),), {"ssl2": OTHER}, None),
    ],
)
def test_a_key_that_is_shared_carries_it_over(
    known: HandshakeFacts, parts: tuple[object, ...], near: dict[str, str], vulnerable: bool | None
) -> None:
    told = drown(known, *parts, **near)
    assert told.vulnerable is vulnerable
    assert told.evidence == (("mail",) if vulnerable else ())


def test_another_address_of_the_same_target_is_named_as_that() -> None:
    near = Neighbours({OURS: ("mail", "test")})
    told = attacks.drown(Case(make_target(), facts(NEW, RSA), Now(NOW), near), NEW)
    assert told.evidence == ("mail", "another address of this target")
