"""What answers show in addition to protocols and suites: groups, primes, extensions, ALPN, chains, contradictions."""

import asyncio
import itertools
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from exporter.demo.certificates import Authority
from exporter.errors import ProbeError
from exporter.facts.handshake import HandshakeFacts, Listing, Prime
from exporter.model import CipherOrder, Protocol, Reason
from exporter.pki.keys import key_kind
from exporter.tls.parameters import ML_KEM, TLS13_GROUPS, group_name, scheme_name
from exporter.tls.suites import suite_name
from tests.support.scripted import (
    End,
    Hello,
    Reply,
    Script,
    Stack,
    alert,
    curve_message,
    extension,
    message,
    record,
    scheme_fits,
    scripted_server,
    server_hello_message,
)
from tests.support.targets import read_handshake
from tests.support.targets import read_scripted as read

RSA_SUITES = (0xC030, 0xC02F)
RSA_ONLY = (0xC030, 0xC02F, 0xC028, 0xC027)
BOTH = (0xC02C, 0xC030, 0xC02B, 0xC02F)
TLS13 = (0x1302, 0x1303, 0x1301)
FFDHE2048 = int(
    "FFFFFFFFFFFFFFFFADF85458A2BB4A9AAFDC5620273D3CF1D8B9C583CE2D3695A9E13641146433FBCC939DCE249B3EF97D2FE363630C75D8"
    "F681B202AEC4617AD3DF1ED5D5FD65612433F51F5F066ED0856365553DED1AF3B557135E7F57C935984F0C70E0E68B77E2A689DAF3EFE872"
    "1DF158A136ADE73530ACCA4F483A797ABC0AB182B324FB61D108A94BB2C8E3FBB96ADAB760D7F4681D4F42A3DE394DF4AE56EDE76372BB19"
    "0B07A7C8EE0A6D709E02FCE1CDF7E2ECC03404CD28342F619172FE9CE98583FF8E4F1232EEF28183C3FE3B1B4C6FAD733BB5FCBC2EC22005"
    "C58EF1837D1683B2C6F34A26C1B2EFFA886B423861285C97FFFFFFFFFFFFFFFF",
    16,
)
"""RFC 7919, A.1."""


# --- groups -----------------------------------------------------------------------------------------------------------


def test_names_every_group_of_tls13_in_the_servers_order() -> None:
    order = (0x0104, 0x11EC, 0x001D, 0x0202, 0x0100, 0x6399, 0x0017)
    facts, _ = read(Stack({0x0304: TLS13}, groups=order))
    assert facts.groups == {Protocol.TLS1_3: Listing(tuple(map(group_name, order)), complete=True)}
    assert facts.group_order == {Protocol.TLS1_3: CipherOrder.SERVER}
    assert facts.post_quantum is True


def test_every_registered_ml_kem_group_is_asked_for() -> None:
    assert set(ML_KEM) <= set(TLS13_GROUPS)
    for group in ML_KEM:
        facts, _ = read(Stack({0x0304: TLS13}, groups=(0x001D, group)))
        assert facts.post_quantum is True, group_name(group)


def test_without_ml_kem_there_is_no_post_quantum_key_exchange() -> None:
    facts, _ = read(Stack({0x0303: BOTH, 0x0304: TLS13}))
    assert facts.post_quantum is False
    facts, _ = read(Stack({0x0303: BOTH}))
    assert facts.post_quantum is False


def test_while_tls13_is_unknown_so_is_post_quantum_key_exchange() -> None:
    tls12 = Stack({0x0303: BOTH})
    facts, _ = read(lambda hello: End.SILENCE if hello.version == 0x0304 else tls12(hello), timeout_seconds=0.2)
    assert facts.post_quantum is None


def test_names_the_curves_of_each_protocol_by_itself() -> None:
    old, new = Stack({0x0301: (0xC014, 0xC013)}, groups=(0x0016, 0x0017)), Stack({0x0303: BOTH, 0x0304: TLS13})
    facts, _ = read(lambda hello: (old if hello.version == 0x0301 else new)(hello))
    assert facts.groups[Protocol.TLS1_0] == Listing(("secp256k1", "secp256r1"), complete=True)
    assert facts.groups[Protocol.TLS1_2] == Listing(("x25519", "secp256r1"), complete=True)


