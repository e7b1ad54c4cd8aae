"""Which clients can connect, from facts only: a table of servers and clients, and properties of all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.clients.client import Client, ClientKind, ClientLimits, Source
from exporter.clients.files import shipped_clients
from exporter.facts.certificate import CertificateFacts
from exporter.facts.handshake import HandshakeFacts, Listing, Prime, ServedChain
from exporter.model import CipherOrder, Protocol
from exporter.simulation.connect import SimulatedConnection, connect
from exporter.simulation.terms import Obstacle, SimulatedServer
from exporter.tls.suites import BY_NAME
from tests.support.facts import (
    certificate,
    certificates,
    deployment,
    handshake,
    handshake_facts,
    issuer,
    steady,
)
from tests.support.scripted import End, Stack
from tests.support.targets import NOW, read_scripted

SSL2, SSL3, TLS1_0, TLS1_1, TLS1_2, TLS1_3 = Protocol
CLIENTS = shipped_clients().clients

AES128 = "TLS_RSA_WITH_AES_128_CBC_SHA"
AES256 = "TLS_RSA_WITH_AES_256_CBC_SHA"
DHE = "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"
ECDHE = "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"
GCM = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
GCM_ECDSA = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
TLS13 = "TLS_AES_128_GCM_SHA256"
TLS13_256 = "TLS_AES_256_GCM_SHA384"
CURVES = Listing(("x25519", "secp256r1"), complete=True)
ALL_SCHEMES = Listing(
    ("ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256", "rsa_pkcs1_sha256", "rsa_pkcs1_sha1"), complete=True
)
RSA_LEAF = {"key_algorithm": "RSA", "key_size_bits": 2048, "curve": None}
RSA_DEPLOYMENT = deployment(issuer(**RSA_LEAF), **RSA_LEAF)
RSA = certificates(RSA_DEPLOYMENT)
ML_DSA_65 = "2.16.840.1.101.3.4.3.18"
BOTH = certificates(deployment(), RSA_DEPLOYMENT)


def client(*suites: str, oldest: Protocol = TLS1_0, newest: Protocol = TLS1_2, **changes: Any) -> Client:  # noqa: ANN401
    known = list(Protocol)
    usual: dict[str, Any] = {
        "id": "one",
        "name": "One",
        "kind": ClientKind.LIBRARY,
        "current": True,
        "source": Source("seen", NOW, "Seen"),
        "how": "",
        "protocols": tuple(known[known.index(oldest) : known.index(newest) + 1]),
        "sends_sni": True,
        "suites": tuple(BY_NAME[name].code for name in suites),
        "groups": (0x001D, 0x0017),
        "schemes": (0x0403, 0x0804, 0x0805, 0x0806, 0x0401, 0x0201),
    }
    return Client(**(usual | changes))


def seen(
    suites: Mapping[Protocol, Sequence[str]],
    *,
    named: bool = True,
    certificate_facts: CertificateFacts | None = RSA,
    **changes: Any,  # noqa: ANN401 - arguments of `handshake`
) -> SimulatedServer:
    usual: dict[str, Any] = {
        "groups": {protocol: CURVES for protocol in suites if protocol is not SSL3},
        "group_order": dict.fromkeys(suites, CipherOrder.SERVER),
        "signature_schemes": ALL_SCHEMES,
        "dh_primes": (),
        "plain_chains": (
            ServedChain("RSA", (TLS1_0, TLS1_1, TLS1_2), (b"rsa",)),
            ServedChain("ECDSA P-256", (TLS1_0, TLS1_1, TLS1_2), (b"ecdsa",)),
        ),
        "extensions": {"secure_renegotiation": True},
    }
    return SimulatedServer(handshake(suites, **(usual | changes)), certificate_facts, named)


def alone(**leaf: Any) -> CertificateFacts:  # noqa: ANN401 - fields of ServedCertificate
    """A server whose only certificate has this key."""
    return certificates(deployment(**leaf))


def order(protocol: Protocol, whose: CipherOrder | None) -> dict[Protocol, CipherOrder | None]:
    return {protocol: whose}


YES, NO, OPEN = True, False, None
O = Obstacle  # noqa: E741 - one letter, for the table's sake

CASES: list[
    tuple[str, Client, SimulatedServer, tuple[bool | None, Protocol | None, str | None, str | None, Obstacle | None]]
] = [
    # --- versions ---
    (
        "the newest common version",
        client(AES128),
        seen({TLS1_0: [AES128], TLS1_2: [AES128]}),
        (YES, TLS1_2, AES128, None, None),
    ),
    (
        "no common version",
        client(AES128, newest=TLS1_0),
        seen({TLS1_2: [AES128]}),
        (NO, None, None, None, O.NO_COMMON_PROTOCOL),
    ),
    (
        "an older server",
        client(AES128, oldest=TLS1_2),
        seen({TLS1_0: [AES128]}),
        (NO, None, None, None, O.NO_COMMON_PROTOCOL),
    ),
    (
        "a version that is not known, above one that is",
        client(AES128),
        seen({TLS1_0: [AES128]}, open_protocols=[TLS1_2]),
        (OPEN, None, None, None, O.NO_COMMON_PROTOCOL),
    ),
    (
        "a version that is not known, below one that is",
        client(AES128),
        seen({TLS1_2: [AES128]}, open_protocols=[TLS1_0]),
        (YES, TLS1_2, AES128, None, None),
    ),
    (
        "a version that is not known and the client has not",
        client(AES128),
        seen({TLS1_2: [AES128]}, open_protocols=[TLS1_3]),
        (YES, TLS1_2, AES128, None, None),
    ),
    # --- suites ---
    ("no common suite", client(AES128), seen({TLS1_2: [AES256]}), (NO, TLS1_2, None, None, O.NO_COMMON_SUITE)),
    (
        "an older version has the suite, the newest decides",
        client(AES128),
        seen({TLS1_0: [AES128], TLS1_2: [AES256]}),
        (NO, TLS1_2, None, None, O.NO_COMMON_SUITE),
    ),
    (
        "a list that may lack suites",
        client(AES128),
        seen({TLS1_2: [AES256]}, incomplete=[TLS1_2]),
        (OPEN, TLS1_2, None, None, O.NO_COMMON_SUITE),
    ),
    (
        "a list that may lack suites, but has all of the client's",
        client(AES128),
        seen({TLS1_2: [AES128]}, incomplete=[TLS1_2]),
        (YES, TLS1_2, AES128, None, None),
    ),
    (
        "a list that may lack a suite of the client's",
        client(AES256, AES128),
        seen({TLS1_2: [AES128]}, incomplete=[TLS1_2]),
        (YES, TLS1_2, None, None, None),
    ),
    ("no list at all", client(AES128), seen({TLS1_2: []}), (OPEN, TLS1_2, None, None, O.NO_COMMON_SUITE)),
    ("the server's order", client(AES256, AES128), seen({TLS1_2: [AES128, AES256]}), (YES, TLS1_2, AES128, None, None)),
    (
        "the client's order",
        client(AES256, AES128),
        seen({TLS1_2: [AES128, AES256]}, order=order(TLS1_2, CipherOrder.CLIENT)),
        (YES, TLS1_2, AES256, None, None),
    ),
    (
        "the client's order, and its first suite is known to be accepted",
        client(AES256, AES128),
        seen({TLS1_2: [AES256]}, incomplete=[TLS1_2], order=order(TLS1_2, CipherOrder.CLIENT)),
        (YES, TLS1_2, AES256, None, None),
    ),
    (
        "the client's order and certificates of two kinds",
        client(GCM, GCM_ECDSA),
        seen({TLS1_2: [GCM_ECDSA, GCM]}, certificate_facts=BOTH, order=order(TLS1_2, CipherOrder.CLIENT)),
        (YES, TLS1_2, None, "x25519", None),
    ),
    (
        "neither order all through",
        client(AES256, AES128),
        seen({TLS1_2: [AES128, AES256]}, order=order(TLS1_2, CipherOrder.MIXED)),
        (YES, TLS1_2, None, None, None),
    ),
    (
        "an order that is not known",
        client(AES256, AES128),
        seen({TLS1_2: [AES128, AES256]}, order=order(TLS1_2, None)),
        (YES, TLS1_2, None, None, None),
    ),
    (
        "an order that is not known, and one common suite",
        client(AES256, GCM),
        seen({TLS1_2: [AES128, AES256]}, order=order(TLS1_2, None)),
        (YES, TLS1_2, AES256, None, None),
    ),
    (
        "a suite of TLS 1.3 in an older version",
        client(TLS13, AES128, newest=TLS1_3),
        seen({TLS1_2: [AES128]}),
        (YES, TLS1_2, AES128, None, None),
    ),
    # --- groups up to TLS 1.2 ---
    (
        "the server's favourite curve",
        client(GCM, groups=(0x17, 0x1D)),
        seen({TLS1_2: [GCM]}),
        (YES, TLS1_2, GCM, "x25519", None),
    ),
    (
        "the client's favourite curve",
        client(GCM, groups=(0x17, 0x1D)),
        seen({TLS1_2: [GCM]}, group_order=order(TLS1_2, CipherOrder.CLIENT)),
        (YES, TLS1_2, GCM, "secp256r1", None),
    ),
    (
        "nobody's favourite curve",
        client(GCM),
        seen({TLS1_2: [GCM]}, group_order=order(TLS1_2, None)),
        (YES, TLS1_2, GCM, None, None),
    ),
    (
        "no common curve",
        client(GCM, groups=(0x18,)),
        seen({TLS1_2: [GCM]}),
        (NO, TLS1_2, None, None, O.NO_COMMON_GROUP),
    ),
    (
        "no common curve, and a suite that needs none",
        client(GCM, AES128, groups=(0x18,)),
        seen({TLS1_2: [GCM, AES128]}),
        (YES, TLS1_2, AES128, None, None),
    ),
    (
        "no common curve with a server that does not mind",
        client(GCM, AES128, groups=(0x18,)),
        seen({TLS1_2: [GCM, AES128]}, ignores_supported_groups=True),
        (OPEN, TLS1_2, None, None, O.NO_COMMON_GROUP),
    ),
    (
        "curves that may not be all",
        client(GCM, groups=(0x18,)),
        seen({TLS1_2: [GCM]}, groups={TLS1_2: replace(CURVES, complete=False)}),
        (OPEN, TLS1_2, None, None, O.NO_COMMON_GROUP),
    ),
    (
        "curves that are not known",
        client(GCM),
        seen({TLS1_2: [GCM]}, groups={}),
        (OPEN, TLS1_2, None, None, O.NO_COMMON_GROUP),
    ),
    (
        "a client that names no curves",
        client(GCM, groups=None),
        seen({TLS1_2: [GCM]}),
        (OPEN, TLS1_2, None, None, O.NO_COMMON_GROUP),
    ),
    # --- certificates and signatures up to TLS 1.2 ---
    (
        "no scheme for its kind of key",
        client(GCM, schemes=(0x0403,)),
        seen({TLS1_2: [GCM]}),
        (NO, TLS1_2, None, None, O.NO_COMMON_SIGNATURE_SCHEME),
    ),
    (
        "no scheme, and a suite that is not signed, which some servers go on to",
        client(GCM, AES128, schemes=(0x0403,)),
        seen({TLS1_2: [GCM, AES128]}),
        (OPEN, TLS1_2, None, None, O.NO_COMMON_SIGNATURE_SCHEME),
    ),
    (
        "schemes that may not be all",
        client(GCM, schemes=(0x0601,)),
        seen({TLS1_2: [GCM]}, signature_schemes=replace(ALL_SCHEMES, complete=False)),
        (OPEN, TLS1_2, None, None, O.NO_COMMON_SIGNATURE_SCHEME),
    ),
    (
        "schemes that are not known",
        client(GCM),
        seen({TLS1_2: [GCM]}, signature_schemes=None),
        (OPEN, TLS1_2, None, None, O.NO_COMMON_SIGNATURE_SCHEME),
    ),
    ("an ECDSA certificate", client(GCM_ECDSA), seen({TLS1_2: [GCM_ECDSA]}), (YES, TLS1_2, GCM_ECDSA, "x25519", None)),
    (
        "an ECDSA certificate on a curve that is not offered",
        client(GCM_ECDSA, groups=(0x1D,)),
        seen({TLS1_2: [GCM_ECDSA]}),
        (OPEN, TLS1_2, None, None, O.CERTIFICATE_CURVE),
    ),
    (
        "an ECDSA certificate on a curve that is not known",
        client(GCM_ECDSA),
        seen({TLS1_2: [GCM_ECDSA]}, plain_chains=()),
        (OPEN, TLS1_2, None, None, O.CERTIFICATE_CURVE),
    ),
    (
        "SHA-1 before TLS 1.2",
        client(ECDHE, limits=ClientLimits(refuses_sha1=True)),
        seen({TLS1_0: [ECDHE]}),
        (NO, TLS1_0, ECDHE, "x25519", O.SHA1_SIGNATURE),
    ),
    (
        "SHA-1, although another suite would do without",
        client(ECDHE, AES128, limits=ClientLimits(refuses_sha1=True)),
        seen({TLS1_0: [ECDHE, AES128]}),
        (NO, TLS1_0, ECDHE, "x25519", O.SHA1_SIGNATURE),
    ),
    (
        "no signature before TLS 1.2",
        client(AES128, limits=ClientLimits(refuses_sha1=True)),
        seen({TLS1_0: [AES128]}),
        (YES, TLS1_0, AES128, None, None),
    ),
    (
        "RSA keys of 2048 bits",
        client(AES128, limits=ClientLimits(min_rsa_bits=2048)),
        seen({TLS1_2: [AES128]}),
        (YES, TLS1_2, AES128, None, None),
    ),
    (
        "RSA keys that are too small",
        client(AES128, limits=ClientLimits(min_rsa_bits=3072)),
        seen({TLS1_2: [AES128]}),
        (NO, TLS1_2, AES128, None, O.RSA_TOO_SMALL),
    ),
    (
        "an RSA key that is too small, behind a leaf with an ECDSA key",
        client(GCM_ECDSA, limits=ClientLimits(min_rsa_bits=2048)),
        seen(
            {TLS1_2: [GCM_ECDSA]},
            certificate_facts=certificates(deployment(issuer(**RSA_LEAF | {"key_size_bits": 1024}))),
        ),
        (NO, TLS1_2, GCM_ECDSA, "x25519", O.RSA_TOO_SMALL),
    ),
    (
        "no RSA keys behind a leaf with an ECDSA key",
        client(GCM_ECDSA, limits=ClientLimits(min_rsa_bits=2048)),
        seen({TLS1_2: [GCM_ECDSA]}, certificate_facts=BOTH),
        (YES, TLS1_2, GCM_ECDSA, "x25519", None),
    ),
    (
        "RSA keys that are not known",
        client(AES128, limits=ClientLimits(min_rsa_bits=2048)),
        seen({TLS1_2: [AES128]}, certificate_facts=None),
        (OPEN, TLS1_2, AES128, None, O.RSA_TOO_SMALL),
    ),
    # --- finite fields ---
    (
        "a prime that is too large",
        client(DHE, limits=ClientLimits(max_dh_bits=1024)),
        seen({TLS1_2: [DHE]}, dh_primes=(Prime(2048),)),
        (NO, TLS1_2, DHE, None, O.DH_TOO_LARGE),
    ),
    (
        "a prime of just that size",
        client(DHE, limits=ClientLimits(min_dh_bits=1024, max_dh_bits=1024)),
        seen({TLS1_2: [DHE]}, dh_primes=(Prime(1024),)),
        (YES, TLS1_2, DHE, None, None),
    ),
    (
        "a prime that is too small",
        client(DHE, limits=ClientLimits(min_dh_bits=1024)),
        seen({TLS1_2: [DHE]}, dh_primes=(Prime(512),)),
        (NO, TLS1_2, DHE, None, O.DH_TOO_SMALL),
    ),
    (
        "two primes, one of them too large",
        client(DHE, limits=ClientLimits(max_dh_bits=1024)),
        seen({TLS1_2: [DHE]}, dh_primes=(Prime(1024), Prime(2048))),
        (OPEN, TLS1_2, DHE, None, O.DH_TOO_LARGE),
    ),
    (
        "a client that names groups of RFC 7919 may get one",
        client(DHE, groups=(0x17, 0x0101), limits=ClientLimits(max_dh_bits=2048)),
        seen({TLS1_2: [DHE]}, dh_primes=(Prime(2048),)),
        (OPEN, TLS1_2, DHE, None, O.DH_TOO_LARGE),
    ),
    (
        "a prime that was not seen",
        client(DHE, limits=ClientLimits(max_dh_bits=1024)),
        seen({TLS1_2: [DHE]}),
        (OPEN, TLS1_2, DHE, None, O.DH_TOO_LARGE),
    ),
    ("a prime, and no limit", client(DHE), seen({TLS1_2: [DHE]}), (YES, TLS1_2, DHE, None, None)),
    (
        "another suite comes first, and the prime does not matter",
        client(DHE, AES128, limits=ClientLimits(max_dh_bits=1024)),
        seen({TLS1_2: [AES128, DHE]}, dh_primes=(Prime(2048),)),
        (YES, TLS1_2, AES128, None, None),
    ),
    # --- TLS 1.3 ---
    (
        "TLS 1.3",
        client(TLS13, newest=TLS1_3),
        seen({TLS1_3: [TLS13_256, TLS13]}),
        (YES, TLS1_3, TLS13, "x25519", None),
    ),
    (
        "no common group in TLS 1.3",
        client(TLS13, newest=TLS1_3, groups=(0x18,)),
        seen({TLS1_3: [TLS13]}),
        (NO, TLS1_3, None, None, O.NO_COMMON_GROUP),
    ),
    (
        "no common group in TLS 1.3 that is known",
        client(TLS13, newest=TLS1_3, groups=(0x18,)),
        seen({TLS1_3: [TLS13]}, groups={TLS1_3: replace(CURVES, complete=False)}),
        (OPEN, TLS1_3, TLS13, None, O.NO_COMMON_GROUP),
    ),
    (
        "no scheme for the key in TLS 1.3",
        client(TLS13, newest=TLS1_3, schemes=(0x0403, 0x0401)),
        seen({TLS1_3: [TLS13]}),
        (NO, TLS1_3, None, None, O.NO_COMMON_SIGNATURE_SCHEME),
    ),
    (
        "some schemes for the key in TLS 1.3, of which the server may have others",
        client(TLS13, newest=TLS1_3, schemes=(0x0804,)),
        seen({TLS1_3: [TLS13]}),
        (OPEN, TLS1_3, TLS13, "x25519", O.NO_COMMON_SIGNATURE_SCHEME),
    ),
    (
        "another certificate that suits it",
        client(TLS13, newest=TLS1_3, schemes=(0x0403,)),
        seen({TLS1_3: [TLS13]}, certificate_facts=BOTH),
        (YES, TLS1_3, TLS13, "x25519", None),
    ),
    (
        "certificates that are not known",
        client(TLS13, newest=TLS1_3),
        seen({TLS1_3: [TLS13]}, certificate_facts=None),
        (OPEN, TLS1_3, TLS13, "x25519", O.NO_COMMON_SIGNATURE_SCHEME),
    ),
    (
        "a certificate that may have another beside it",
        client(TLS13, newest=TLS1_3, schemes=(0x0403,)),
        seen({TLS1_3: [TLS13]}, certificate_facts=replace(RSA, deployments_complete=False)),
        (OPEN, TLS1_3, TLS13, "x25519", O.NO_COMMON_SIGNATURE_SCHEME),
    ),
    (
        "a key for PSS alone in TLS 1.3",
        client(TLS13, newest=TLS1_3),
        seen({TLS1_3: [TLS13]}, certificate_facts=alone(key_algorithm="RSA", key_kind="RSA-PSS", curve=None)),
        (NO, TLS1_3, None, None, O.NO_COMMON_SIGNATURE_SCHEME),
    ),
    (
        "a key for PSS alone in TLS 1.3, and all schemes for it",
        client(TLS13, newest=TLS1_3, schemes=(0x0809, 0x080A, 0x080B)),
        seen({TLS1_3: [TLS13]}, certificate_facts=alone(key_algorithm="RSA", key_kind="RSA-PSS", curve=None)),
        (YES, TLS1_3, TLS13, "x25519", None),
    ),
    (
        "a key of a kind that the client has no scheme for",
        client(TLS13, newest=TLS1_3),
        seen({TLS1_3: [TLS13]}, certificate_facts=alone(key_algorithm=ML_DSA_65, curve=None)),
        (NO, TLS1_3, None, None, O.NO_COMMON_SIGNATURE_SCHEME),
    ),
    (
        "ML-DSA with a client that has it",
        client(TLS13, newest=TLS1_3, schemes=(0x0905, 0x0403)),
        seen({TLS1_3: [TLS13]}, certificate_facts=alone(key_algorithm=ML_DSA_65, curve=None)),
        (YES, TLS1_3, TLS13, "x25519", None),
    ),
    (
        "ML-DSA with a client that has another size of it",
        client(TLS13, newest=TLS1_3, schemes=(0x0906, 0x0403)),
        seen({TLS1_3: [TLS13]}, certificate_facts=alone(key_algorithm=ML_DSA_65, curve=None)),
        (NO, TLS1_3, None, None, O.NO_COMMON_SIGNATURE_SCHEME),
    ),
    (
        "a key that is not known, and a scheme that is not either",
        client(TLS13, newest=TLS1_3, schemes=(0x0709, 0x0403)),
        seen({TLS1_3: [TLS13]}, certificate_facts=alone(key_algorithm="1.2.643.7.1.1.1.1", curve=None)),
        (OPEN, TLS1_3, TLS13, "x25519", O.NO_COMMON_SIGNATURE_SCHEME),
    ),
    (
        "a DSA key in TLS 1.3",
        client(TLS13, newest=TLS1_3, schemes=(0x0202, 0x0403)),
        seen({TLS1_3: [TLS13]}, certificate_facts=alone(key_algorithm="DSA", curve=None)),
        (NO, TLS1_3, None, None, O.NO_COMMON_SIGNATURE_SCHEME),
    ),
    (
        "a key on a curve that TLS 1.3 has no scheme for",
        client(TLS13, newest=TLS1_3),
        seen({TLS1_3: [TLS13]}, certificate_facts=alone(curve="secp256k1")),
        (NO, TLS1_3, None, None, O.NO_COMMON_SIGNATURE_SCHEME),
    ),
    (
        "a key on a curve that cannot be read",
        client(TLS13, newest=TLS1_3),
        seen({TLS1_3: [TLS13]}, certificate_facts=alone(curve=None)),
        (OPEN, TLS1_3, TLS13, "x25519", O.NO_COMMON_SIGNATURE_SCHEME),
    ),
    (
        "no secure renegotiation, and a protocol that is not known",
        client(AES128, limits=ClientLimits(wants_secure_renegotiation=True)),
        seen({TLS1_2: [AES128]}, extensions={"secure_renegotiation": False}, open_protocols=[TLS1_0]),
        (OPEN, TLS1_2, AES128, None, O.NO_SECURE_RENEGOTIATION),
    ),
    # --- hellos that were not answered ---
    (
        "a server that drops hellos with extensions",
        client(GCM),
        seen({TLS1_2: [GCM]}, asked_without=("extensions",)),
        (OPEN, TLS1_2, GCM, "x25519", O.HELLO_NOT_ANSWERED),
    ),
    (
        "a server that drops hellos with extensions, and a client without any",
        client(AES128, oldest=SSL3, newest=SSL3),
        seen({SSL3: [AES128]}, asked_without=("extensions",)),
        (YES, SSL3, AES128, None, None),
    ),
    (
        "a server that drops hellos with extensions, and would refuse anyway",
        client(GCM, newest=TLS1_1),
        seen({TLS1_2: [GCM]}, asked_without=("extensions",)),
        (NO, None, None, None, O.NO_COMMON_PROTOCOL),
    ),
    (
        "a server that drops hellos with a name",
        client(GCM),
        seen({TLS1_2: [GCM]}, asked_without=("server_name",)),
        (OPEN, TLS1_2, GCM, "x25519", O.HELLO_NOT_ANSWERED),
    ),
    (
        "a server that drops hellos with a name, and a client that sends none",
        client(GCM, sends_sni=False),
        seen({TLS1_2: [GCM]}, asked_without=("server_name",)),
        (YES, TLS1_2, GCM, "x25519", None),
    ),
    (
        "a server that insists on an application protocol",
        client(GCM),
        seen({TLS1_2: [GCM]}, asked_without=("alpn",)),
        (OPEN, TLS1_2, GCM, "x25519", O.HELLO_NOT_ANSWERED),
    ),
    (
        "a server that insists on an application protocol, and a client from before there were any",
        client(AES128, newest=TLS1_1),
        seen({TLS1_0: [AES128]}, asked_without=("alpn",)),
        (YES, TLS1_0, AES128, None, None),
    ),
    (
        "a server that may not ask for another key share, and a client with one that will do",
        client(TLS13, newest=TLS1_3, shares=(0x001D,)),
        seen({TLS1_3: [TLS13]}, asked_without=("hello_retry_request",)),
        (YES, TLS1_3, TLS13, "x25519", None),
    ),
    (
        "a server that may not ask for another key share, and a client that would have to send one",
        client(TLS13, newest=TLS1_3, groups=(0x11EC, 0x001D), shares=(0x11EC,)),
        seen({TLS1_3: [TLS13]}, asked_without=("hello_retry_request",)),
        (OPEN, TLS1_3, TLS13, None, O.NO_COMMON_GROUP),
    ),
    (
        "a key for PSS alone, and a scheme for it",
        client(GCM, schemes=(0x0401, 0x0809)),
        seen({TLS1_2: [GCM]}, signature_schemes=Listing(("rsa_pss_pss_sha256",), complete=True)),
        (YES, TLS1_2, GCM, "x25519", None),
    ),
    (
        "of two certificates one with a key that is too small",
        client(TLS13, newest=TLS1_3, limits=ClientLimits(min_rsa_bits=3072)),
        seen({TLS1_3: [TLS13]}, certificate_facts=BOTH),
        (OPEN, TLS1_3, TLS13, "x25519", O.RSA_TOO_SMALL),
    ),
    (
        "an RSA key that is too small in TLS 1.3",
        client(TLS13, newest=TLS1_3, limits=ClientLimits(min_rsa_bits=3072)),
        seen({TLS1_3: [TLS13]}),
        (NO, TLS1_3, TLS13, "x25519", O.RSA_TOO_SMALL),
    ),
    # --- the rest ---
    (
        "no secure renegotiation",
        client(AES128, limits=ClientLimits(wants_secure_renegotiation=True)),
        seen({TLS1_2: [AES128]}, extensions={"secure_renegotiation": False}),
        (NO, TLS1_2, AES128, None, O.NO_SECURE_RENEGOTIATION),
    ),
    (
        "no secure renegotiation in one of two versions",
        client(AES128, limits=ClientLimits(wants_secure_renegotiation=True)),
        seen({TLS1_1: [AES128], TLS1_2: [AES128]}, extensions={"secure_renegotiation": False}),
        (OPEN, TLS1_2, AES128, None, O.NO_SECURE_RENEGOTIATION),
    ),
    (
        "a client that names no server, and would be taken",
        client(AES128, sends_sni=False),
        seen({TLS1_2: [AES128]}),
        (OPEN, TLS1_2, AES128, None, O.NO_SNI),
    ),
    (
        "a client that names no server, and is refused",
        client(AES128, sends_sni=False),
        seen({TLS1_2: [AES256]}),
        (NO, TLS1_2, None, None, O.NO_COMMON_SUITE),
    ),
    (
        "a client that names no server, as the scan did not",
        client(AES128, sends_sni=False),
        seen({TLS1_2: [AES128]}, named=False),
        (YES, TLS1_2, AES128, None, None),
    ),
    (
        "several machines",
        client(AES128),
        seen({TLS1_2: [AES128]}, contradictions=("TLSv1.2: cipher suites",)),
        (OPEN, TLS1_2, AES128, None, O.CONTRADICTIONS),
    ),
    (
        "several machines that were seen to differ in another version alone",
        client(AES128),
        seen({TLS1_0: [AES128], TLS1_2: [AES128]}, contradictions=("TLSv1.0: certificate",)),
        (OPEN, TLS1_2, AES128, None, O.CONTRADICTIONS),
    ),
]


@pytest.mark.parametrize(("one", "server", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_comes_of_a_client_and_a_server(
    one: Client,
    server: SimulatedServer,
    expected: tuple[bool | None, Protocol | None, str | None, str | None, Obstacle | None],
) -> None:
    found = connect(one, server)
    assert (found.connects, found.protocol, found.cipher_suite, found.group, found.reason) == expected
    assert bool(found.detail) is (found.reason is not None)


MLKEM, X25519, P256, P384, X448 = 0x11EC, 0x1D, 0x17, 0x18, 0x1E
GO = ("X25519MLKEM768", "x25519", "secp256r1", "secp384r1")
AS_OFFERED = ("secp384r1", "secp256r1", "x25519")
"""In the order that hellos of a scan offer them: a server that uses the client's order."""


