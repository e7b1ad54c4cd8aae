"""What is simulated of clients happens: hellos of every client of the table, and real clients, put to real servers."""

import asyncio
import os
import re
import socket
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread

import pytest
from cryptography.hazmat.primitives.asymmetric import mldsa
from OpenSSL import SSL

from exporter.clients.files import shipped_clients
from exporter.facts.certificate import CertificateFacts
from exporter.facts.handshake import HandshakeFacts
from exporter.model import Protocol
from exporter.scan import scan
from exporter.simulation.connect import SimulatedConnection, connect
from exporter.simulation.terms import Obstacle, SimulatedServer
from exporter.tls.suites import BY_OPENSSL_NAME
from tests.support.certificates import dns, issue, pem_file
from tests.support.client_hellos import Agreed, ask
from tests.support.processes import find_program, openssl_version
from tests.support.servers import HOST, SEED_NGINX, Pki, apache, make_pki, nginx
from tests.support.stacks import gnutls, openssl_server
from tests.support.targets import make_environment, make_target
from tests.support.vulnerable import FFDHE_2048, Start, old_openssl
from tools.capture_client import capture, described

pytestmark = pytest.mark.real

CLIENTS = shipped_clients().clients
ML_DSA_65 = 0x0905

OLD_NGINX = """
    ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on;
    ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-SHA:AES128-GCM-SHA256:AES128-SHA:AES256-SHA:@SECLEVEL=0;
"""  # noqa: E501 - one line in nginx.conf
"""For old browsers too."""
CURVES = "ssl_ecdh_curve X25519:prime256v1:X448:secp521r1:secp384r1;"
"""What OpenSSL 3.0 has by default. Since 3.5 it has ML-KEM first, and of a server's order only the first is certain."""
APACHE = """SSLOpenSSLConfCmd Groups X25519:P-256:X448:P-521:P-384
SSLProtocol -all +TLSv1.2 +TLSv1.3
SSLHonorCipherOrder off
SSLCipherSuite HIGH:!aNULL"""
VERSIONS = ("TLS1", "TLS1.2")
DHE_SUITES = "DHE-RSA-AES128-SHA:DHE-RSA-AES256-SHA:RC4-SHA:DES-CBC3-SHA"

SHARES_UNKNOWN = {"android-15", "chromium-137", "edge-133", "firefox-137", "openssl-3.5", "safari-26"}
"""They offer ML-KEM first, and it is not known what else they send key shares for: which group they get from a server
without it is not told."""
NIST_FIRST = {"gnutls-3.7"}
"""Sends shares for secp256r1 and x25519 in this order, which servers with an order of their own may turn round."""


TLS1_0_ALONE = {
    *("android-2.3.7", "android-4.0.4", "android-4.1.1", "android-4.2.2", "android-4.3", "ie-7-vista", "ie-8-xp"),
    *("ie-8-win7", "safari-5.1-osx", "java-7u25", "openssl-0.9.8y"),
}
"""Clients whose newest version is TLS 1.0."""
WITHOUT_DHE = {name for name, one in CLIENTS.items() if not {0x0033, 0x0039, 0x0005, 0x000A} & set(one.suites)}
"""Clients that have none of `DHE_SUITES`."""
WITH_ML_DSA = {name for name, one in CLIENTS.items() if ML_DSA_65 in (one.schemes or ())}
WITHOUT_TLS1_3 = {name for name, one in CLIENTS.items() if Protocol.TLS1_3 not in one.protocols}


@dataclass(frozen=True)
class Case:
    """A real server, and what is to come of the clients.

    Attributes:
        refused: by the server.
        group_not_told: clients that get a group which the simulation leaves open.
        told_since_3_5: those of them of which it does not with OpenSSL 3.5, which goes by the client's order of groups.
    """

    start: Start
    refused: set[str]
    group_not_told: set[str]
    told_since_3_5: frozenset[str] = frozenset()