@pytest.mark.parametrize("version", [0x0301, 0x0303, 0x0304])
def test_tells_that_the_clients_order_of_groups_decides(version: int) -> None:
    suites = TLS13 if version == 0x0304 else (0xC014, 0xC013)
    stack = Stack({version: suites}, groups=(0x001D, 0x0018, 0x0017), groups_by_client=True)
    facts, _ = read(stack)
    assert set(facts.group_order.values()) == {CipherOrder.CLIENT}


def test_one_group_has_no_order() -> None:
    facts, _ = read(Stack({0x0303: BOTH, 0x0304: TLS13}, groups=(0x0018,)))
    assert facts.groups[Protocol.TLS1_3] == Listing(("secp384r1",), complete=True)
    assert set(facts.group_order.values()) == {None}


def test_a_server_that_ignores_supported_groups_is_noted() -> None:
    def script(hello: Hello) -> Reply:
        if hello.version != 0x0303:
            return alert(70)
        suite = next((suite for suite in RSA_SUITES if suite in hello.suites), None)
        if suite is None:
            return alert(40)
        scheme = next((s for s in (0x0804, 0x0401) if s in hello.schemes), None)
        if scheme is None:
            return alert(40)
        flight = server_hello_message(0x0303, suite) + curve_message(0x0017, scheme) + message(14)
        return record(22, flight)

    facts, _ = read(script)
    assert facts.ignores_supported_groups is True
    assert facts.groups[Protocol.TLS1_2] == Listing(("secp256r1",), complete=False)
    facts, _ = read(Stack({0x0303: BOTH}))
    assert facts.ignores_supported_groups is False


def test_a_server_that_leaves_out_what_follows_its_hello_is_not_waited_for_each_time() -> None:
    def script(hello: Hello) -> Reply:
        if hello.version != 0x0303:
            return alert(70)
        suite = next((suite for suite in RSA_SUITES if suite in hello.suites), None)
        return alert(40) if suite is None else record(22, server_hello_message(0x0303, suite))

    loop_time = asyncio.run(_timed(script))
    assert loop_time.groups == {}
    assert loop_time.cipher_suites[Protocol.TLS1_2][0].startswith("TLS_ECDHE_RSA")
    assert Protocol.TLS1_2 not in loop_time.cipher_suites_incomplete


async def _timed(script: Script) -> HandshakeFacts:
    async with scripted_server(script) as seen, asyncio.timeout(20):  # six hellos with 4 s each would not fit
        facts, _ = await read_handshake(seen.port, timeout_seconds=4)
        return facts


def test_a_request_for_a_cookie_alone_tells_no_order_of_groups() -> None:
    """A stateless server sends a HelloRetryRequest for every first hello, even if the share is good."""
    stack = Stack({0x0304: TLS13})

    def script(hello: Hello) -> Reply:
        if not hello.key_shares or hello.version != 0x0304:
            return stack(hello)
        return record(22, server_hello_message(0x0304, TLS13[0], retry=True, group=hello.key_shares[0]))

    facts, _ = read(script)
    assert facts.groups[Protocol.TLS1_3] == Listing(("x25519", "secp256r1"), complete=True)
    assert facts.group_order[Protocol.TLS1_3] is None


# --- finite fields ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prime", "expected"),
    [(FFDHE2048, Prime(2048, "ffdhe2048")), ((1 << 1023) | 1, Prime(1024)), ((1 << 511) | 1, Prime(512))],
)
def test_tells_the_size_of_a_prime_and_whose_common_one_it_is(prime: int, expected: Prime) -> None:
    facts, _ = read(Stack({0x0303: (0x009E, 0x009F), 0x0301: (0x0033,)}, prime=prime))
    assert facts.dh_primes == (expected,)
    assert facts.groups == {}


