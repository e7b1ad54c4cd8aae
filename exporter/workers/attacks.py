"""Attacks that need an old TLS stack, tried by sslyze's own tests. Only workers import this: it loads two OpenSSLs.

sslyze's functions are called one by one, with a server that hands out our connections. They say "not vulnerable" also
where they never came to try; so what went over the connection is looked at, and without a try the answer is None.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MethodType
from typing import Any

from nassl._nassl import OpenSSLError, WantReadError
from nassl.ssl_client import ClientCertificateRequested
from sslyze import ServerNetworkConfiguration, ServerNetworkLocation
from sslyze.connection_helpers.tls_connection import SslConnection
from sslyze.errors import TlsHandshakeTimedOut
from sslyze.plugins.heartbleed_plugin import _test_heartbleed
from sslyze.plugins.openssl_ccs_injection_plugin import _test_for_ccs_injection
from sslyze.plugins.robot._robot_tester import (
    RobotPmsPaddingPayloadEnum,
    RobotScanResultEnum,
    RobotServerResponsesAnalyzer,
    _run_oracle_detection,
)
from sslyze.plugins.session_renegotiation_plugin import _test_client_renegotiation
from sslyze.server_connectivity import ClientAuthRequirementEnum, ServerTlsProbingResult, TlsVersionEnum

from exporter.workers.child import Network, Socket
from exporter.workers.wire import Ending

ROUNDS = 3
"""Of ROBOT's five messages, as sslyze has it: answers must be the same each time."""
RENEGOTIATIONS = 4
"""Asked for in a row. Servers that are protected by a limit allow three (Node.js), sslyze asks for ten."""

_VERSIONS = {
    "SSLv3": TlsVersionEnum.SSL_3_0,
    "TLSv1.0": TlsVersionEnum.TLS_1_0,
    "TLSv1.1": TlsVersionEnum.TLS_1_1,
    "TLSv1.2": TlsVersionEnum.TLS_1_2,
}
_HANDSHAKE, _ALERT, _SERVER_HELLO_DONE = 22, b"\x15", 14
"""Types of records and messages (RFC 5246, 6.2.1 and 7.4)."""
_CANNOT_DECRYPT, _DECLINES = {20, 21}, {10, 40}
"""bad_record_mac and decryption_failed; unexpected_message and handshake_failure (RFC 5246, 7.2.2)."""
_ALLOW_UNSAFE_LEGACY_RENEGOTIATION = 0x00040000
"""SSL_OP_* of ssl.h, in both of nassl's OpenSSLs."""
_GONE = {Ending.ORDERLY, Ending.RESET}
_SOMEWHERE = ServerNetworkLocation(hostname="unused.invalid", port=443, ip_address="192.0.2.1")
"""sslyze wants to be told where the server is; it is never asked to go there (RFC 5737)."""


class _OurConnection(SslConnection):  # type: ignore[misc]  # sslyze is untyped here
    """sslyze's connection over one of ours."""

    network: Network

    def _do_pre_handshake(self) -> None:
        self.ssl_client.set_underlying_socket(self.network.connect())


