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
CONFIRMATIONS = 3
"""More tries of what seems to work, before it is said."""
RENEGOTIATIONS = 4
"""Asked for in a row. Servers that are protected by a limit allow three (Node.js), sslyze asks for ten."""

_VERSIONS = {
    "SSLv3": TlsVersionEnum.SSL_3_0,
    "TLSv1.0": TlsVersionEnum.TLS_1_0,
    "TLSv1.1": TlsVersionEnum.TLS_1_1,
    "TLSv1.2": TlsVersionEnum.TLS_1_2,
}
_HANDSHAKE, _ALERT = 22, b"\x15"
_CERTIFICATE, _CERTIFICATE_REQUEST, _SERVER_HELLO_DONE = 11, 13, 14
"""Types of records and messages (RFC 5246, 6.2.1 and 7.4)."""
_CLOSE_NOTIFY = b"\x01\x00"
"""As an alert: level and description (RFC 5246, 7.2.1)."""
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
        name: always sent where there is one. sslyze leaves it out at times, for the sake of old servers; but without it
            another service may answer.
        suites: OpenSSL names of those that the server accepts in this version.
        old: the OpenSSL of 2015 is used also for TLS 1.2.
    """

    network: Network
    version: TlsVersionEnum
    name: str | None
    suites: tuple[str, ...]
    old: bool = False

    @property
    def tls_probing_result(self) -> ServerTlsProbingResult:
        return ServerTlsProbingResult(self.version, ":".join(self.suites), ClientAuthRequirementEnum.DISABLED, True)

    def get_preconfigured_tls_connection(
        self,
        override_tls_version: TlsVersionEnum | None = None,
        should_use_legacy_openssl: bool | None = None,
        **_name_indication: bool,
    ) -> SslConnection:
        connection = _OurConnection(
            server_location=_SOMEWHERE,
            network_configuration=ServerNetworkConfiguration(tls_server_name_indication=self.name or ""),
            tls_version=override_tls_version or self.version,
            should_ignore_client_auth=True,
            should_use_legacy_openssl=self.old or should_use_legacy_openssl,
            should_enable_server_name_indication=bool(self.name),
        )
        connection.network = self.network
        # nassl's clients refuse by themselves to renegotiate without RFC 5746; it is the server that is asked.
        connection.ssl_client._ssl.set_options(_ALLOW_UNSAFE_LEGACY_RENEGOTIATION)  # noqa: SLF001
        with suppress(OpenSSLError):  # without any of them it keeps its usual list; the server will say no
            connection.ssl_client.set_cipher_list(":".join(self.suites))
        return connection


def first_flight(socket: Socket) -> tuple[dict[int, bytes], bytes] | None:
    """The messages of the server's first flight by their type (RFC 5246, 7.4), and what it said after it.

    None when it did not come to the ServerHelloDone that ends it (7.4.5): then nothing was tried.
    """
    records, handshake, messages = bytes(socket.received), b"", dict[int, bytes]()
    while len(records) >= 5 and records[0] == _HANDSHAKE:
        end = 5 + int.from_bytes(records[3:5], "big")
        handshake, records = handshake + records[5:end], records[end:]
        while len(handshake) >= 4 and len(handshake) >= (length := 4 + int.from_bytes(handshake[1:4], "big")):
            messages[handshake[0]] = handshake[4:length]
            if handshake[0] == _SERVER_HELLO_DONE:
                return messages, records
            handshake = handshake[length:]
    return None


def after_flight(socket: Socket) -> bytes | None:
    """What the server said after its first flight; None when it did not come so far."""
    flight = first_flight(socket)
    return None if flight is None else flight[1]


def _wait_for_flight(client: Any) -> None:  # noqa: ANN401 - takes the place of a method of nassl's
    """A handshake that ends where the client would have to go on."""
    with suppress(WantReadError):
        client._ssl.do_handshake()  # noqa: SLF001 - as the methods of sslyze that do the same
    client._flush_ssl_engine()  # noqa: SLF001
    while client._sock.recv(4096):  # noqa: SLF001
        pass


def _shake_hands_and_wait(client: Any) -> None:  # noqa: ANN401 - takes the place of a method of nassl's
    """A whole handshake, and not a word after it."""
    try:
        type(client).do_handshake(client)
    except TimeoutError as error:
        raise ConnectionAbortedError("the handshake was not done in time") from error
    while client._sock.recv(4096):  # noqa: SLF001
        pass


def _waits(server: _Server, handshake: Callable[[Any], None]) -> bool:
    """Whether the server has nothing to say when we stop there. Only then is its closing an answer to what follows."""
    connection = server.get_preconfigured_tls_connection()
    connection.ssl_client.do_handshake = MethodType(handshake, connection.ssl_client)
    try:
        connection.connect()
    except TlsHandshakeTimedOut:
        return after_flight(server.network.sockets[-1]) is not None
    finally:
        connection.close()
    return False


def waits(server: _Server) -> bool:
    """Whether the server waits after its first flight, as it should."""
    return _waits(server, _wait_for_flight)


def waits_after_handshake(server: _Server) -> bool:
    """Whether the server waits for what a client says first; a greeting of its own is no matter."""
    return _waits(server, _shake_hands_and_wait)


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
    """The test, as sslyze does it; once more with the older OpenSSL where it was none.

    `read` says what an answer after the server's first flight means that sslyze does not take for vulnerable. What
    works must work each time: some answers are only right by chance.
    """
    for other in ({}, {"old": True}):
        server = _server(arguments, network, **other)
        verdict = _once(test, server, read)
        if verdict and not all(_once(test, server, read) for _ in range(CONFIRMATIONS)):
            return _answer(None, "the server's answers are not the same each time")
        if verdict is not None:
            return _answer(verdict)
    return _answer(None, "the server did not go along to where it is tried, or answered nothing that tells")


def _once(
    test: Callable[[_Server], bool], server: _Server, read: Callable[[bytes, Ending | None], bool | None]
) -> bool | None:
    """What one try says; None where it says nothing."""
    if test(server):
        return True
    socket = server.network.sockets[-1]
    said = after_flight(socket)
    verdict = None if said is None else read(said, socket.ending)
    if verdict is not None:
        return verdict
    closed = (said == b"" and socket.ending in _GONE) or (said or b"")[5:7] == _CLOSE_NOTIFY
    return False if closed and waits(server) else None


def heartbleed(arguments: Mapping[str, Any], network: Network) -> dict[str, object]:
    """CVE-2014-0160. Discarding the message without a word is right (RFC 6520, 4), so silence is an answer."""

    def read(said: bytes, ending: Ending | None) -> bool | None:
        if said[:1] == _ALERT and said[5:7] != _CLOSE_NOTIFY:
            return False
        return False if not said and ending is Ending.SILENT else None

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

    The RSA key comes with the job, where sslyze would make up to two handshakes a round for it. A server tells nothing
    by its answers where it did not come to decrypt: with another key, or since it waits for a client's certificate.
    """
    if arguments["protocol"] == "SSLv3":
        return _answer(None, "sslyze's messages begin as they do from TLSv1.0 on (RFC 5246, 7.4.7.1)")
    server = _server(arguments, network, old=True)  # it also has the suites that only old servers have
    modulus, exponent = int(arguments["modulus"], 16), int(arguments["exponent"])
    rounds = [
        _run_oracle_detection(server, server.version, ":".join(server.suites), modulus, exponent, True)
        for _ in range(ROUNDS)
    ]
    key = modulus.to_bytes((modulus.bit_length() + 7) // 8, "big")
    answers = []
    for socket in network.sockets:
        messages, answer = first_flight(socket) or ({}, b"")
        if _SERVER_HELLO_DONE not in messages or answer[:1] not in {b"", _ALERT} or socket.ending is Ending.CUT_OFF:
            return _answer(None, "the server did not go along to where it is tried")
        if _CERTIFICATE_REQUEST in messages:
            return _answer(None, "the server wants a client certificate")
        if key not in messages.get(_CERTIFICATE, b""):
            return _answer(None, "the server shows another key there than before")
        answers.append(answer)
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
    """CVE-2011-1473: vulnerable when it grants all that are asked for in a row.

    sslyze takes silence for a refusal, since Netty refuses so; a server that is slow or gone is silent too. A close it
    takes for one as well, which it is only where the server would have stayed.
    """
    server = _server(arguments, network, old=True)
    _, (vulnerable, granted) = _test_client_renegotiation(server, RENEGOTIATIONS)
    ending = network.sockets[-1].ending
    if not vulnerable and ending in {Ending.SILENT, Ending.CUT_OFF}:
        return _answer(None, "the server did not answer")
    if not vulnerable and not granted and ending in _GONE and not waits_after_handshake(server):
        return _answer(None, "the server closes the connection by itself")
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