class Shy(Stack):
    """It sends no ServerKeyExchange in one of its suites."""

    def _flight(self, hello: Hello, suite: int) -> bytes:
        if suite != 0x009F:
            return super()._flight(hello, suite)
        return record(22, server_hello_message(hello.version, suite) + message(14), hello.version)


def test_a_suite_that_shows_no_prime_is_named() -> None:
    facts, _ = read(Shy({0x0303: (0x009E, 0x009F), 0x0301: (0x0033,)}, prime=FFDHE2048))
    assert facts.dh_primes == (Prime(2048, "ffdhe2048"),)
    assert facts.unseen_dh_primes == {Protocol.TLS1_2: (suite_name(0x009F),)}
    assert facts.hides_prime(Protocol.TLS1_2, suite_name(0x009F))
    assert not facts.hides_prime(Protocol.TLS1_2, suite_name(0x009E))


def test_a_prime_of_an_anonymous_exchange_counts_too() -> None:
    facts, _ = read(Stack({0x0303: (0x00A6,)}, prime=FFDHE2048))
    assert facts.dh_primes == (Prime(2048, "ffdhe2048"),)
    assert facts.signature_schemes is None


# --- extensions -------------------------------------------------------------------------------------------------------

EXTENSIONS = {
    "secure_renegotiation": 0xFF01,
    "extended_master_secret": 23,
    "session_tickets": 35,
    "heartbeat": 15,
    "ocsp_stapling": 5,
    "encrypt_then_mac": 22,
}


@pytest.mark.parametrize(("name", "number"), EXTENSIONS.items())
def test_tells_what_the_server_has(name: str, number: int) -> None:
    suites = (*BOTH, 0xC028)  # encrypt-then-MAC is answered with suites in CBC mode only
    facts, seen = read(Stack({0x0303: suites}, answers=frozenset({number})))
    assert {name} == {one for one, has in facts.extensions.items() if has}
    assert facts.extensions[name] is True
    other, other_seen = read(Stack({0x0303: suites}, answers=frozenset(EXTENSIONS.values()) - {number}))
    assert other.extensions[name] is False
    assert seen.connections == other_seen.connections, "an extension costs no connection"


def test_encrypt_then_mac_does_not_apply_without_cbc() -> None:
    facts, _ = read(Stack({0x0303: BOTH}, answers=frozenset({22})))
    assert facts.extensions["encrypt_then_mac"] is None


def test_what_one_protocol_lacks_the_server_lacks() -> None:
    old, new = Stack({0x0301: (0xC014,)}, answers=frozenset()), Stack({0x0303: BOTH})
    facts, _ = read(lambda hello: (old if hello.version == 0x0301 else new)(hello))
    assert facts.extensions["secure_renegotiation"] is False
    assert facts.contradictions == ()


def test_extensions_of_a_server_with_tls13_only_are_not_known() -> None:
    facts, _ = read(Stack({0x0304: TLS13}))
    assert set(facts.extensions.values()) == {None}
    assert facts.alpn is None
    assert facts.signature_schemes is None


@pytest.mark.parametrize("knows", [True, False])
@pytest.mark.parametrize("accepted", [(0x0303, 0x0304), (0x0301, 0x0303)])
def test_tells_whether_a_fallback_is_refused(accepted: tuple[int, ...], *, knows: bool) -> None:
    suites = {0x0301: (0xC014,), 0x0303: BOTH, 0x0304: TLS13}
    facts, _ = read(Stack({version: suites[version] for version in accepted}, refuses_fallback=knows))
    assert facts.extensions["fallback_scsv"] is knows


def test_a_fallback_that_ends_in_another_version_tells_nothing() -> None:
    stack = Stack({0x0301: (0xC014,), 0x0303: (*BOTH, 0xC014), 0x0302: (0xC014,)})
    facts, _ = read(lambda hello: stack(replace(hello, version=0x0301) if hello.fallback else hello))
    assert facts.extensions["fallback_scsv"] is None


def test_there_is_no_fallback_without_an_older_version() -> None:
    facts, seen = read(Stack({0x0303: BOTH}, refuses_fallback=True))
    assert facts.extensions["fallback_scsv"] is None
    assert not any(hello.fallback for hello in seen.hellos)