@dataclass(frozen=True)
class _Server:
    """What sslyze's tests take for its `ServerConnectivityInfo`.

    Attributes:
        suites: OpenSSL names of those that the server accepts in this version.
        with_name: SNI is sent also where sslyze would leave it out.
        old: the OpenSSL of 2015 is used also for TLS 1.2.
    """

    network: Network
    version: TlsVersionEnum
    name: str | None
    suites: tuple[str, ...]
    with_name: bool = False
    old: bool = False

    @property
    def tls_probing_result(self) -> ServerTlsProbingResult:
        return ServerTlsProbingResult(self.version, ":".join(self.suites), ClientAuthRequirementEnum.DISABLED, True)

    def get_preconfigured_tls_connection(
        self,
        override_tls_version: TlsVersionEnum | None = None,
        should_use_legacy_openssl: bool | None = None,
        should_enable_server_name_indication: bool = True,
    ) -> SslConnection:
        connection = _OurConnection(
            server_location=_SOMEWHERE,
            network_configuration=ServerNetworkConfiguration(tls_server_name_indication=self.name or ""),
            tls_version=override_tls_version or self.version,
            should_ignore_client_auth=True,
            should_use_legacy_openssl=self.old or should_use_legacy_openssl,
            should_enable_server_name_indication=bool(self.name)
            and (self.with_name or should_enable_server_name_indication),
        )
        connection.network = self.network
        # nassl's clients refuse by themselves to renegotiate without RFC 5746; it is the server that is asked.
        connection.ssl_client._ssl.set_options(_ALLOW_UNSAFE_LEGACY_RENEGOTIATION)  # noqa: SLF001
        with suppress(OpenSSLError):  # without any of them it keeps its usual list; the server will say no
            connection.ssl_client.set_cipher_list(":".join(self.suites))
        return connection


def after_flight(socket: Socket) -> bytes | None:
    """What the server said after its first flight, which ends with a ServerHelloDone (RFC 5246, 7.4.5).

    None when it did not come so far: then nothing was tried.
    """
    records, handshake = bytes(socket.received), b""
    while len(records) >= 5 and records[0] == _HANDSHAKE:
        end = 5 + int.from_bytes(records[3:5], "big")
        handshake, records = handshake + records[5:end], records[end:]
        while len(handshake) >= 4 and len(handshake) >= (length := 4 + int.from_bytes(handshake[1:4], "big")):
            if handshake[0] == _SERVER_HELLO_DONE:
                return records
            handshake = handshake[length:]
    return None


def _wait_for_flight(client: Any) -> None:  # noqa: ANN401 - takes the place of a method of nassl's
    """A handshake that ends where the client would have to go on."""
    with suppress(WantReadError):
        client._ssl.do_handshake()  # noqa: SLF001 - as the methods of sslyze that do the same
    client._flush_ssl_engine()  # noqa: SLF001
    while client._sock.recv(4096):  # noqa: SLF001
        pass


def waits(server: _Server) -> bool:
    """Whether the server waits after its first flight, as it should. Only then is its closing an answer to anything."""
    connection = server.get_preconfigured_tls_connection()
    connection.ssl_client.do_handshake = MethodType(_wait_for_flight, connection.ssl_client)
    try:
        connection.connect()
    except TlsHandshakeTimedOut:
        return after_flight(server.network.sockets[-1]) is not None
    finally:
        connection.close()
    return False


def _answer(vulnerable: bool | None, detail: str = "") -> dict[str, object]:
    return {"vulnerable": vulnerable, "detail": detail}


def _server(arguments: Mapping[str, Any], network: Network, **other: bool) -> _Server:
    version, suites = _VERSIONS[arguments["protocol"]], tuple(arguments["suites"])
    return _Server(network, version, arguments["server_name"], suites, **other)


def _by_one_connection(
    test: Callable[[_Server], bool],
    arguments: Mapping[str, Any],
    network: Network,
    read: Callable[[bytes, Ending | None], bool | None],
) -> dict[str, object]:
    """The test, as sslyze does it; once more with the server's name and the older OpenSSL where it was none.

    `read` says what an answer after the server's first flight means that sslyze does not take for vulnerable.
    """
    for other in ({}, {"with_name": True, "old": True}):
        server = _server(arguments, network, **other)
        if test(server):
            return _answer(True)
        socket = network.sockets[-1]
        said = after_flight(socket)
        verdict = None if said is None else read(said, socket.ending)
        if verdict is not None:
            return _answer(verdict)
        if said == b"" and socket.ending in _GONE and waits(server):
            return _answer(False)
    return _answer(None, "the server did not go along to where it is tried, or answered nothing that tells")


