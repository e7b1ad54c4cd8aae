"""Results of scans of servers configured to the shipped policies, and of servers with one deviation."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from exporter.facts.handshake import Prime, ServedChain
from exporter.model import CipherOrder, Protocol, Severity, TrustFailure
from tests.support.configured import (
    AES_128,
    AES_256,
    CHACHA,
    ECDSA_128,
    ECDSA_256,
    RSA_128,
    RSA_256,
    Change,
    Server,
    both,
    seen_on,
    with_attack,
    with_dhe,
    with_extension,
    with_first_suite,
    with_group,
    with_hello,
    with_hsts,
    with_issuer,
    with_leaf,
    with_order,
    with_scheme,
    with_suite,
    with_suites,
    without,
    without_group,
)

TLS1_0, TLS1_1, TLS1_2, TLS1_3 = Protocol.TLS1_0, Protocol.TLS1_1, Protocol.TLS1_2, Protocol.TLS1_3
C, W = Severity.CRITICAL, Severity.WARNING

CBC_SHA = "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"
CBC_SHA256 = "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"
STATIC_RSA = "TLS_RSA_WITH_AES_128_GCM_SHA256"
STATIC_ECDH = "TLS_ECDH_ECDSA_WITH_AES_128_GCM_SHA256"
TRIPLE_DES = "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"
RC4 = "TLS_ECDHE_RSA_WITH_RC4_128_SHA"
NULL = "TLS_ECDHE_RSA_WITH_NULL_SHA"
ANONYMOUS = "TLS_ECDH_anon_WITH_AES_128_CBC_SHA"
EXPORT = "TLS_RSA_EXPORT_WITH_DES40_CBC_SHA"
DHE = "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"
CCM_8 = "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8"
TLS12_CHACHA = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
FFDHE3072, ANY_3072 = Prime(3072, "ffdhe3072"), Prime(3072)

BOTH = Server({TLS1_2: (ECDSA_256, ECDSA_128), TLS1_3: (AES_256, AES_128)})
RSA_LEAF: dict[str, Any] = {
    "key_algorithm": "RSA",
    "key_size_bits": 2048,
    "curve": None,
    "signature_algorithm": "sha256WithRSAEncryption",
}
OLD_SUITES = (RSA_128, RSA_256, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_128_CBC_SHA")
MODERN = replace(
    BOTH, suites={TLS1_3: (AES_128, AES_256, CHACHA)}, groups=("X25519MLKEM768", "x25519", "secp256r1", "secp384r1")
)
APPROVED = replace(BOTH, groups=("secp256r1", "secp384r1"))
CONFIGURED = {
    "kopano-checklist": BOTH,
    "mozilla-modern": MODERN,
    "mozilla-intermediate": replace(
        BOTH,
        suites={TLS1_2: (ECDSA_128, ECDSA_256, TLS12_CHACHA), TLS1_3: MODERN.suites[TLS1_3]},
        groups=MODERN.groups,
        hello={"order": dict.fromkeys((TLS1_2, TLS1_3), CipherOrder.CLIENT)},
    ),
    "mozilla-old": replace(
        BOTH,
        suites={
            TLS1_0: OLD_SUITES[2:],
            TLS1_1: OLD_SUITES[2:],
            TLS1_2: OLD_SUITES,
            TLS1_3: MODERN.suites[TLS1_3],
        },
        leaf=RSA_LEAF,
        issuer=RSA_LEAF,
    ),
    "bcp195": BOTH,
    "nist-800-52r2": with_extension("ocsp_stapling", has=True)(APPROVED),
    "bsi-tr-02102-2": APPROVED,
    "ncsc-nl-2025": BOTH,
    "pci-dss-4": BOTH,
}
NOT_APPLICABLE = {
    "mozilla-intermediate": {("dh_parameters", C)},
    "mozilla-old": {("dh_parameters", C)},
    "bcp195": {("dh_parameters", C), ("extensions", W)},
    "nist-800-52r2": {("dh_parameters", C)},
    "bsi-tr-02102-2": {("dh_parameters", C)},
    "ncsc-nl-2025": {("dh_parameters", C)},
    "pci-dss-4": {("dh_parameters", C)},
}
"""Without a finite-field key exchange, and without suites in CBC mode."""

EC_CHAIN = ServedChain("ECDSA P-256", (TLS1_0, TLS1_2), (b"leaf", b"issuer"))
Named = tuple[str, Change, set[tuple[str, Severity]]]

SUITES, KEY = "cipher_suites", "certificate_key"
SCHEMES = ("signature_schemes", C)
PRIME_1024 = with_dhe(DHE, Prime(1024))
SHA1_LEAF = with_leaf(signature_algorithm="ecdsa-with-SHA1", signature_hash="sha1")
SHA1_ISSUER = with_issuer(signature_algorithm="ecdsa-with-SHA1", signature_hash="sha1")
P_521 = with_leaf(curve="P-521", key_size_bits=521)
P_192 = with_leaf(curve="prime192v1", key_size_bits=192)
RSA_1024 = with_leaf(**(RSA_LEAF | {"key_size_bits": 1024, "signature_algorithm": "ecdsa-with-SHA256"}))
RSA_2048 = with_leaf(**(RSA_LEAF | {"signature_algorithm": "ecdsa-with-SHA256"}))
LONG = with_leaf(not_before=datetime(2023, 1, 1, tzinfo=UTC))
YEAR = with_leaf(not_before=datetime(2026, 1, 1, tzinfo=UTC), not_after=datetime(2027, 1, 2, tzinfo=UTC))
UNTRUSTED = with_leaf(trusted=False, failures=(TrustFailure.UNKNOWN_ISSUER,))
COMPRESSION = with_hello(compression=True)
CLIENT_ORDER = with_order(CipherOrder.CLIENT)
WITH_ETM = with_extension("encrypt_then_mac", has=True)
CBC_WITHOUT_ETM = both(with_suite(CBC_SHA256), with_extension("encrypt_then_mac", has=False))

DEVIATIONS: dict[str, list[Named]] = {
    "kopano-checklist": [
        ("a suite", with_suite(CCM_8), {(SUITES, C)}),
        ("a suite in CBC mode with SHA-1", with_suite(CBC_SHA), {(SUITES, C)}),
        ("TLS 1.1", with_suites(TLS1_1, ECDSA_256), {("protocols", C), ("grade", W)}),
        ("no HSTS", with_hsts(None), {("hsts", W), ("hsts_on_errors", W), ("grade", W)}),
        ("compression", COMPRESSION, {("compression", C), ("vulnerabilities", C), ("grade", W)}),
        ("the client's order", CLIENT_ORDER, {("cipher_order", W)}),
        ("an attack", with_attack("ccs_injection"), {("vulnerabilities", C), ("grade", W)}),
        (
            "no trust",
            UNTRUSTED,
            {("certificate_valid", C), ("hsts", W), ("hsts_on_errors", W), ("grade", W)},
        ),
        ("no CAA records", lambda s: replace(s, caa=()), {("caa", W)}),
        (
            "CAA records that restrict nobody",
            lambda s: replace(s, caa=(("iodef", "mailto:a@test.example"),)),
            {("caa", W)},
        ),
        ("software past its end", lambda s: replace(s, software="nginx/1.25.5"), {("server_software", W)}),
        (
            "TLS 1.0 with a suite for old clients",
            both(with_suites(TLS1_0, CBC_SHA), with_hello(plain_chains=(EC_CHAIN,))),
            {("protocols", C), (SUITES, C), ("vulnerabilities", C), ("clients", Severity.INFO), ("grade", W)},
        ),
    ],
    "mozilla-modern": [
        ("TLS 1.2", with_suites(TLS1_2, ECDSA_256), {("protocols", C)}),
        ("a suite", with_suite("TLS_AES_128_CCM_SHA256", TLS1_3), {(SUITES, C)}),
        ("a weak group", with_group("ffdhe2048"), {("key_exchange_groups", C)}),
        ("another curve", with_group("secp521r1"), {("key_exchange_groups", C)}),
        ("an RSA key", RSA_2048, {(KEY, C)}),
        ("a key on P-521", P_521, {(KEY, C)}),
        ("a SHA-1 signature", SHA1_LEAF, {("certificate_signature", C)}),
        ("a certificate for a year", YEAR, {("certificate_lifetime", W)}),
        ("HSTS for a year", with_hsts("max-age=31536000"), {("hsts", W)}),
        ("no HSTS", with_hsts(None), {("hsts", W)}),
    ],
    "mozilla-intermediate": [
        ("TLS 1.1", with_suites(TLS1_1, ECDSA_256), {("protocols", C)}),
        ("a suite in CBC mode", with_suite(CBC_SHA256), {(SUITES, C)}),
        ("a suite without forward secrecy", with_suite(STATIC_RSA), {(SUITES, C)}),
        ("a suite of TLS 1.3", with_suite("TLS_AES_128_CCM_8_SHA256", TLS1_3), {(SUITES, C)}),
        ("a weak group", with_group("ffdhe2048"), {("key_exchange_groups", C)}),
        ("an RSA key of 1024 bits", RSA_1024, {(KEY, C)}),
        ("a key on P-521", P_521, {(KEY, C)}),
        ("a SHA-1 signature", SHA1_LEAF, {("certificate_signature", C)}),
        ("a certificate for three years", LONG, {("certificate_lifetime", W)}),
        ("HSTS for a year", with_hsts("max-age=31536000"), {("hsts", W)}),
        ("no HSTS", with_hsts(None), {("hsts", W)}),
        ("DHE with 1024 bits", PRIME_1024, {(SUITES, C), ("dh_parameters", C)}),
    ],
    "mozilla-old": [
        ("SSL 3", with_suites(Protocol.SSL3, *OLD_SUITES[2:]), {("protocols", C)}),
        ("RC4", with_suite(RC4), {(SUITES, C)}),
        ("a suite of TLS 1.3", with_suite("TLS_AES_128_CCM_8_SHA256", TLS1_3), {(SUITES, C)}),
        ("the worst suite first", with_first_suite("TLS_RSA_WITH_3DES_EDE_CBC_SHA"), {(SUITES, C)}),
        ("the client's order", CLIENT_ORDER, {("cipher_order", W)}),
        ("a weak group", with_group("secp192r1"), {("key_exchange_groups", C)}),
        ("an EC key", with_leaf(key_algorithm="EC", curve="P-256", key_size_bits=256), {(KEY, C)}),
        ("an RSA key of 1024 bits", with_leaf(key_size_bits=1024), {(KEY, C)}),
        ("a SHA-1 signature", SHA1_LEAF, {("certificate_signature", C)}),
        ("a SHA-1 signature of the issuer", SHA1_ISSUER, {("certificate_signature", C)}),
        ("a certificate for three years", LONG, {("certificate_lifetime", W)}),
        ("no HSTS", with_hsts(None), {("hsts", W)}),
        ("DHE with 1024 bits", PRIME_1024, {(SUITES, C), ("dh_parameters", C)}),
    ],
    "bcp195": [
        ("TLS 1.1", both(with_suites(TLS1_1, CBC_SHA), WITH_ETM), {("protocols", C)}),
        ("no TLS 1.2", without(TLS1_2), {("protocols", C)}),
        ("no TLS 1.3", without(TLS1_3), {("protocols", W)}),
        ("RC4", with_suite(RC4), {(SUITES, C)}),
        ("no encryption", with_suite(NULL), {(SUITES, C), (SUITES, W)}),
        ("an export suite", both(with_suite(EXPORT), WITH_ETM), {(SUITES, C), (SUITES, W)}),
        ("3DES", both(with_suite(TRIPLE_DES), WITH_ETM), {(SUITES, W)}),
        ("a suite with static RSA", with_suite(STATIC_RSA), {(SUITES, W)}),
        ("a suite with static RSA in front", with_first_suite(STATIC_RSA), {(SUITES, C), (SUITES, W)}),
        ("a suite with static ECDH", with_suite(STATIC_ECDH), {(SUITES, W)}),
        ("a suite with DHE", with_dhe(DHE, FFDHE3072), {(SUITES, W)}),
        ("none of the recommended suites", with_suites(TLS1_2, TLS12_CHACHA), {(SUITES, W)}),
        ("a weak group", with_group("secp192r1"), {("key_exchange_groups", C)}),
        ("no X25519", without_group("x25519"), {("key_exchange_groups", W)}),
        ("a SHA-1 key exchange", with_scheme("ecdsa_sha1"), {("signature_schemes", C)}),
        ("an RSA key of 1024 bits", RSA_1024, {(KEY, C)}),
        ("a key on P-521", P_521, {(KEY, W)}),
        ("a SHA-1 signature", SHA1_LEAF, {("certificate_signature", C)}),
        ("no secure renegotiation", with_extension("secure_renegotiation", has=False), {("extensions", C)}),
        ("no extended master secret", with_extension("extended_master_secret", has=False), {("extensions", C)}),
        ("CBC mode without Encrypt-then-MAC", CBC_WITHOUT_ETM, {("extensions", W)}),
        ("compression", COMPRESSION, {("compression", W)}),
        ("no HSTS", with_hsts(None), {("hsts", W)}),
        ("DHE with 1024 bits", PRIME_1024, {(SUITES, W), ("dh_parameters", C)}),
    ],
    "nist-800-52r2": [
        ("TLS 1.0", both(with_suites(TLS1_0, CBC_SHA), WITH_ETM), {("protocols", C)}),
        ("TLS 1.1", both(with_suites(TLS1_1, CBC_SHA), WITH_ETM), {("protocols", W)}),
        ("no TLS 1.3", without(TLS1_3), {("protocols", C)}),
        ("ChaCha20", with_suite(TLS12_CHACHA), {(SUITES, C)}),
        ("ChaCha20 in TLS 1.3", with_suite(CHACHA, TLS1_3), {(SUITES, C)}),
        ("a suite with static RSA", with_suite(STATIC_RSA), {(SUITES, C)}),
        ("X25519", with_group("x25519"), {("key_exchange_groups", C)}),
        ("DHE with 1024 bits", PRIME_1024, {("dh_parameters", C)}),
        ("an RSA key of 1024 bits", RSA_1024, {(KEY, C)}),
        ("a key on P-192", P_192, {(KEY, C), (KEY, W)}),
        ("a key on P-521", P_521, {(KEY, W)}),
        ("a SHA-1 signature", SHA1_LEAF, {("certificate_signature", C)}),
        ("a certificate for four years", LONG, {("certificate_lifetime", W)}),
        (
            "no OCSP stapling",
            both(with_leaf(names_ocsp=True), with_extension("ocsp_stapling", has=False)),
            {("extensions", C)},
        ),
        ("no extended master secret", with_extension("extended_master_secret", has=False), {("extensions", C)}),
        ("CBC mode without Encrypt-then-MAC", CBC_WITHOUT_ETM, {("extensions", C)}),
        ("compression", COMPRESSION, {("compression", C)}),
    ],
    "bsi-tr-02102-2": [
        ("TLS 1.1", with_suites(TLS1_1, ECDSA_256), {("protocols", C)}),
        ("ChaCha20", with_suite(TLS12_CHACHA), {(SUITES, C)}),
        ("ChaCha20 in TLS 1.3", with_suite(CHACHA, TLS1_3), {(SUITES, C)}),
        ("a suite without forward secrecy, this year", with_suite(STATIC_ECDH), {(SUITES, W)}),
        (
            "a suite without forward secrecy, next year",
            both(with_suite(STATIC_ECDH), seen_on(2027, 1, 1)),
            {(SUITES, C), (SUITES, W)},
        ),
        ("DHE after 2029", both(with_dhe(DHE, FFDHE3072), seen_on(2030, 1, 1)), {(SUITES, C)}),
        ("DHE with 2048 bits", with_dhe(DHE, Prime(2048)), {("dh_parameters", C)}),
        ("X25519", with_group("x25519"), {("key_exchange_groups", C)}),
        (
            "elliptic curves alone after 2031",
            both(without(TLS1_2), seen_on(2032, 1, 1)),
            {("key_exchange_groups", C)},
        ),
        ("TLS 1.2 after 2031", seen_on(2032, 1, 1), {("protocols", C), ("key_exchange_groups", C)}),
        ("PKCS #1 v1.5 in the key exchange", with_scheme("rsa_pkcs1_sha256"), {("signature_schemes", C)}),
        ("an RSA key of 2048 bits", RSA_2048, {(KEY, C)}),
        ("a key on P-192", P_192, {(KEY, C)}),
        (
            "PKCS #1 v1.5 in the certificate",
            with_leaf(signature_algorithm="sha256WithRSAEncryption"),
            {("certificate_signature", C)},
        ),
        ("renegotiation by the client", with_attack("client_renegotiation"), {("vulnerabilities", W)}),
        ("compression", COMPRESSION, {("compression", W)}),
        ("heartbeat", with_hello(heartbeat={TLS1_2: True}), {("extensions", W)}),
        ("CBC mode without Encrypt-then-MAC", CBC_WITHOUT_ETM, {("extensions", W)}),
        ("no extended master secret", with_extension("extended_master_secret", has=False), {("extensions", W)}),
    ],
    "ncsc-nl-2025": [
        ("TLS 1.1", with_suites(TLS1_1, ECDSA_256), {("protocols", C)}),
        ("a suite to be phased out", with_suite(CBC_SHA256), {(SUITES, W)}),
        ("an insufficient suite", with_suite(CCM_8), {(SUITES, C), (SUITES, W)}),
        (
            "an insufficient suite of TLS 1.3",
            with_suite("TLS_AES_128_CCM_8_SHA256", TLS1_3),
            {(SUITES, C), (SUITES, W)},
        ),
        ("DHE", with_dhe(DHE, FFDHE3072), {(SUITES, W)}),
        ("DHE with a prime of its own", with_dhe(DHE, ANY_3072), {(SUITES, W), ("dh_parameters", C)}),
        ("a group to be phased out", with_group("secp224r1"), {("key_exchange_groups", W)}),
        ("an insufficient group", with_group("ffdhe2048"), {("key_exchange_groups", C), ("key_exchange_groups", W)}),
        ("a SHA-1 key exchange", with_scheme("ecdsa_sha1"), {("signature_schemes", C)}),
        ("a SHA-224 key exchange", with_scheme("ecdsa_sha224"), {("signature_schemes", W)}),
        ("an RSA key of 2048 bits", RSA_2048, {(KEY, W)}),
        ("an RSA key of 1024 bits", RSA_1024, {(KEY, C), (KEY, W)}),
        ("a SHA-1 signature", SHA1_LEAF, {("certificate_signature", C), ("certificate_signature", W)}),
        (
            "a SHA-224 signature",
            with_leaf(signature_algorithm="ecdsa-with-SHA224", signature_hash="sha224"),
            {("certificate_signature", W)},
        ),
        ("compression", COMPRESSION, {("compression", C)}),
        ("no secure renegotiation", with_extension("secure_renegotiation", has=False), {("extensions", C)}),
    ],
    "pci-dss-4": [
        ("TLS 1.1", with_suites(TLS1_1, ECDSA_256), {("protocols", C)}),
        ("RC4", with_suite(RC4), {(SUITES, C)}),
        ("no authentication", with_suite(ANONYMOUS), {(SUITES, C)}),
        ("no encryption", with_suite(NULL), {(SUITES, C), (SUITES, W)}),
        ("an export suite", with_suite(EXPORT), {(SUITES, C), (SUITES, W)}),
        ("3DES", with_suite(TRIPLE_DES), {(SUITES, W)}),
        ("DHE with 1024 bits", PRIME_1024, {("dh_parameters", C)}),
        ("an attack", with_attack("ccs_injection"), {("vulnerabilities", C)}),
        ("compression", COMPRESSION, {("compression", C)}),
        ("no trust", UNTRUSTED, {("certificate_valid", C)}),
        ("an RSA key of 1024 bits", RSA_1024, {(KEY, C)}),
        ("a key on P-192", P_192, {(KEY, C)}),
        ("a SHA-1 signature", SHA1_LEAF, {("certificate_signature", C)}),
        ("a SHA-1 signature of the issuer", SHA1_ISSUER, {("certificate_signature", C)}),
    ],
}