@pytest.mark.parametrize(
    ("accepted", "random", "marked"),
    [
        ((0x0303, 0x0304), b"DOWNGRD\x01", True),
        ((0x0303, 0x0304), b"DOWNGRD\x00", False),
        ((0x0303, 0x0304), bytes(8), False),
        ((0x0302, 0x0303), b"DOWNGRD\x00", True),
        ((0x0302, 0x0303), bytes(8), False),
        ((0x0303,), bytes(8), None),
    ],
)
def test_tells_whether_older_answers_are_marked(accepted: tuple[int, ...], random: bytes, marked: bool | None) -> None:
    suites = {0x0302: (0xC014,), 0x0303: BOTH, 0x0304: TLS13}
    marking = Stack({version: suites[version] for version in accepted}, random=bytes(24) + random)
    plain = replace(marking, random=bytes(32))
    facts, _ = read(lambda hello: (plain if hello.version == max(accepted) else marking)(hello))
    assert facts.extensions["downgrade_marks"] is marked


def test_counts_connections_by_what_they_are_for() -> None:
    facts, seen = read(Stack({0x0303: BOTH, 0x0304: TLS13}, applications=("h2",)))
    assert sum(facts.hellos.values()) == seen.connections
    assert set(facts.hellos) == {"cipher_suites", "groups", "signature_schemes", "alpn", "fallback_scsv"}


# --- application protocols --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refuses", [True, False])
@pytest.mark.parametrize("names", [("h2", "http/1.1"), ("imap",), ()])
def test_names_the_application_protocols(names: tuple[str, ...], *, refuses: bool) -> None:
    facts, _ = read(Stack({0x0303: BOTH}, applications=names, refuses_applications=refuses))
    assert facts.alpn == Listing(names, complete=bool(names) or not refuses)
    assert facts.accepted == (Protocol.TLS1_2,)


def test_a_server_that_insists_on_a_protocol_nobody_knows_is_read_without() -> None:
    facts, _ = read(Stack({0x0303: BOTH, 0x0304: TLS13}, applications=("secret/1",), refuses_applications=True))
    assert facts.protocols[Protocol.TLS1_2] is True
    assert facts.alpn == Listing((), complete=False)


# --- signature schemes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_client", [True, False])
def test_names_the_signature_schemes_of_both_kinds_of_certificate(*, by_client: bool) -> None:
    schemes = (0x0804, 0x0403, 0x0201, 0x0601, 0x0303)
    facts, _ = read(Stack({0x0303: BOTH}, schemes=schemes, schemes_by_client=by_client))
    assert facts.signature_schemes is not None
    assert facts.signature_schemes.complete
    assert set(facts.signature_schemes.names) == {
        *("rsa_pss_rsae_sha256", "ecdsa_secp256r1_sha256", "rsa_pkcs1_sha1", "rsa_pkcs1_sha512", "ecdsa_sha224")
    }


def test_few_schemes_do_not_disturb_the_order_of_suites() -> None:
    """Leaving out what was seen hides the suites of a certificate with one scheme: they are gone through again."""
    suites = (0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC02B, 0xC02F)
    facts, _ = read(Stack({0x0303: suites}, schemes=(0x0403, 0x0804)))
    assert [name.split("_")[2] for name in facts.cipher_suites[Protocol.TLS1_2]] == ["ECDSA", "RSA"] * 3
    assert facts.cipher_order[Protocol.TLS1_2] is CipherOrder.SERVER
    assert not facts.cipher_suites_incomplete


# --- chains -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, ...]]:
    authority = Authority(tmp_path_factory.mktemp("authority"), datetime.now(UTC))
    keys: dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey] = {
        "RSA": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ECDSA": ec.generate_private_key(ec.SECP256R1()),
        "other": ec.generate_private_key(ec.SECP256R1()),
    }
    return {name: _der(authority.issue("www.test.example", key, f"{name}.pem")) for name, key in keys.items()}


def _der(file: Path) -> tuple[bytes, ...]:
    return tuple(one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(file.read_bytes()))


