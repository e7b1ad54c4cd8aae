"""The guide as a table: the letter, the score and the capping rule for each set of facts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from exporter.case import Neighbours
from exporter.derived.keys import served_keys
from exporter.derived.registry import DERIVATIONS
from exporter.facts.certificate import CertificateFacts
from exporter.facts.handshake import HandshakeFacts, Prime
from exporter.facts.vulnerabilities import Tried, VulnerabilityFacts
from exporter.grade import RULES, Grade
from exporter.model import CipherOrder, Protocol, TrustFailure
from tests.support.facts import (
    GCM,
    GCM_128,
    GOOD_SUITES,
    NONE_WORKS,
    TLS13_AES,
    TLS13_CHACHA,
    case,
    certificate,
    certificates,
    deployment,
    http,
    issuer,
    tried,
)
from tests.support.facts import handshake as handshake_with_primes
from tests.support.targets import NOW

SSL2, SSL3, TLS10, TLS11, TLS12, TLS13 = Protocol
YEAR = "max-age=31536000"
TRIED = tried({**NONE_WORKS, "heartbleed": False, "robot": False})
RSA = {"key_algorithm": "RSA", "key_size_bits": 2048, "curve": None}
DHE = "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"
ECDHE_CBC = "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"
GCM_RSA = "TLS_RSA_WITH_AES_256_GCM_SHA384"
RC4_RSA = "TLS_RSA_WITH_RC4_128_SHA"
DES3 = "TLS_RSA_WITH_3DES_EDE_CBC_SHA"
DES = "TLS_RSA_WITH_DES_CBC_SHA"
EXPORT = "TLS_RSA_EXPORT_WITH_RC4_40_MD5"
NULL = "TLS_RSA_WITH_NULL_SHA"
ANONYMOUS = "TLS_ECDH_anon_WITH_AES_256_CBC_SHA"
GOST = "TLS_GOSTR341001_WITH_28147_CNT_IMIT"
FORTEZZA = "TLS_FORTEZZA_KEA_WITH_FORTEZZA_CBC_SHA"


def handshake(*lists: Any, **beside: Any) -> HandshakeFacts:  # noqa: ANN401 - the same as the original
    """As of the test support, without primes that no suite goes with."""
    return handshake_with_primes(*lists, **{"dh_primes": (), **beside})


def suites(*more: str, first: bool = False, **others: Any) -> HandshakeFacts:  # noqa: ANN401 - as `handshake`
    """The good server with more suites in TLS 1.2, behind the others or before them."""
    classic = GOOD_SUITES[TLS12]
    return handshake({TLS12: (*more, *classic) if first else (*classic, *more), TLS13: GOOD_SUITES[TLS13]}, **others)


def spoken(**lists: tuple[str, ...]) -> HandshakeFacts:
    """A server with these protocols alone."""
    return handshake({Protocol[name]: names for name, names in lists.items()})


def and_old(protocol: Protocol, *names: str) -> HandshakeFacts:
    """The good server with one more protocol."""
    return handshake({protocol: names or (ECDHE_CBC,), **GOOD_SUITES})


def rsa(bits: int | None) -> CertificateFacts:
    return certificate(**RSA | {"key_size_bits": bits})


def curve(bits: int) -> CertificateFacts:
    return certificate(key_algorithm="EC", key_size_bits=bits, curve=None)


def prime(bits: int) -> HandshakeFacts:
    return suites(DHE, dh_primes=(Prime(bits),))


def of_issuer(hash_name: str, **changes: Any) -> CertificateFacts:  # noqa: ANN401 - as `issuer`
    return certificates(deployment(issuer(signature_hash=hash_name, **changes)))


def untrusted(*failures: TrustFailure, **changes: Any) -> CertificateFacts:  # noqa: ANN401 - as `deployment`
    return certificate(trusted=False, failures=failures, **changes)


@dataclass(frozen=True)
class Row:
    """One set of facts: the good server, and what is not as there.

    Attributes:
        score: None where it is not known exactly.
        capped_by: empty where the score leads to the letter, or nothing holds it down.
        ignored: the letter if trust is ignored; the same where nothing is said.
    """

    name: str
    letter: str | None
    score: float | None
    capped_by: str = ""
    handshake: HandshakeFacts | None = field(default_factory=handshake)
    certificate: CertificateFacts | None = field(default_factory=certificate)
    http: Any = field(default_factory=lambda: http(YEAR))
    tried: Any = TRIED
    target: Mapping[str, Any] = field(default_factory=dict)
    ignored: str | None = "same"


T = TrustFailure
GOOD = "A+"

ROWS = (
    Row("a good server", GOOD, 93),
    # --- protocols: the middle of the best and the worst
    Row("SSLv2 alone", "F", 0, "ssl2", handshake=spoken(SSL2=("SSL_CK_DES_192_EDE3_CBC_WITH_MD5",))),
    Row("SSLv2 beside good ones", "F", 66, "ssl2", handshake=and_old(SSL2, "SSL_CK_DES_192_EDE3_CBC_WITH_MD5")),
    Row("SSLv3 alone", "F", 91, "only_ssl3", handshake=spoken(SSL3=(ECDHE_CBC,))),
    Row("SSLv3 beside good ones", "C", 90, "poodle", handshake=and_old(SSL3)),
    Row("SSLv3 with RC4 alone", "B", 90, "rc4", handshake=and_old(SSL3, RC4_RSA)),
    Row("SSLv3 with neither CBC nor RC4", "B", 90, "ssl3", handshake=and_old(SSL3, GOST)),
    Row("TLSv1.0 alone", "C", 94, "no_tls12", handshake=spoken(TLS1_0=(ECDHE_CBC,))),
    Row("TLSv1.0 beside good ones", "B", 91.5, "tls10", handshake=and_old(TLS10)),
    Row("TLSv1.1 alone", "C", 95.5, "no_tls12", handshake=spoken(TLS1_1=(ECDHE_CBC,))),
    Row("TLSv1.1 beside good ones", "B", 92.25, "tls11", handshake=and_old(TLS11)),
    Row("TLSv1.2 alone", "A-", 93, "no_tls13", handshake=spoken(TLS1_2=(GCM, GCM_128))),
    Row("TLSv1.3 alone", GOOD, 97, handshake=spoken(TLS1_3=(TLS13_AES, TLS13_CHACHA))),
    # --- keys, each side of each border
    Row("RSA key of 511 bits", "F", 72, "insecure_key", certificate=rsa(511)),
    Row("RSA key of 512 bits", "F", 78, "insecure_key", certificate=rsa(512)),
    Row("RSA key of 1023 bits", "F", 78, "insecure_key", certificate=rsa(1023)),
    Row("RSA key of 1024 bits", "B", 90, "weak_key", certificate=rsa(1024)),
    Row("RSA key of 2047 bits", "B", 90, "weak_key", certificate=rsa(2047)),
    Row("RSA key of 2048 bits", GOOD, 93, certificate=rsa(2048)),
    Row("RSA key of 4095 bits", GOOD, 93, certificate=rsa(4095)),
    Row("RSA key of 4096 bits", GOOD, 96, certificate=rsa(4096)),
    Row(
        "DSA key of 1024 bits",
        "B",
        90,
        "weak_key",
        certificate=certificate(**RSA | {"key_algorithm": "DSA", "key_size_bits": 1024}),
    ),
    Row("RSA key of unknown size", None, None, certificate=rsa(None)),
    Row(
        "key of a kind that is not known",
        None,
        None,
        certificate=certificate(key_algorithm="2.16.840.1.101.3.4.3.17", key_size_bits=None, curve=None),
    ),
    Row("EC key of 111 bits", "F", 72, "insecure_key", certificate=curve(111)),
    Row("EC key of 112 bits", "F", 78, "insecure_key", certificate=curve(112)),
    Row("EC key of 159 bits", "F", 78, "insecure_key", certificate=curve(159)),
    Row("EC key of 160 bits", "B", 90, "weak_key", certificate=curve(160)),
    Row("EC key of 223 bits", "B", 90, "weak_key", certificate=curve(223)),
    Row("EC key of 224 bits", GOOD, 93, certificate=curve(224)),
    Row("EC key of 255 bits", GOOD, 93, certificate=curve(255)),
    Row("EC key of 383 bits", GOOD, 93, certificate=curve(383)),
    Row("EC key of 384 bits", GOOD, 96, certificate=curve(384)),
    Row("EC key of 512 bits", GOOD, 96, certificate=curve(512)),
    Row("EC key of 521 bits", GOOD, 96, certificate=curve(521)),
    Row("Ed25519 key", GOOD, 93, certificate=certificate(key_algorithm="Ed25519", key_size_bits=None, curve=None)),
    Row("Ed448 key", GOOD, 96, certificate=certificate(key_algorithm="Ed448", key_size_bits=None, curve=None)),
    Row(
        "the weaker of two keys",
        "B",
        90,
        "weak_key",
        certificate=certificates(deployment(), deployment(**RSA | {"key_size_bits": 1024})),
    ),
    Row("perhaps another key", None, None, certificate=certificates(deployment(), complete=False)),
    # --- primes, the same cases
    Row("prime of 511 bits", "F", 72, "insecure_key", handshake=prime(511)),
    Row("prime of 512 bits", "F", 78, "insecure_key", handshake=prime(512)),
    Row("prime of 1023 bits", "F", 78, "insecure_key", handshake=prime(1023)),
    Row("prime of 1024 bits", "B", 90, "weak_prime", handshake=prime(1024)),
    Row("prime of 2047 bits", "B", 90, "weak_prime", handshake=prime(2047)),
    Row("prime of 2048 bits", GOOD, 93, handshake=prime(2048)),
    Row("prime that was not seen", None, None, handshake=suites(DHE, dh_primes=())),
    # --- ciphers: the middle of the strongest and the weakest
    Row("256 bits alone", GOOD, 97, handshake=handshake({TLS12: (GCM,), TLS13: (TLS13_AES,)})),
    Row("128 bits alone", GOOD, 89, handshake=handshake({TLS12: (GCM_128,), TLS13: ("TLS_AES_128_GCM_SHA256",)})),
    Row("3DES behind all others", GOOD, 81, handshake=suites(DES3)),
    Row("80 bits", "F", 81, "weak_ciphers", handshake=suites(FORTEZZA)),
    Row("56 bits", "F", 81, "weak_ciphers", handshake=suites(DES)),
    Row("no encryption", "F", 77, "weak_ciphers", handshake=suites(NULL)),
    Row("no encryption alone", "F", 0, "weak_ciphers", handshake=spoken(TLS1_2=(NULL,))),
    Row("a suite that has no name", None, None, handshake=suites("0xFEED")),
    Row("perhaps other suites", None, None, handshake=handshake(incomplete=[TLS12])),
    # --- F
    Row(
        "renegotiation without RFC 5746",
        "F",
        93,
        "insecure_renegotiation",
        handshake=handshake(extensions={"secure_renegotiation": False}),
        tried=tried({**NONE_WORKS, "client_renegotiation": True}),
    ),
    Row(
        "no RFC 5746, and some renegotiation granted",
        "F",
        93,
        "insecure_renegotiation",
        handshake=handshake(extensions={"secure_renegotiation": False}),
        tried=VulnerabilityFacts(
            {**TRIED.attacks_tried, "client_renegotiation": Tried(False, "granted 2 in a row", NOW)}
        ),
    ),
    Row(
        "no RFC 5746, and it is not known whether there is renegotiation",
        None,
        93,
        handshake=handshake(extensions={"secure_renegotiation": False}),
        tried=tried({"ccs_injection": False}),
    ),
    Row("MD5 signature", "F", 93, "md5_signature", certificate=certificate(signature_hash="md5")),
    Row("MD5 signature of an issuer", "F", 93, "md5_signature", certificate=of_issuer("md5")),
    Row("MD5 signature of a root, which nobody goes by", GOOD, 93, certificate=of_issuer("md5", self_signed=True)),
    Row("MD2 signature", "F", 93, "md5_signature", certificate=certificate(signature_hash="md2")),
    Row("RC4 alone", "F", 89, "only_rc4", handshake=spoken(TLS1_2=(RC4_RSA,))),
    Row(
        "Heartbleed",
        "F",
        93,
        "heartbleed",
        handshake=handshake(heartbeat={TLS12: True}),
        tried=tried({**NONE_WORKS, "heartbleed": True}),
    ),
    Row("CCS injection", "F", 93, "ccs_injection", tried=tried({**NONE_WORKS, "ccs_injection": True})),
    Row("ROBOT", "F", 93, "robot", handshake=suites(GCM_RSA), tried=tried({**NONE_WORKS, "robot": True})),
    Row("export suite", "F", 66, "export_suites", handshake=suites(EXPORT)),
    Row("anonymous suite", "F", 0, "anonymous_suites", handshake=suites(ANONYMOUS)),
    # --- C
    Row("TLS compression", "C", 93, "crime", handshake=handshake(compression=True)),
    Row("RC4 before all others in TLSv1.2", "C", 93, "rc4_used", handshake=suites(RC4_RSA, first=True)),
    Row("RC4 before all others in TLSv1.1", "C", 92.25, "rc4_used", handshake=and_old(TLS11, RC4_RSA, ECDHE_CBC)),
    Row("RC4 by nobody's known order", None, 93, handshake=suites(RC4_RSA, first=True, order={TLS12: None})),
    Row(
        "RC4 before all others where the client's order decides",
        "B",
        93,
        "rc4",
        handshake=suites(RC4_RSA, first=True, order={TLS12: CipherOrder.CLIENT}),
    ),
    Row("3DES before all others", "C", 81, "small_blocks_used", handshake=suites(DES3, first=True)),
    Row("3DES alone in TLSv1.1", "C", 80.25, "small_blocks_used", handshake=and_old(TLS11, DES3)),
    Row("3DES alone in TLSv1.0", "B", 79.5, "tls10", handshake=and_old(TLS10, DES3)),
    # --- B
    Row("RC4 behind all others", "B", 93, "rc4", handshake=suites(RC4_RSA)),
    Row("RC4 in TLSv1.0 alone", "B", 91.5, "rc4", handshake=and_old(TLS10, RC4_RSA)),
    Row(
        "no forward secrecy",
        "B",
        97,
        "no_forward_secrecy",
        handshake=handshake({TLS12: (GCM_RSA,), TLS13: (TLS13_AES,)}),
    ),
    Row("forward secrecy behind all others", "B", 93, "no_forward_secrecy", handshake=suites(GCM_RSA, first=True)),
    Row("forward secrecy before all others", GOOD, 93, handshake=suites(GCM_RSA)),
    Row(
        "forward secrecy by the client's order",
        GOOD,
        93,
        handshake=suites(GCM_RSA, first=True, order={TLS12: CipherOrder.CLIENT}),
    ),
    Row(
        "forward secrecy by nobody's known order",
        None,
        93,
        handshake=suites(GCM_RSA, first=True, order={TLS12: CipherOrder.MIXED}),
    ),
    Row("no AEAD", "B", 97, "no_aead", handshake=handshake({TLS12: (ECDHE_CBC,), TLS13: (TLS13_AES,)})),
    Row("AEAD behind all others", "B", 93, "no_aead", handshake=suites(ECDHE_CBC, first=True)),
    Row(
        "no suite that a browser has, all good",
        GOOD,
        97,
        handshake=handshake({TLS12: ("TLS_ECDHE_RSA_WITH_CAMELLIA_256_GCM_SHA384",), TLS13: (TLS13_AES,)}),
    ),
    Row("missing intermediate", "B", 93, "incomplete_chain", certificate=untrusted(T.INCOMPLETE_CHAIN, complete=False)),
    # --- A-
    Row(
        "no RFC 5746, and no renegotiation for those who ask",
        "A-",
        93,
        "no_secure_renegotiation",
        handshake=handshake(extensions={"secure_renegotiation": False}),
    ),
    Row(
        "no RFC 5746 and no renegotiation in TLSv1.3",
        GOOD,
        97,
        handshake=handshake({TLS13: (TLS13_AES,)}, extensions={"secure_renegotiation": None}),
    ),
    Row("HSTS that is not valid", "A-", 93, "bad_hsts", http=http("max-age=soon")),
    Row("HSTS with max-age=0", "A-", 93, "bad_hsts", http=http("max-age=0")),
    # --- no A+
    Row("HSTS for a second", "A", 93, "no_long_hsts", http=http("max-age=1")),
    Row("HSTS for a second less than 180 days", "A", 93, "no_long_hsts", http=http("max-age=15551999")),
    Row("HSTS for 180 days", GOOD, 93, http=http("max-age=15552000")),
    Row("no HSTS", "A", 93, "no_long_hsts", http=http()),
    Row("SHA-1 signature", "A", 93, "sha1_signature", certificate=certificate(signature_hash="sha1")),
    Row("no response", None, 93, http=None),
    Row("IMAP, which has no HSTS", GOOD, 93, http=None, target={"protocol": "imaps"}),
    Row("an IP address, which has no HSTS", GOOD, 93, http=None, target={"host": "192.0.2.1"}),
    # --- T and M
    Row(
        "unknown authority",
        "T",
        93,
        "not_trusted",
        certificate=untrusted(T.UNKNOWN_ISSUER, complete=False),
        ignored=GOOD,
    ),
    Row("self-signed", "T", 93, "not_trusted", certificate=untrusted(T.SELF_SIGNED), ignored=GOOD),
    Row("expired", "T", 93, "not_trusted", certificate=untrusted(T.EXPIRED), ignored=GOOD),
    Row("revoked", "T", 93, "not_trusted", certificate=untrusted(T.REVOKED), ignored=GOOD),
    Row("untrusted for no reason that is known", "T", 93, "not_trusted", certificate=untrusted(), ignored=GOOD),
    Row(
        "expired when it was seen",
        "T",
        93,
        "not_trusted",
        certificate=untrusted(T.EXPIRED, valid_until=NOW - timedelta(seconds=1)),
        ignored=GOOD,
    ),
    Row(
        "ended since it was seen",
        None,
        93,
        certificate=certificate(valid_until=NOW - timedelta(seconds=1)),
        ignored=GOOD,
    ),
    Row("in its last second", GOOD, 93, certificate=certificate(valid_until=NOW)),
    Row(
        "not yet valid",
        "T",
        93,
        "not_trusted",
        certificate=untrusted(T.NOT_YET_VALID, valid_from=NOW + timedelta(seconds=1)),
        ignored=GOOD,
    ),
    Row(
        "begun since it was seen",
        None,
        93,
        certificate=untrusted(T.NOT_YET_VALID, valid_from=NOW - timedelta(seconds=1)),
        ignored=GOOD,
    ),
    Row(
        "another name",
        "M",
        93,
        "name_mismatch",
        certificate=untrusted(T.NAME_MISMATCH, hostname_match=False),
        ignored=GOOD,
    ),
    Row(
        "another name and unknown authority",
        "T",
        93,
        "not_trusted",
        certificate=untrusted(T.NAME_MISMATCH, T.UNKNOWN_ISSUER, hostname_match=False),
        ignored=GOOD,
    ),
    Row(
        "another name and missing intermediate",
        "M",
        93,
        "name_mismatch",
        certificate=untrusted(T.NAME_MISMATCH, T.INCOMPLETE_CHAIN, hostname_match=False, complete=False),
        ignored="B",
    ),
    Row(
        "unknown authority and Heartbleed",
        "T",
        93,
        "not_trusted",
        handshake=handshake(heartbeat={TLS12: True}),
        tried=tried({**NONE_WORKS, "heartbleed": True}),
        certificate=untrusted(T.UNKNOWN_ISSUER),
        ignored="F",
    ),
    Row(
        "trust store that cannot be read", None, 93, certificate=certificate(trusted=None, complete=None), ignored=None
    ),
    Row(
        "trust store that cannot be read, of a server with TLSv1.0",
        None,
        91.5,
        handshake=and_old(TLS10),
        certificate=certificate(trusted=None),
        ignored="B",
    ),
    # --- unknown, where it matters and where not
    Row("attacks that are never tried", GOOD, 93, tried=None, target={"vulnerability_interval": None}),
    Row(
        "attacks that are never tried, on a server that may have an old OpenSSL",
        None,
        93,
        handshake=handshake(extensions={"secure_renegotiation": True, "extended_master_secret": False}),
        tried=None,
        target={"vulnerability_interval": None},
    ),
    Row(
        "attacks that are never tried, on a server with RSA key exchange",
        None,
        93,
        handshake=suites(GCM_RSA),
        tried=None,
        target={"vulnerability_interval": None},
    ),
    Row(
        "CCS injection that worked, whatever else speaks against it",
        "F",
        93,
        "ccs_injection",
        handshake=handshake(extensions={"secure_renegotiation": True, "extended_master_secret": True}),
        tried=tried({**NONE_WORKS, "ccs_injection": True}),
    ),
    Row(
        "the same with SSLv2",
        "F",
        66,
        "ssl2",
        handshake=and_old(SSL2, "SSL_CK_DES_192_EDE3_CBC_WITH_MD5"),
        tried=None,
        target={"vulnerability_interval": None},
    ),
    Row("no certificate seen", None, None, certificate=None),
    Row(
        "TLSv1.0 not known, with whatever suites, beside TLSv1.1",
        None,
        None,
        handshake=handshake({TLS11: (ECDHE_CBC,), **GOOD_SUITES}, open_protocols=[TLS10]),
    ),
    Row("TLSv1.1 not known", None, None, handshake=handshake(open_protocols=[TLS11])),
    Row(
        "TLSv1.3 not known, no HSTS",
        None,
        None,
        handshake=handshake({TLS12: (GCM, GCM_128)}, open_protocols=[TLS13]),
        http=http(),
    ),
)


def parts_of(row: Row) -> list[object]:
    return [part for part in (row.handshake, row.certificate, row.http, row.tried) if part is not None]


def graded(*parts: object, neighbours: Neighbours | None = None, **target: Any) -> Grade | None:  # noqa: ANN401 - as `case`
    """The grade of these facts, as a report would have it."""
    judged = case(*parts, **target)
    if neighbours is not None:
        judged = replace(judged, neighbours=neighbours)
    for derivation in DERIVATIONS:
        part = derivation.derive(judged)
        if part is not None:
            judged = replace(judged, facts=judged.facts.with_part(part, NOW))
    return judged.facts.get(Grade)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_set_of_facts_has_its_grade(row: Row) -> None:
    grade = graded(*parts_of(row), **row.target)
    assert grade is not None
    assert (grade.letter, grade.score, grade.capped_by) == (row.letter, row.score, row.capped_by)
    assert grade.trust_ignored == (row.letter if row.ignored == "same" else row.ignored)
    assert bool(grade.missing) is (None in {grade.letter, grade.trust_ignored})


def test_a_server_that_shares_its_key_with_one_that_speaks_ssl2_is_open_to_drown() -> None:
    rsa_key = rsa(2048)
    (key,) = served_keys(case(rsa_key).facts)
    grade = graded(handshake(), rsa_key, http(YEAR), TRIED, neighbours=Neighbours({key: ("old",)}))
    assert grade is not None
    assert (grade.letter, grade.capped_by) == ("F", "drown")


def test_every_rule_caps_some_set_of_facts() -> None:
    """DROWN has a test of its own."""
    assert {row.capped_by for row in ROWS} == {rule.name for rule in RULES} - {"drown"} | {""}


@pytest.mark.parametrize("facts", [(), (certificate(),), (handshake({}),)], ids=["nothing", "chain", "no protocol"])
def test_without_an_accepted_protocol_there_is_no_grade(facts: tuple[object, ...]) -> None:
    assert graded(*facts) is None


def test_there_are_at_least_80_sets_of_facts_each_with_a_name_of_its_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) >= 80
