"""The vulnerable servers of the tests: sslyze's own command line says of each what it was made for."""

import asyncio
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.plain import plain_server
from tests.support.servers import HOST, Pki, make_pki
from tests.support.vulnerable import HAS, HAS_NOT, HOSTILE, SPITEFUL, VARIANTS

pytestmark = pytest.mark.real

Results = Mapping[str, Any]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


def sslyze(port: int, folder: Path, command: str, *, seconds: float = 60, starttls: str | None = None) -> Results:
    """What one of its scan commands found, by the names of its JSON."""
    report = folder / f"{command}.json"
    dialogue = [f"--starttls={starttls}"] if starttls else []
    options = ["--mozilla_config=disable", "--quiet", f"--json_out={report}", f"--{command}", *dialogue]
    place = [f"--sni={HOST}", f"127.0.0.1:{port}"]
    done = subprocess.run(
        [sys.executable, "-m", "sslyze", *options, *place], capture_output=True, timeout=seconds, check=False
    )
    assert report.exists(), done.stderr.decode()
    (server,) = json.loads(report.read_text())["server_scan_results"]
    assert server["scan_result"], server["connectivity_error_trace"]
    return {name: attempt["result"] for name, attempt in server["scan_result"].items() if attempt["result"]}


def suites(results: Results, version: str) -> list[str]:
    return [found["cipher_suite"]["name"] for found in results[f"{version}_cipher_suites"]["accepted_cipher_suites"]]


def primes(results: Results) -> list[int]:
    keys = [found["ephemeral_key"] for found in results["tls_1_0_cipher_suites"]["accepted_cipher_suites"]]
    return [key["size"] for key in keys if key and key["type_name"] == "DH"]


def has_suite(version: str, *parts: str) -> Callable[[Results], bool]:
    return lambda results: any(all(part in name for part in parts) for name in suites(results, version))


SAYS: Mapping[str, tuple[str, Callable[[Results], bool]]] = {
    "heartbleed": ("heartbleed", lambda found: found["heartbleed"]["is_vulnerable_to_heartbleed"]),
    "ccs_injection": (
        "openssl_ccs",
        lambda found: found["openssl_ccs_injection"]["is_vulnerable_to_ccs_injection"],
    ),
    "robot": ("robot", lambda found: found["robot"]["robot_result"].startswith("VULNERABLE")),
    "crime": ("compression", lambda found: found["tls_compression"]["supports_compression"]),
    "freak": ("tlsv1", has_suite("tls_1_0", "TLS_RSA_EXPORT_")),
    "logjam": ("tlsv1", lambda found: bool(primes(found)) and min(primes(found)) < 1024),
    "drown": ("sslv2", has_suite("ssl_2_0")),
    "poodle": ("sslv3", has_suite("ssl_3_0", "_CBC_")),
    "beast": ("tlsv1", has_suite("tls_1_0", "_CBC_")),
    "sweet32": ("tlsv1", has_suite("tls_1_0", "3DES")),
    "rc4": ("tlsv1", has_suite("tls_1_0", "RC4")),
    "insecure_renegotiation": (
        "reneg",
        lambda found: not found["session_renegotiation"]["supports_secure_renegotiation"],
    ),
    "client_renegotiation": (
        "reneg",
        lambda found: found["session_renegotiation"]["is_vulnerable_to_client_renegotiation_dos"],
    ),
}
"""Attack -> the command that tells, and what it says of a server that has it."""


def test_every_attack_has_both_servers() -> None:
    assert set(SAYS) == set(HAS) == set(HAS_NOT)


@pytest.mark.parametrize("attack", SAYS)
def test_the_server_that_has_it_has_it(attack: str, pki: Pki, tmp_path: Path) -> None:
    command, has = SAYS[attack]
    with HAS[attack](tmp_path, pki) as port:
        assert has(sslyze(port, tmp_path, command))


@pytest.mark.parametrize("attack", SAYS)
def test_the_server_that_has_it_not_has_it_not(attack: str, pki: Pki, tmp_path: Path) -> None:
    command, has = SAYS[attack]
    with HAS_NOT[attack](tmp_path, pki) as port:
        assert not has(sslyze(port, tmp_path, command))


def test_sslv3_without_cbc_is_still_sslv3(pki: Pki, tmp_path: Path) -> None:
    """So that the server without POODLE is a server with SSL 3."""
    with HAS_NOT["poodle"](tmp_path, pki) as port:
        assert suites(sslyze(port, tmp_path, "sslv3"), "ssl_3_0") == ["TLS_RSA_WITH_RC4_128_SHA"]


def renegotiations(found: Results) -> tuple[bool, int]:
    result = found["session_renegotiation"]
    return result["is_vulnerable_to_client_renegotiation_dos"], result["client_renegotiations_success_count"]