def test_keeps_the_chains_of_both_deployments(chains: dict[str, tuple[bytes, ...]]) -> None:
    facts, seen = read(Stack({0x0303: BOTH, 0x0302: (0xC014, 0xC00A)}, certificates=chains))
    found = {chain.key: chain for chain in facts.plain_chains}
    assert set(found) == {"RSA", "ECDSA P-256"}
    assert found["RSA"].certificates == chains["RSA"]
    assert found["ECDSA P-256"].protocols == (Protocol.TLS1_1, Protocol.TLS1_2)
    _, without = read(Stack({0x0303: BOTH, 0x0302: (0xC014, 0xC00A)}))
    assert seen.connections == without.connections, "a chain costs no connection"


def test_tells_the_kind_of_a_key(chains: dict[str, tuple[bytes, ...]]) -> None:
    assert key_kind(chains["RSA"][0]) == "RSA"
    assert key_kind(chains["ECDSA"][0]) == "ECDSA P-256"
    assert key_kind(b"no certificate") is None


def test_a_chain_that_cannot_be_read_is_kept() -> None:
    facts, _ = read(Stack({0x0303: RSA_SUITES}, certificates={"RSA": [b"no certificate"]}))
    assert [(chain.key, chain.certificates) for chain in facts.plain_chains] == [(None, (b"no certificate",))]


# --- several machines behind one address ------------------------------------------------------------------------------


class Balancer:
    """Gives each connection to the next machine."""

    def __init__(self, *machines: Script) -> None:
        self._machines = itertools.cycle(machines)

    def __call__(self, hello: Hello) -> Reply:
        return next(self._machines)(hello)


def test_one_machine_contradicts_nothing() -> None:
    facts, _ = read(Balancer(Stack({0x0303: BOTH}), Stack({0x0303: BOTH})))
    assert facts.contradictions == ()
    assert not facts.cipher_suites_incomplete


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (Stack({0x0303: RSA_ONLY}, answers=frozenset({0xFF01, 35})), "extended_master_secret"),
        (Stack({0x0303: RSA_ONLY}, random=bytes(24) + b"DOWNGRD\x00"), "downgrade mark"),
        (Stack({0x0302: (0xC014,)}), "protocol version"),
        (Stack({0x0303: tuple(reversed(RSA_ONLY))}), "cipher order"),
    ],
)
def test_machines_with_different_settings_are_told_as_such(other: Stack, what: str) -> None:
    facts, _ = read(Balancer(Stack({0x0303: RSA_ONLY}), other))
    assert any(what in text for text in facts.contradictions), facts
    assert Protocol.TLS1_2 in facts.cipher_suites_incomplete
    assert facts.signature_schemes is None or not facts.signature_schemes.complete
    assert facts.cipher_order[Protocol.TLS1_2] is None
    assert facts.extensions["extended_master_secret"] in {True, None}


def test_a_contradicted_extension_is_unknown() -> None:
    facts, _ = read(Balancer(Stack({0x0303: BOTH}), Stack({0x0303: BOTH}, answers=frozenset({0xFF01, 35}))))
    assert facts.extensions["extended_master_secret"] is None
    assert facts.extensions["session_tickets"] is True


def test_machines_with_different_certificates_are_told_as_such(chains: dict[str, tuple[bytes, ...]]) -> None:
    one = Stack({0x0303: (0xC02C, 0xC02B)}, certificates=chains)
    facts, _ = read(Balancer(one, replace(one, certificates={"ECDSA": chains["other"]})))
    assert "TLSv1.2: certificate" in facts.contradictions


# --- hellos that a server cannot handle -------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [End.CLOSE, End.RESET, End.SILENCE, alert(50)])
def test_reads_a_server_that_drops_hellos_with_a_server_name(end: Reply) -> None:
    stack = Stack({0x0303: BOTH, 0x0304: TLS13}, wrong_version=alert(70))
    facts, _ = read(lambda hello: end if hello.server_name else stack(hello), timeout_seconds=0.2)
    assert facts.accepted == (Protocol.TLS1_2, Protocol.TLS1_3)
    assert any("a server name" in note for note in facts.notes)