@pytest.mark.parametrize(
    ("groups", "shares", "names", "whose", "group"),
    [
        ((X25519, P256), (X25519,), ("x25519", "secp256r1"), CipherOrder.SERVER, "x25519"),
        ((X25519, P256), (X25519,), ("secp256r1", "x25519"), CipherOrder.SERVER, "secp256r1"),
        # only the favourite is certain of a server's order
        ((X25519, P256), (X25519,), ("secp384r1", "secp256r1", "x25519"), CipherOrder.SERVER, None),
        ((X25519, P256), (X25519,), AS_OFFERED, CipherOrder.CLIENT, "x25519"),
        ((X25519, P256), (P256,), AS_OFFERED, CipherOrder.CLIENT, "secp256r1"),
        ((X25519, P256, P384), (X25519, P256), AS_OFFERED, CipherOrder.CLIENT, "x25519"),
        # a share that the server has not: it asks for another, and which is not known
        ((MLKEM, X25519, P256), (MLKEM,), AS_OFFERED, CipherOrder.CLIENT, None),
        ((MLKEM, X25519), (MLKEM,), AS_OFFERED, CipherOrder.CLIENT, "x25519"),
        # a server with an order of its own may look at the shares by it
        ((MLKEM, X25519, P256), (MLKEM, X25519), GO, CipherOrder.CLIENT, "X25519MLKEM768"),
        ((P256, X25519), (P256, X25519), GO, CipherOrder.CLIENT, None),
        ((P256, X25519), (P256,), GO, CipherOrder.CLIENT, "secp256r1"),
        # where shares are not known, the first group is taken to be shared, and perhaps others
        ((X25519, P256), None, AS_OFFERED, CipherOrder.CLIENT, "x25519"),
        ((X25519, P256), None, GO, CipherOrder.CLIENT, "x25519"),
        ((P256, X25519), None, GO, CipherOrder.CLIENT, None),
        ((X25519, P256), (X25519,), AS_OFFERED, CipherOrder.MIXED, None),
        ((X25519, P256), (X25519,), AS_OFFERED, None, None),
        ((X25519, X448), (X25519,), AS_OFFERED, None, "x25519"),
    ],
)
def test_the_group_in_tls13(
    groups: tuple[int, ...],
    shares: tuple[int, ...] | None,
    names: tuple[str, ...],
    whose: CipherOrder | None,
    group: str | None,
) -> None:
    server = seen({TLS1_3: [TLS13]}, groups={TLS1_3: Listing(names, complete=True)}, group_order=order(TLS1_3, whose))
    found = connect(client(TLS13, newest=TLS1_3, groups=groups, shares=shares), server)
    assert (found.connects, found.group) == (True, group)