def heartbleed(arguments: Mapping[str, Any], network: Network) -> dict[str, object]:
    """CVE-2014-0160. Discarding the message without a word is right (RFC 6520, 4), so silence is an answer."""

    def read(said: bytes, ending: Ending | None) -> bool | None:
        return False if said[:1] == _ALERT or (not said and ending is Ending.SILENT) else None

    return _by_one_connection(_test_heartbleed, arguments, network, read)


def ccs_injection(arguments: Mapping[str, Any], network: Network) -> dict[str, object]:
    """CVE-2014-0224. What comes too early is answered by an alert or a close (RFC 5246, 7.2.2), never by silence.

    A server that took it decrypts what comes next, and cannot: with an AEAD suite that is bad_record_mac, as sslyze
    knows it; with CBC OpenSSL 1.0.1 says decryption_failed, with RC4 decode_error. So other alerts leave it open.
    """

    def read(said: bytes, _ending: Ending | None) -> bool | None:
        alert = said[6] if said[:1] == _ALERT and len(said) >= 7 else None
        return True if alert in _CANNOT_DECRYPT else False if alert in _DECLINES else None

    return _by_one_connection(_test_for_ccs_injection, arguments, network, read)


def robot(arguments: Mapping[str, Any], network: Network) -> dict[str, object]:
    """ROBOT (CVE-2017-13099 and others): five ClientKeyExchanges, of which four are padded wrongly, in three rounds.

    The RSA key comes with the job, where sslyze would make up to two handshakes a round for it.
    """
    server = _server(arguments, network, old=True)  # it also has the suites that only old servers have
    modulus, exponent = int(arguments["modulus"], 16), int(arguments["exponent"])
    rounds = [
        _run_oracle_detection(server, server.version, ":".join(server.suites), modulus, exponent, True)
        for _ in range(ROUNDS)
    ]
    answers = [after_flight(socket) for socket in network.sockets]
    if any(said is None or said[:1] not in {b"", _ALERT} for said in answers):
        return _answer(None, "the server did not go along to where it is tried")
    if all(socket.ending is Ending.SILENT for socket in network.sockets) or (not any(answers) and not waits(server)):
        return _answer(None, "the server never answered")
    said = {payload: [one[payload] for one in rounds] for payload in RobotPmsPaddingPayloadEnum}
    match RobotServerResponsesAnalyzer(said, ROUNDS).compute_result_enum():
        case RobotScanResultEnum.VULNERABLE_STRONG_ORACLE:
            return _answer(True, "strong oracle")
        case RobotScanResultEnum.VULNERABLE_WEAK_ORACLE:
            return _answer(True, "weak oracle")
        case RobotScanResultEnum.NOT_VULNERABLE_NO_ORACLE:
            return _answer(False)
        case _:
            return _answer(None, "the server's answers are not the same each time")


def client_renegotiation(arguments: Mapping[str, Any], network: Network) -> dict[str, object]:
    """CVE-2011-1473: vulnerable when it grants all that are asked for in a row."""
    _, (vulnerable, granted) = _test_client_renegotiation(_server(arguments, network), RENEGOTIATIONS)
    return _answer(vulnerable, f"granted {granted} in a row" if granted else "")


def _tolerant(job: Callable[[Mapping[str, Any], Network], dict[str, object]]) -> Callable[..., object]:
    """What sslyze raises as an unknown: a server that is too odd for it was not tried."""

    def run(arguments: Mapping[str, Any], network: Network) -> dict[str, object]:
        try:
            return job(arguments, network)
        except ClientCertificateRequested:
            return _answer(None, "the server wants a client certificate")
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a border: sslyze raises much, some of it frozen
            return _answer(None, " ".join(f"{type(error).__name__}: {error}".split())[:200])

    return run


JOBS = {job.__name__: _tolerant(job) for job in (heartbleed, ccs_injection, robot, client_renegotiation)}