@pytest.mark.parametrize("end", [End.CLOSE, End.RESET, End.SILENCE, alert(47)])
def test_reads_a_server_that_drops_hellos_with_extensions_it_does_not_know(end: Reply) -> None:
    stack = Stack({0x0303: BOTH, 0x0304: TLS13})
    unknown = {22, 15, 16}
    facts, _ = read(lambda hello: end if unknown & set(hello.extensions) else stack(hello), timeout_seconds=0.2)
    assert facts.accepted == (Protocol.TLS1_2, Protocol.TLS1_3)
    assert not facts.cipher_suites_incomplete
    assert facts.extensions["heartbeat"] is None
    assert facts.alpn is None


def test_a_server_that_refuses_an_empty_last_extension_is_read() -> None:
    stack = Stack({0x0301: (0xC014,), 0x0303: BOTH, 0x0304: TLS13})

    def script(hello: Hello) -> Reply:
        return End.CLOSE if hello.extensions and not list(hello.extensions.values())[-1] else stack(hello)

    facts, _ = read(script)
    assert facts.accepted == (Protocol.TLS1_0, Protocol.TLS1_2, Protocol.TLS1_3)


@pytest.mark.parametrize("length", range(256, 512, 5))
def test_a_server_that_hangs_on_certain_lengths_is_read_with_any_name(length: int) -> None:
    stack = Stack({0x0303: BOTH, 0x0304: TLS13})
    name = f"{'a' * (length % 60 + 1)}.example"
    facts, _ = read(
        lambda hello: End.SILENCE if 256 <= hello.length < 512 and hello.version > 0x0300 else stack(hello),
        server_name=name,
        timeout_seconds=0.2,
    )
    assert facts.accepted == (Protocol.TLS1_2, Protocol.TLS1_3)


def test_a_server_that_wants_a_name_and_gets_none_says_so() -> None:
    stack = Stack({0x0303: BOTH, 0x0304: TLS13})

    def script(hello: Hello) -> Reply:
        return stack(hello) if hello.server_name == "www.test.example" else alert(112)

    facts, _ = read(script)
    assert facts.accepted == (Protocol.TLS1_2, Protocol.TLS1_3)
    assert None not in facts.protocols.values(), "SSL 2 and SSL 3 cannot carry a name: told apart by the proof"
    with pytest.raises(ProbeError, match="wants a server_name") as caught:
        read(script, host="127.0.0.1", server_name=None)
    assert caught.value.reason is Reason.HANDSHAKE_ERROR
    with pytest.raises(ProbeError, match=r"does not know the name other\.example"):
        read(script, server_name="other.example")


def test_a_suite_that_the_server_chooses_and_cannot_go_on_with_is_not_accepted() -> None:
    stack = Stack({0x0303: BOTH})

    def script(hello: Hello) -> Reply:
        if hello.version == 0x0303 and 0xC030 in hello.suites:
            return record(22, server_hello_message(0x0303, 0xC030)) + alert(80)
        return stack(hello)

    facts, _ = read(script)
    assert "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" not in facts.cipher_suites[Protocol.TLS1_2]
    assert len(facts.cipher_suites[Protocol.TLS1_2]) == 3
    assert Protocol.TLS1_2 in facts.cipher_suites_incomplete


def test_a_tls13_server_that_refuses_what_it_does_not_know_is_accepted_and_not_called_whole() -> None:
    stack = Stack({0x0303: BOTH, 0x0304: TLS13})
    known = {0x001D, 0x0017, 0x0018, 0x0019, 0x001E}

    def script(hello: Hello) -> Reply:
        return alert(47) if hello.version == 0x0304 and not set(hello.groups) <= known else stack(hello)

    facts, _ = read(script)
    assert facts.protocols[Protocol.TLS1_3] is True
    assert Protocol.TLS1_3 in facts.cipher_suites_incomplete
    assert facts.post_quantum is None