# --- the checklist's statement ----------------------------------------------------------------------------------------

CHECKLIST = seen({TLS1_2: [GCM_ECDSA, GCM], TLS1_3: [TLS13]}, certificate_facts=BOTH)
"""As a server that keeps to the checklist: TLS 1.2 and newer."""


def test_android_up_to_4_3_cannot_connect_to_a_server_that_keeps_to_the_checklist() -> None:
    found = {name: connect(one, CHECKLIST) for name, one in CLIENTS.items() if name.startswith("android-")}
    refused = {name: one.reason for name, one in found.items() if one.connects is False}
    names = ("android-2.3.7", "android-4.0.4", "android-4.1.1", "android-4.2.2", "android-4.3")
    assert refused == dict.fromkeys(names, Obstacle.NO_COMMON_PROTOCOL)
    assert found["android-4.3"].detail == "the client offers SSLv3 to TLSv1.0, the server accepts TLSv1.2, TLSv1.3"


def test_android_from_4_4_2_on_can_connect_to_it() -> None:
    found = {name: connect(one, CHECKLIST) for name, one in CLIENTS.items() if name.startswith("android-")}
    assert found["android-4.4.2"] == SimulatedConnection(True, TLS1_2, GCM_ECDSA, "secp256r1")
    assert [name for name, one in found.items() if one.connects] == [
        *("android-4.4.2", "android-5.0", "android-6.0", "android-7.0", "android-8.1"),
        *("android-9", "android-11", "android-13", "android-15"),
    ]