SERVERS: Mapping[str, Case] = {
    "nginx by the checklist": Case(
        lambda folder, pki: nginx(folder, f"{SEED_NGINX} {CURVES}", [pki.ecdsa, pki.rsa]),
        TLS1_0_ALONE,
        SHARES_UNKNOWN | NIST_FIRST,
    ),
    "nginx for old browsers": Case(
        lambda folder, pki: nginx(folder, OLD_NGINX + CURVES, [pki.rsa]), {"ie-8-xp"}, SHARES_UNKNOWN | NIST_FIRST
    ),
    "Apache by the client's order": Case(
        lambda folder, pki: apache(folder, APACHE, [pki.rsa]),
        TLS1_0_ALONE,
        SHARES_UNKNOWN | NIST_FIRST,
        told_since_3_5=frozenset(NIST_FIRST),
    ),
    "OpenSSL with TLS 1.3 alone": Case(
        lambda folder, pki: openssl_server(folder, pki.ecdsa, "-tls1_3", "-groups", "P-384:X25519"),
        WITHOUT_TLS1_3,
        SHARES_UNKNOWN,
    ),
    "GnuTLS": Case(lambda folder, pki: gnutls(folder, pki.rsa, "NORMAL"), {"ie-8-xp"}, SHARES_UNKNOWN),
    "OpenSSL 1.0.2 with DHE": Case(
        lambda folder, pki: old_openssl(folder, pki.rsa, versions=VERSIONS, suites=DHE_SUITES, prime=FFDHE_2048),
        WITHOUT_DHE,
        set(),
    ),
}


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


def scanned(port: int) -> SimulatedServer:
    """What a scan finds of the server on this port."""
    result = asyncio.run(scan(make_target(port, timeout_seconds=10.0), make_environment()))
    handshake = result.facts.get(HandshakeFacts)
    assert handshake is not None, result.failures
    return SimulatedServer(handshake, result.facts.get(CertificateFacts), named=True)


@contextmanager
def ml_dsa_server(folder: Path) -> Iterator[int]:
    """OpenSSL with a certificate for ML-DSA-65 alone: the one in cryptography, since Debian's is older."""
    key = mldsa.MLDSA65PrivateKey.generate()
    one = issue(HOST, names=dns(HOST), key=key)  # type: ignore[arg-type] # the others are classic keys
    context = SSL.Context(SSL.TLS_METHOD)
    context.use_certificate_file(str(pem_file(folder / "certificate.pem", one)))
    # In a file of its own: behind a certificate OpenSSL finds no key where an error of something else is in the queue.
    context.use_privatekey_file(str(pem_file(folder / "key.pem", key=one)))

    def serve(connection: socket.socket) -> None:
        with connection, suppress(SSL.Error):
            tls = SSL.Connection(context, connection)
            tls.set_accept_state()
            tls.do_handshake()
            tls.shutdown()

    def accept() -> None:
        with suppress(OSError):  # it was closed
            while True:
                Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=accept, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def test_clients_without_ml_dsa_cannot_connect_to_a_server_with_that_alone(tmp_path: Path) -> None:
    with ml_dsa_server(tmp_path) as port:
        server = scanned(port)
        answered = ask(port, list(CLIENTS.values()))
    found = {name: connect(one, server) for name, one in CLIENTS.items()}
    assert {name for name, one in found.items() if one.connects} == WITH_ML_DSA
    assert {name for name, one in found.items() if one.connects is None} == set()
    assert {name for name, one in answered.items() if one is not None} == WITH_ML_DSA


def told(found: SimulatedConnection) -> Agreed | None:
    """What the server is to answer; None for a refusal."""
    if found.cipher_suite is None:
        assert found.connects is False
        return None
    assert found.protocol is not None
    assert found.connects or found.reason in {Obstacle.NO_SNI, Obstacle.DH_TOO_LARGE, Obstacle.DH_TOO_SMALL}
    return Agreed(found.protocol, found.cipher_suite, found.group)


@pytest.mark.parametrize("case", SERVERS.values(), ids=SERVERS)
def test_servers_answer_the_hello_of_each_client_as_simulated(tmp_path: Path, pki: Pki, case: Case) -> None:
    """Version, suite and group, or a refusal, of every client of the table."""
    with case.start(tmp_path, pki) as port:
        server = scanned(port)
        answered = ask(port, list(CLIENTS.values()))
    found = {name: connect(one, server) for name, one in CLIENTS.items()}
    simulated = {name: told(one) for name, one in found.items()}
    left_open = {name for name, one in simulated.items() if one and one.group is None and _group(answered[name])}
    told_now = case.told_since_3_5 if openssl_version() >= (3, 5) else frozenset()
    assert left_open == case.group_not_told - told_now
    assert {name for name, one in found.items() if told(one) is None} == case.refused
    assert simulated == {
        name: replace(one, group=None) if one and name in left_open else one for name, one in answered.items()
    }


def _group(agreed: Agreed | None) -> str | None:
    return agreed.group if agreed else None