def test_the_older_curves_are_not_offered_in_tls13() -> None:
    """RFC 8446, 4.2.7."""
    _, seen = read(Stack({0x0303: BOTH, 0x0304: TLS13}))
    obsolete = {*range(0x0001, 0x0017), *range(0x001A, 0x001D)}
    assert not any(obsolete & set(hello.groups) for hello in seen.hellos if hello.version == 0x0304)


@dataclass(frozen=True)
class NeedsCurve:
    """OpenSSL: an ECDSA certificate is used only where the curve of its key is offered."""

    stack: Stack
    curve: int

    def __call__(self, hello: Hello) -> Reply:
        if hello.version == 0x0303 and self.curve not in hello.groups:
            suites = tuple(suite for suite in hello.suites if "_ECDSA_" not in suite_name(suite))
            return self.stack(replace(hello, suites=suites))
        return self.stack(hello)


@pytest.mark.parametrize("by_client", [True, False])
@pytest.mark.parametrize("suites", [(0xC02C, 0xC02B), BOTH])
def test_finds_the_groups_of_a_server_that_needs_the_curve_of_its_certificate(
    suites: tuple[int, ...], chains: dict[str, tuple[bytes, ...]], *, by_client: bool
) -> None:
    groups = (0x001D, 0x0017, 0x0018, 0x0016)
    stack = Stack({0x0303: suites}, groups=groups, groups_by_client=by_client, certificates=chains)
    facts, _ = read(NeedsCurve(stack, 0x0017))
    listing = facts.groups[Protocol.TLS1_2]
    assert listing.complete
    # With its own order and the one certificate it never takes what it likes less than the certificate's curve.
    reachable = groups if by_client or suites == BOTH else groups[:2]
    assert set(listing.names) == set(map(group_name, reachable))


def test_a_signature_refused_behind_the_hello_is_a_refusal() -> None:
    """Go sends its ServerHello before it looks for a signature scheme."""
    stack = Stack({0x0303: BOTH}, schemes=(0x0403, 0x0804, 0x0805))

    def script(hello: Hello) -> Reply:
        if hello.version == 0x0303 and not set(hello.schemes) & set(stack.schemes):
            suite = next((suite for suite in BOTH if suite in hello.suites), None)
            return alert(40) if suite is None else record(22, server_hello_message(0x0303, suite)) + alert(40)
        return stack(hello)

    facts, _ = read(script)
    assert facts.signature_schemes == Listing(
        ("ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384"), complete=True
    )
    assert facts.contradictions == ()
    assert not facts.cipher_suites_incomplete


@pytest.mark.parametrize("accepted", [{0x0303: BOTH}, {0x0303: BOTH, 0x0304: TLS13}])
def test_a_server_that_ends_everything_for_want_of_an_application_protocol_is_let_be(
    accepted: dict[int, tuple[int, ...]],
) -> None:
    seen: list[Hello] = []

    def script(hello: Hello) -> Reply:
        seen.append(hello)
        return alert(120)

    with pytest.raises(ProbeError):
        read(script)
    assert len(seen) < 60


@pytest.mark.parametrize("name", [b"\xda\xda", b"x" * 300, b""])
def test_a_name_that_was_not_offered_is_not_taken_in(name: bytes) -> None:
    def script(hello: Hello) -> Reply:
        suite = next((suite for suite in RSA_SUITES if suite in hello.suites), None)
        if hello.version != 0x0303 or suite is None:
            return alert(40)
        answer = extension(16, (len(name) + 1).to_bytes(2, "big") + bytes([len(name) & 0xFF]) + name)
        first = server_hello_message(0x0303, suite, extensions=answer)
        return record(22, first + curve_message(0x001D, 0x0804) + message(14))

    facts, _ = read(script)
    assert facts.alpn == Listing((), complete=True)


@pytest.mark.parametrize("version", [0x0303, 0x0304])
def test_a_server_that_names_a_new_group_each_time_comes_to_an_end(version: int) -> None:
    groups = itertools.count(0x4000)

    def script(hello: Hello) -> Reply:
        known = TLS13 if version == 0x0304 else RSA_SUITES
        suite = next((suite for suite in known if suite in hello.suites), None)
        if hello.version != version or suite is None:
            return alert(40)
        if version == 0x0304:
            return record(22, server_hello_message(version, suite, retry=True, group=next(groups)))
        return record(
            22, server_hello_message(version, suite) + curve_message(next(groups), next(groups)) + message(14)
        )

    facts, seen = read(script)
    assert seen.connections < 42
    assert facts.ignores_supported_groups is True