def test_clients_that_were_tried_refuse_primes_of_1000_bits_and_take_1024() -> None:
    suites = {TLS1_2: [DHE]}
    for name in ("openjdk-17", "java-17", "node-20", "gnutls-3.7"):
        one = CLIENTS[name]
        assert connect(one, seen(suites, dh_primes=(Prime(1000),))).reason is Obstacle.DH_TOO_SMALL
        assert connect(replace(one, groups=(0x17,)), seen(suites, dh_primes=(Prime(1024),))).connects is True


def test_java_7_cannot_take_a_prime_of_2048_bits() -> None:
    suites = {TLS1_0: ["TLS_DHE_RSA_WITH_AES_128_CBC_SHA"]}
    assert connect(CLIENTS["java-7u25"], seen(suites, dh_primes=(Prime(2048),))).reason is Obstacle.DH_TOO_LARGE
    assert connect(CLIENTS["java-7u25"], seen(suites, dh_primes=(Prime(1024),))).connects is True


def test_only_clients_with_ml_dsa_can_connect_to_a_server_with_that_alone() -> None:
    server = seen({TLS1_3: [TLS13]}, certificate_facts=alone(key_algorithm=ML_DSA_65, curve=None))
    assert [name for name, one in CLIENTS.items() if connect(one, server).connects is not False] == [
        "chromium-156",
        "openssl-3.5",
        "python-3.13-debian",
    ]