def test_java_7_is_offered_a_prime_that_it_cannot_take(tmp_path: Path, pki: Pki) -> None:
    """The server agrees; that the client then gives up is a limit of its own."""
    der = bytes.fromhex(f"308201080282010100{FFDHE_2048}020102")  # PKCS #3, 9: DHParameter of prime and base
    file = tmp_path / "dh.pem"
    file.write_text(f"-----BEGIN DH PARAMETERS-----\n{b64encode(der).decode()}\n-----END DH PARAMETERS-----\n")
    suites = f"ssl_ciphers DHE-RSA-AES128-SHA:@SECLEVEL=0; ssl_dhparam {file};"
    with nginx(tmp_path, f"ssl_protocols TLSv1; {suites}", [pki.rsa]) as port:
        server = scanned(port)
        answered = ask(port, [CLIENTS["java-7u25"]])["java-7u25"]
    found = connect(CLIENTS["java-7u25"], server)
    assert (found.connects, found.reason) == (False, Obstacle.DH_TOO_LARGE)
    assert answered == Agreed(Protocol.TLS1_0, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", None) == told(found)


# --- real clients -----------------------------------------------------------------------------------------------------

PYTHON = """
import socket, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as raw:
    with context.wrap_socket(raw, server_hostname="www.test.example") as connection:
        print("Protocol version:", connection.version())
        print("Ciphersuite:", connection.cipher()[0])
"""
IDENTITY = """
import ssl, sys, sysconfig
suites = {1: "", 2: "-debian"}[sysconfig.get_config_var("PY_SSL_DEFAULT_CIPHERS")]
print("python-%d.%d%s" % (*sys.version_info[:2], suites), "openssl-%d.%d" % ssl.OPENSSL_VERSION_INFO[:2])
"""
"""Prints the client that an interpreter is, and its OpenSSL. The build decides: by Python's own suites and versions,
or by OpenSSL's (configure --with-ssl-default-suites), as Debian has it."""
OPENSSL_OF = {
    "python-3.11": "openssl-3.0",
    "python-3.11-debian": "openssl-3.0",
    "python-3.13-debian": "openssl-3.5",
}
"""Pythons of the table -> the OpenSSL that their entries are with."""


def _interpreters() -> set[str]:
    """Every Python of this machine: the one of the tests, and those on the path."""
    folders = [Path(folder) for folder in [*os.get_exec_path(), "/usr/bin"]]
    on_path = {
        str(file) for folder in folders for file in folder.glob("python3*") if re.search(r"3(\.\d+)?$", file.name)
    }
    return {sys.executable, *on_path}


def _first_line(*command: str) -> str:
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        return done.stdout.partition("\n")[0]
    return ""


def real_clients() -> dict[str, list[str]]:
    """Id of a client that this machine has -> the command that makes it connect."""
    openssl = [find_program("openssl"), "s_client", "-brief", "-connect", "127.0.0.1:{port}", "-servername", HOST]
    commands = {"openssl-{}.{}".format(*openssl_version()): openssl}
    for interpreter in sorted(_interpreters()):
        identity = _first_line(interpreter, "-c", IDENTITY).split()
        if identity and OPENSSL_OF.get(identity[0]) == identity[1]:
            commands[identity[0]] = [interpreter, "-c", PYTHON, "{port}"]
    return commands


def _nginx(protocols: str, suites: str) -> Start:
    directives = f"ssl_protocols {protocols}; ssl_prefer_server_ciphers on; ssl_ciphers {suites}:@SECLEVEL=0;"
    return lambda folder, pki: nginx(folder, directives, [pki.rsa])


FRONTS: Mapping[str, Start] = {
    "by the checklist": lambda folder, pki: nginx(folder, SEED_NGINX, [pki.ecdsa, pki.rsa]),
    "TLS 1.2 of the client's choice": lambda folder, pki: apache(folder, APACHE.replace(" +TLSv1.3", ""), [pki.rsa]),
    "TLS 1.0 with signatures": _nginx("TLSv1", "ECDHE-RSA-AES128-SHA:AES128-SHA"),
    "TLS 1.0 without": _nginx("TLSv1", "AES128-SHA"),
    "no secure renegotiation": lambda folder, pki: gnutls(
        folder, pki.rsa, "NORMAL:-VERS-ALL:+VERS-TLS1.2:%DISABLE_SAFE_RENEGOTIATION"
    ),
    "no forward secrecy": _nginx("TLSv1.2", "AES128-GCM-SHA256:AES128-SHA"),
}
COMES_OF = {
    ("openssl-3.0", "TLS 1.0 with signatures"): Obstacle.SHA1_SIGNATURE,
    ("openssl-3.0", "no secure renegotiation"): Obstacle.NO_SECURE_RENEGOTIATION,
    ("openssl-3.5", "TLS 1.0 with signatures"): Obstacle.NO_COMMON_PROTOCOL,
    ("openssl-3.5", "TLS 1.0 without"): Obstacle.NO_COMMON_PROTOCOL,
    ("openssl-3.5", "no secure renegotiation"): Obstacle.NO_SECURE_RENEGOTIATION,
    ("python-3.11", "TLS 1.0 with signatures"): Obstacle.NO_COMMON_PROTOCOL,
    ("python-3.11", "TLS 1.0 without"): Obstacle.NO_COMMON_PROTOCOL,
    ("python-3.11", "no secure renegotiation"): Obstacle.NO_SECURE_RENEGOTIATION,
    ("python-3.11", "no forward secrecy"): Obstacle.NO_COMMON_SUITE,
    ("python-3.11-debian", "TLS 1.0 with signatures"): Obstacle.SHA1_SIGNATURE,
    ("python-3.11-debian", "no secure renegotiation"): Obstacle.NO_SECURE_RENEGOTIATION,
    ("python-3.13-debian", "TLS 1.0 with signatures"): Obstacle.NO_COMMON_PROTOCOL,
    ("python-3.13-debian", "TLS 1.0 without"): Obstacle.NO_COMMON_PROTOCOL,
    ("python-3.13-debian", "no secure renegotiation"): Obstacle.NO_SECURE_RENEGOTIATION,
}
"""Where they cannot connect, and why."""


def connected(template: list[str], port: int) -> tuple[Protocol, str] | None:
    """Version and suite on which the real client agreed with the server on this port; None where it did not connect."""
    command = [word.replace("{port}", str(port)) for word in template]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=20, check=False)
    text = (done.stdout + done.stderr).decode()
    version, suite = re.search(r"Protocol version: (\S+)", text), re.search(r"Ciphersuite: (\S+)", text)
    if version is None or suite is None:
        return None
    spelt = {"TLSv1": "TLSv1.0"}.get(version[1], version[1])
    known = BY_OPENSSL_NAME.get(suite[1])
    return Protocol(spelt), known.name if known else suite[1]