def robot(found: Results) -> str:
    return str(found["robot"]["robot_result"])


TELLS_APART: Mapping[str, tuple[str, Callable[[Results], Any], Any]] = {
    # sslyze knows this bug by bad_record_mac alone, which OpenSSL 1.0.1 answered only with AEAD suites or long records:
    # a server that has it and no such suite passes for good. testssl.sh finds both.
    "CCS injection with CBC": ("openssl_ccs", SAYS["ccs_injection"][1], False),
    "CCS injection with RC4": ("openssl_ccs", SAYS["ccs_injection"][1], False),
    "weak oracle": ("robot", robot, "VULNERABLE_WEAK_ORACLE"),
    "oracle that depends on nothing": ("robot", robot, "UNKNOWN_INCONSISTENT_RESULTS"),
    "no RSA key exchange": ("robot", robot, "NOT_VULNERABLE_RSA_NOT_SUPPORTED"),
    # Its OpenSSL refuses such a prime, so that it takes the suite for one that the server refuses. testssl.sh finds it.
    "Logjam without an export suite": ("tlsv1", primes, []),
    "Logjam by a common prime": ("tlsv1", primes, [1024]),
    "BEAST without CBC": ("tlsv1", lambda found: suites(found, "tls_1_0"), ["TLS_RSA_WITH_RC4_128_SHA"]),
    "no renegotiation that closes": ("reneg", renegotiations, (False, 0)),
    "three renegotiations, then closes": ("reneg", renegotiations, (False, 3)),
    "renegotiation by OpenSSL 1.0.2": ("reneg", renegotiations, (True, 10)),
    "no renegotiation by Apache": ("reneg", renegotiations, (False, 0)),
    "no renegotiation by OpenSSL 3": ("reneg", renegotiations, (False, 0)),
    "neither RFC 5746 nor renegotiation": ("reneg", renegotiations, (False, 0)),
    "only TLS 1.3": ("reneg", renegotiations, (False, 0)),
}


def test_every_variant_is_asked() -> None:
    assert set(TELLS_APART) == set(VARIANTS)


@pytest.mark.parametrize("name", TELLS_APART)
def test_sslyze_tells_the_variants_apart(name: str, pki: Pki, tmp_path: Path) -> None:
    command, read, expected = TELLS_APART[name]
    with VARIANTS[name](tmp_path, pki) as port:
        assert read(sslyze(port, tmp_path, command)) == expected


# --- hostile servers ----------------------------------------------------------------------------------------------


def client() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA")
    return context


def client_hello() -> bytes:
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        client().wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    return outgoing.read()


def receive(raw: socket.socket) -> bytes:
    try:
        return raw.recv(65536)
    except TimeoutError:
        return b""


@pytest.mark.parametrize("name", SPITEFUL)
def test_a_spiteful_server_is_good_to_a_client_and_bad_to_a_tester(name: str, pki: Pki, tmp_path: Path) -> None:
    with SPITEFUL[name](tmp_path, pki) as port:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as raw,
            client().wrap_socket(raw) as connection,
        ):
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
            raw.sendall(client_hello())
            flight = b""
            while not flight.endswith(b"\x0e\x00\x00\x00"):  # ServerHelloDone
                flight += raw.recv(65536)
            raw.sendall(b"\x18\x03\x03\x00\x03\x01\x40\x00")
            raw.settimeout(0.5)
            answer = receive(raw)
    expected = {"silent": b"", "drip": b"\x16", "flood": b"\x16\x03\x03\x00\x04", "garbage": b"\x63\x63\x63"}[name]
    assert answer.startswith(expected)
    assert len(answer) <= 1 or name in {"flood", "garbage"}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_handshake_with_a_hostile_server_ends_well(name: str) -> None:
    def shake(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5) as raw, client().wrap_socket(raw):
            pass

    async def run() -> None:
        async with plain_server(HOSTILE[name]) as port:
            with pytest.raises((ssl.SSLError, TimeoutError, ConnectionError)):
                await asyncio.to_thread(shake, port)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "starttls"), [("SMTP banner of invalid UTF-8", "smtp"), ("RDP reply of no length", "rdp")]
)
def test_sslyze_never_comes_to_an_end(name: str, starttls: str, tmp_path: Path) -> None:
    """Why it must run where it can be killed: the thread of its connectivity test dies, and the rest waits for it."""

    async def run() -> None:
        async with plain_server(HOSTILE[name]) as port:
            with pytest.raises(subprocess.TimeoutExpired):
                await asyncio.to_thread(sslyze, port, tmp_path, "heartbleed", seconds=5, starttls=starttls)

    asyncio.run(run())