@pytest.mark.parametrize(
    ("extension", "connects", "obstacle"),
    [(5, None, Obstacle.HELLO_NOT_ANSWERED), (0, None, Obstacle.HELLO_NOT_ANSWERED), (0x7777, True, None)],
    ids=["status_request", "server_name", "one that nobody sends"],
)
def test_a_client_that_sends_what_a_server_drops_is_not_said_to_connect(
    extension: int, connects: bool | None, obstacle: Obstacle | None
) -> None:
    stack = Stack({0x0303: (0xC02F, 0x009C)})
    facts, _ = read_scripted(lambda hello: End.RESET if extension in hello.extensions else stack(hello))
    found = connect(CLIENTS["openjdk-17"], SimulatedServer(facts, RSA, named=True))
    assert (found.connects, found.reason) == (connects, obstacle)


# --- what holds for all -----------------------------------------------------------------------------------------------

ANY_CERTIFICATE = st.sampled_from(
    [None, RSA, BOTH, certificate(), certificates(deployment(**RSA_LEAF), complete=False)]
)
ANY_CLIENT = st.sampled_from([*CLIENTS.values()])


@steady
@given(one=ANY_CLIENT, facts=handshake_facts(), certificate_facts=ANY_CERTIFICATE, named=st.booleans())
def test_an_answer_comes_of_whatever_was_seen(
    one: Client, facts: HandshakeFacts, certificate_facts: CertificateFacts | None, named: bool
) -> None:
    found = connect(one, SimulatedServer(facts, certificate_facts, named))
    assert (found.reason is None) is (found.connects is True)
    if found.connects:
        assert found.protocol in one.protocols
        assert facts.protocols[found.protocol]