@pytest.fixture(scope="module")
def installed() -> Mapping[str, list[str]]:
    return real_clients()


def test_openssl_and_python_of_this_debian_are_in_the_table(installed: Mapping[str, list[str]]) -> None:
    """Without this the tests of real clients might all be skipped."""
    release = {"12": {"openssl-3.0", "python-3.11-debian"}, "13": {"openssl-3.5", "python-3.13-debian"}}
    assert release[_os_release()["VERSION_ID"].strip('"')] <= installed.keys()


def _os_release() -> dict[str, str]:
    lines = Path("/etc/os-release").read_text().splitlines()
    return {key: value for key, _, value in (line.partition("=") for line in lines)}


REAL = ("openssl-3.0", "openssl-3.5", *OPENSSL_OF)
SKIPPED = "this machine has no such client"


@pytest.mark.parametrize("name", REAL)
def test_real_clients_offer_what_the_table_says(name: str, installed: Mapping[str, list[str]]) -> None:
    if name not in installed:
        pytest.skip(SKIPPED)
    hello = asyncio.run(capture(installed[name], 20))
    known = CLIENTS[name]
    assert hello is not None
    assert (hello.suites, hello.groups, hello.schemes) == (known.suites, known.groups, known.schemes)
    assert known.shares in {None, hello.key_shares}
    entry = described(hello)
    assert (entry["min_protocol"], entry["max_protocol"]) == (known.protocols[0], known.protocols[-1])


@pytest.mark.parametrize("front", FRONTS)
def test_real_clients_connect_as_simulated(
    tmp_path: Path, pki: Pki, front: str, installed: Mapping[str, list[str]]
) -> None:
    with FRONTS[front](tmp_path, pki) as port:
        server = scanned(port)
        really = {name: connected(command, port) for name, command in installed.items()}
    for name, agreed in really.items():
        found = connect(CLIENTS[name], server)
        assert found.reason is COMES_OF.get((name, front)), name
        assert found.connects is (found.reason is None)
        assert agreed == ((found.protocol, found.cipher_suite) if found.connects else None), name