def test_a_server_with_its_own_small_prime_is_told_by_it() -> None:
    """RFC 7919, 4: offered a finite field of the registry, it would take that, or no such suite at all."""

    def script(hello: Hello) -> Reply:
        assert not any(0x0100 <= group < 0x0200 for group in hello.groups) or hello.version == 0x0304
        return Stack({0x0303: (0x009E, 0xC02F)}, prime=(1 << 1023) | 1)(hello)

    facts, _ = read(script)
    assert facts.dh_primes == (Prime(1024),)
    assert len(facts.cipher_suites[Protocol.TLS1_2]) == 2


def test_tls13_is_unknown_where_a_mark_speaks_for_it() -> None:
    """A server that wants a pre-shared key refuses our hellos in TLS 1.3."""
    facts, _ = read(Stack({0x0303: BOTH}, random=bytes(24) + b"DOWNGRD\x01"))
    assert facts.protocols[Protocol.TLS1_3] is None
    assert facts.post_quantum is None
    assert facts.extensions["downgrade_marks"] is None


def test_suites_that_alternate_between_certificates_hide_no_scheme() -> None:
    suites = (0xC030, 0xC02C, 0xC02F, 0xC02B)
    schemes = (0x0804, 0x0403, 0x0503, 0x0603, 0x0303, 0x0401)

    def script(hello: Hello) -> Reply:
        if hello.version == 0x0303 and not any(scheme_fits(s, "RSA") for s in set(hello.schemes) & set(schemes)):
            rsa_offered = set(hello.suites) & {0xC030, 0xC02F}
            return alert(40) if rsa_offered else Stack({0x0303: suites}, schemes=schemes)(hello)
        return Stack({0x0303: suites}, schemes=schemes)(hello)

    facts, _ = read(script)
    assert facts.signature_schemes is not None
    assert set(facts.signature_schemes.names) == set(map(scheme_name, schemes))
    assert facts.signature_schemes.complete


def test_the_version_refused_for_want_of_a_group_takes_a_proof() -> None:
    """Where the server has the version, that may be the word of another machine, and none of the groups."""
    stack, count = Stack({0x0303: RSA_ONLY}, groups=(0x001D, 0x0017, 0x0019)), itertools.count()

    def script(hello: Hello) -> Reply:
        limited = hello.version == 0x0303 and not {0x001D, 0x0017} & set(hello.groups)
        return alert(70) if limited and next(count) < 2 else stack(hello)

    facts, _ = read(script)
    assert not facts.groups[Protocol.TLS1_2].complete


def test_resets_for_want_of_a_scheme_hide_no_suite() -> None:
    suites = (0xC030, 0xC02F, 0xC028, 0xC027, 0xC014, 0xC013)
    stack = Stack({0x0303: suites}, schemes=(0x0804,))
    facts, _ = read(
        lambda hello: End.RESET if hello.version == 0x0303 and 0x0804 not in hello.schemes else stack(hello)
    )
    assert set(facts.cipher_suites[Protocol.TLS1_2]) == set(map(suite_name, suites))
    assert Protocol.TLS1_2 not in facts.cipher_suites_incomplete


def test_a_suite_that_was_refused_and_is_taken_later_is_a_contradiction() -> None:
    weak = Stack({0x0303: (0x0005, *RSA_ONLY)})
    strict, count = Stack({0x0303: RSA_ONLY}), itertools.count()

    def script(hello: Hello) -> Reply:
        last = set(hello.suites) >= {0x0005, *RSA_ONLY} and next(count) > 0
        return weak(hello) if last and hello.version == 0x0303 else strict(hello)

    facts, _ = read(script)
    assert "TLSv1.2: cipher suites" in facts.contradictions
    assert Protocol.TLS1_2 in facts.cipher_suites_incomplete