LESS: dict[str, Callable[[Any, Any], Any]] = {
    "protocols": lambda value, draw: {key: one if draw(st.booleans()) else None for key, one in value.items()},
    "cipher_suites_incomplete": lambda value, draw: value | draw(st.frozensets(st.sampled_from(Protocol))),
    "cipher_order": lambda value, draw: {key: one if draw(st.booleans()) else None for key, one in value.items()},
    "group_order": lambda value, draw: {key: one if draw(st.booleans()) else None for key, one in value.items()},
    "groups": lambda value, draw: {
        key: replace(one, complete=one.complete and draw(st.booleans()))
        for key, one in value.items()
        if draw(st.booleans())
    },
    "signature_schemes": lambda value, draw: draw(st.sampled_from([value, None])),
    "dh_primes": lambda value, draw: draw(st.sampled_from([value, ()])),
    "extensions": lambda value, draw: draw(st.sampled_from([value, {}])),
    "ignores_supported_groups": lambda value, draw: draw(st.sampled_from([value, None])),
    "plain_chains": lambda value, draw: draw(st.sampled_from([value, ()])),
}
"""Field of the facts -> the same with less known."""

RICH = st.sampled_from(
    [
        {TLS1_2: [GCM, GCM_ECDSA], TLS1_3: [TLS13]},
        {TLS1_0: [ECDHE, DHE, AES128], TLS1_2: [GCM, AES128]},
        {SSL3: [AES128], TLS1_0: [DHE, AES256]},
        {TLS1_2: [DHE]},
        {TLS1_3: [TLS13_256]},
    ]
)


@st.composite
def less_known(draw: st.DrawFn) -> tuple[SimulatedServer, SimulatedServer]:
    """A server, and the same of which less is known."""
    more = seen(
        draw(RICH),
        certificate_facts=draw(ANY_CERTIFICATE),
        dh_primes=draw(st.sampled_from([(), (Prime(1024),), (Prime(2048),)])),
        extensions={"secure_renegotiation": draw(st.booleans())},
        ignores_supported_groups=draw(st.booleans()),
    )
    facts = more.handshake
    forgotten: dict[str, Any] = {name: less(getattr(facts, name), draw) for name, less in LESS.items()}
    certificate_facts = draw(st.sampled_from([more.certificate, None]))
    return more, SimulatedServer(replace(facts, **forgotten), certificate_facts, more.named)


@steady
@given(one=ANY_CLIENT, both=less_known())
def test_less_knowledge_makes_no_other_answer_and_no_other_choice(
    one: Client, both: tuple[SimulatedServer, SimulatedServer]
) -> None:
    more, less = (connect(one, server) for server in both)
    assert less.connects in {more.connects, None}
    assert less.protocol in {more.protocol, None}
    if less.protocol is not None and more.cipher_suite is not None:
        assert less.cipher_suite in {more.cipher_suite, None}
    if less.group is not None and less.cipher_suite is not None and more.group is not None:
        assert less.group == more.group
