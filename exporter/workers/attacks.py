"""Attacks that need an old TLS stack, tried by sslyze's own tests. Only workers import this: it loads two OpenSSLs.

sslyze's functions are called one by one, with a server object that hands out our connections. They also say "not
vulnerable" if they never got to the attack. So the bytes of the connection are examined, and if the attack was not
tried the answer is None.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from time import monotonic, sleep
from types import MethodType
from typing import Any

from nassl._nassl import OpenSSLError, WantReadError
from nassl.legacy_ssl_client import LegacySslClient
from nassl.ssl_client import BaseSslClient, ClientCertificateRequested, SslClient
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
from exporter.workers.flight import (
    ALERT,
    APPLICATION_DATA,
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CLOSE_NOTIFY,
    FINISHED,
    HEARTBEAT,
    RECORD_TYPES,
    Shortened,
    after_flight,
    read_flight,
    records,
)
from exporter.workers.wire import Ending

ROUNDS = 3
"""Rounds of ROBOT's five messages, as in sslyze: answers must be the same each time."""
CONFIRMATIONS = 3
"""Further tries before a result is reported, if the attack seems to work or the server answers by an alert or a
close."""
RENEGOTIATIONS = 10
"""Renegotiations requested in a row, as in sslyze. Servers protected by a limit allow three (Node.js) or five
(BIG-IP)."""

_VERSIONS = {
    "SSLv3": TlsVersionEnum.SSL_3_0,
    "TLSv1.0": TlsVersionEnum.TLS_1_0,
    "TLSv1.1": TlsVersionEnum.TLS_1_1,
    "TLSv1.2": TlsVersionEnum.TLS_1_2,
}
_CANNOT_DECRYPT, _DECLINES = {20, 21}, {10, 40}
"""bad_record_mac and decryption_failed; unexpected_message and handshake_failure (RFC 5246, 7.2.2)."""
_GENERAL = {40, 80}
"""handshake_failure and internal_error: servers also send them for other reasons, such as load."""
_ALLOW_UNSAFE_LEGACY_RENEGOTIATION = 0x00040000
"""SSL_OP_* of ssl.h, in both of nassl's OpenSSLs."""
_GONE = {Ending.ORDERLY, Ending.RESET}
_SOMEWHERE = ServerNetworkLocation(hostname="unused.invalid", port=443, ip_address="192.0.2.1")
"""sslyze requires the server's address, but never connects to it (RFC 5737)."""


View = Callable[[Socket], Any]
"""A function from a connection to what sslyze gets in its place."""


def _as_it_is(socket: Socket) -> Socket:
    return socket


class _OurConnection(SslConnection):  # type: ignore[misc]  # sslyze is untyped here
    """sslyze's connection over one of ours."""

    network: Network
    view: "View"

    def _do_pre_handshake(self) -> None:
        self.ssl_client.set_underlying_socket(self.view(self.network.connect()))


class _Renegotiating(SslClient, LegacySslClient):
    """The newer OpenSSL as a client that can request a renegotiation: nassl has that only for the old one."""

    do_handshake = BaseSslClient.do_handshake


def _noting(renegotiate: Callable[[], None], refusals: list[str]) -> None:
    try:
        renegotiate()
    except OpenSSLError as error:
        refusals.append(str(error))
        raise


@dataclass(frozen=True)
class _SslyzeServer:
    """What sslyze's tests get as their `ServerConnectivityInfo`.

    Attributes:
        name: sent in every hello if there is one. sslyze sometimes leaves it out for old servers, but then another
            service may answer.
        suites: OpenSSL names of the suites that the server accepts in this version.
        old: use the OpenSSL of 2015, which is necessary below TLS 1.2.
        view: what sslyze sees of its connections.
        refusals: why renegotiations failed according to OpenSSL; sslyze does not report that.
    """

    network: Network
    version: TlsVersionEnum
    name: str | None
    suites: tuple[str, ...]
    old: bool
    view: View = _as_it_is
    refusals: list[str] = field(default_factory=list)

    @property
    def tls_probing_result(self) -> ServerTlsProbingResult:
        return ServerTlsProbingResult(self.version, ":".join(self.suites), ClientAuthRequirementEnum.DISABLED, True)

    def get_preconfigured_tls_connection(
        self,
        override_tls_version: TlsVersionEnum | None = None,
        **_wishes: bool | None,
    ) -> SslConnection:
        connection = _OurConnection(
            server_location=_SOMEWHERE,
            network_configuration=ServerNetworkConfiguration(tls_server_name_indication=self.name or ""),
            tls_version=override_tls_version or self.version,
            should_ignore_client_auth=True,
            should_use_legacy_openssl=self.old,
            should_enable_server_name_indication=bool(self.name),
        )
        connection.network, connection.view = self.network, self.view
        if not self.old:
            connection.ssl_client.__class__ = _Renegotiating
        connection.ssl_client.do_renegotiate = partial(_noting, connection.ssl_client.do_renegotiate, self.refusals)
        # nassl's clients refuse to renegotiate without RFC 5746; here the server's behaviour is tested.
        connection.ssl_client._ssl.set_options(_ALLOW_UNSAFE_LEGACY_RENEGOTIATION)  # noqa: SLF001
        with suppress(OpenSSLError):  # without any known suite OpenSSL keeps its default list, and the server refuses
            connection.ssl_client.set_cipher_list(":".join(self.suites))
        return connection


def _wait_for_flight(client: Any) -> None:  # noqa: ANN401 - takes the place of a method of nassl's
    """Do a handshake that stops where the client would have to continue."""
    with suppress(WantReadError):
        client._ssl.do_handshake()  # noqa: SLF001 - as the methods of sslyze that do the same
    client._flush_ssl_engine()  # noqa: SLF001
    while client._sock.recv(4096):  # noqa: SLF001
        pass


def _shake_hands_and_wait(client: Any) -> None:  # noqa: ANN401 - takes the place of a method of nassl's
    """Do a complete handshake, and send nothing after it."""
    try:
        type(client).do_handshake(client)
    except TimeoutError as error:
        raise ConnectionAbortedError("the handshake was not done in time") from error
    while client._sock.recv(4096):  # noqa: SLF001
        pass


def _waits(server: _SslyzeServer, handshake: Callable[[Any], None]) -> bytes | None:
    """What the server sends after its first flight if the client stops there; None unless the server waits.

    Only if the server waits is a close an answer to what we send next.
    """
    connection = replace(server, view=_as_it_is).get_preconfigured_tls_connection()
    connection.ssl_client.do_handshake = MethodType(handshake, connection.ssl_client)
    try:
        connection.connect()
    except TlsHandshakeTimedOut:
        return after_flight(server.network.sockets[-1])
    finally:
        connection.close()
    return None


def waits(server: _SslyzeServer) -> bool:
    """Whether the server waits after its first flight, as it should, and sends nothing."""
    return _waits(server, _wait_for_flight) == b""


def waits_after_handshake(server: _SslyzeServer) -> bool:
    """Whether the server waits after a handshake; it may send a greeting."""
    return _waits(server, _shake_hands_and_wait) is not None


def _answer(vulnerable: bool | None, detail: str = "") -> dict[str, object]:
    return {"vulnerable": vulnerable, "detail": detail}


def _server(arguments: Mapping[str, Any], network: Network, *, old: bool, view: View = _as_it_is) -> _SslyzeServer:
    version, suites = _VERSIONS[arguments["protocol"]], tuple(arguments["suites"])
    return _SslyzeServer(network, version, arguments["server_name"], suites, old, view)


def _stacks(arguments: Mapping[str, Any]) -> tuple[bool, ...]:
    """The values of `old` that can be used: for TLS 1.2 the newer OpenSSL first, below that only the old one."""
    return (False, True) if arguments["protocol"] == "TLSv1.2" else (True,)


class Answer(Enum):
    """The result of one try."""

    VULNERABLE = "the attack works"
    SAFE = "the server continues like one that is not vulnerable"
    DECLINES = "an alert that answers what was sent"
    FAILS = "an alert that may have another cause"
    CLOSES = "the end of the connection, which may have another cause"
    NOTHING = "nothing conclusive"


@dataclass(frozen=True)
class _Attack:
    """An attack that takes one connection.

    Attributes:
        test: sslyze's test.
        view: what sslyze sees of a connection.
        read: the bytes that the server sent after its first flight, if sslyze says "not vulnerable" -> the answer.
        harmless: the result of one try without the attack, for an attack that can crash a server so that it closes the
            connection.
        is_shown_by_alert: a vulnerable server is recognized by an alert; some servers send that alert for other
            reasons.
    """

    test: Callable[[_SslyzeServer], bool]
    view: View
    read: Callable[[bytes], Answer]
    harmless: Callable[[_SslyzeServer], Answer] | None = None
    is_shown_by_alert: bool = False


def _by_one_connection(attack: _Attack, arguments: Mapping[str, Any], network: Network) -> dict[str, object]:
    """Run the test as sslyze does; if it did not get to the attack, again with the older OpenSSL."""
    why = "the handshake did not get to the attack, or the answers are not conclusive"
    for old in _stacks(arguments):
        try:
            answers = _answers(attack, _server(arguments, network, old=old, view=attack.view))
            if answers == {Answer.NOTHING}:
                continue
            return _judged(attack, _server(arguments, network, old=old), answers)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a border: sslyze raises much, and the cause may be this OpenSSL
            why = _as_text(error)
    return _answer(None, why)


def _answers(attack: _Attack, server: _SslyzeServer) -> set[Answer]:
    """The results of the tries.

    One try is enough if the server continues normally, answers the attack by an alert, or says nothing. Other results
    must be the same each time, because some answers are right only by chance and a connection can end for many reasons.
    Alerts and closes count as the same, because a reset may overtake the alert.
    """
    first = _once(attack, server)
    answers = {first}
    if first not in {Answer.SAFE, Answer.DECLINES, Answer.NOTHING}:
        alike = {first} if first is Answer.VULNERABLE else _REFUSALS
        for _ in range(CONFIRMATIONS):
            if not answers <= alike:
                break
            answers.add(_once(attack, server))
    return answers


_REFUSALS = {Answer.DECLINES, Answer.FAILS, Answer.CLOSES}


def _judged(attack: _Attack, server: _SslyzeServer, answers: set[Answer]) -> dict[str, object]:
    """The verdict. An answer that may have another cause counts only if the controls exclude one."""
    works = answers == {Answer.VULNERABLE}
    if answers == {Answer.SAFE} or (works and not attack.is_shown_by_alert):
        return _answer(works)
    if not works and not answers <= _REFUSALS:
        return _answer(None, "the server's answers are not the same each time")
    if answers != {Answer.DECLINES} and not waits(server):
        return _answer(None, "the server ends the connection without the attack, too")
    if Answer.CLOSES in answers and attack.harmless and attack.harmless(server) not in answers:
        return _answer(None, "the server ends the connection, which may be a crash caused by the attack")
    return _answer(works)


def _once(attack: _Attack, server: _SslyzeServer) -> Answer:
    """The result of one try."""
    if attack.test(server):
        return Answer.VULNERABLE
    said = after_flight(server.network.sockets[-1])
    if said is None or _is_closed(server.network.sockets[-1]):
        return Answer.NOTHING if said is None else Answer.CLOSES
    return attack.read(said)


def _is_closed(socket: Socket) -> bool:
    """Whether the server ended the connection and sent nothing else after its first flight."""
    said = after_flight(socket)
    return (said == b"" and socket.ending in _GONE) or (said or b"")[5:7] == CLOSE_NOTIFY


def _alert(said: bytes) -> int | None:
    """The description of the alert at the start of these bytes; None if there is none."""
    return said[6] if said[:1] == bytes([ALERT]) and len(said) >= 7 else None


# --- Heartbleed -------------------------------------------------------------------------------------------------------

_MARK = b"tls-posture-exporter"
_VALID_BYTES = 4096
"""Length of the payload: OpenSSL holds back up to 4096 bytes of a handshake (the buffer of BIO_f_buffer)."""
_PADDING = bytes(16)
"""RFC 6520, 4: the minimum padding of a heartbeat, which sslyze's messages lack."""


class _Beating(Shortened):
    """After sslyze's heartbeats, send a valid one, and then a message that no server accepts at that point.

    They are answered in this order, so a server that answers a later one has read the earlier ones. OpenSSL answers the
    valid heartbeat. A server that drops heartbeats during a handshake (RFC 6520, 3) rejects the message.

    sslyze sends its heartbeats directly after the ClientHello. They are held back until the first flight is complete.
    So bytes directly after that flight are not an answer to them.
    """

    def __init__(self, socket: Socket, *, with_sslyzes: bool = True) -> None:
        super().__init__(socket)
        self._with_sslyzes = with_sslyzes
        self._held = b""

    def send(self, data: bytes) -> int:
        if data[:1] != bytes([HEARTBEAT]):
            return super().send(data)
        self._held += data if self._with_sslyzes else b""
        return len(data)

    def incoming(self) -> bytes:
        payload = (_MARK * _VALID_BYTES)[:_VALID_BYTES]
        valid = b"\x01" + len(payload).to_bytes(2, "big") + payload + _PADDING
        self.socket.send(self._held)
        self.socket.send(self.record(HEARTBEAT, valid) + self.message(FINISHED, bytes(12)))
        said = b""
        with suppress(OSError):
            while not any(records(said)) and self.socket.recv(1 << 16):
                said = self.said()
        return said


def _read_heartbeat(said: bytes) -> Answer:
    """Interpret the answer to the messages after sslyze's, because silence is not evidence.

    A server may discard sslyze's message silently (RFC 6520, 4), or it may be slow. So "not vulnerable" needs an answer
    to what was sent after it.
    """
    alert = _alert(said)
    if alert is not None:
        return Answer.FAILS if alert in _GENERAL else Answer.DECLINES
    kind, body = next(records(said), (None, b""))
    answers = body[:1] == b"\x02" and body[1:3] == _VALID_BYTES.to_bytes(2, "big") and body[3:].startswith(_MARK)
    return Answer.SAFE if kind == HEARTBEAT and answers else Answer.NOTHING


def _without_sslyzes(server: _SslyzeServer) -> Answer:
    """The result of sending only the valid heartbeat and the message after it."""
    return _once(_HEARTBLEED, replace(server, view=partial(_Beating, with_sslyzes=False)))


_HEARTBLEED = _Attack(_test_heartbleed, _Beating, _read_heartbeat, _without_sslyzes)


def heartbleed(arguments: Mapping[str, Any], network: Network) -> dict[str, object]:
    """CVE-2014-0160. A close may be a crash: the memory after the buffer may not be readable."""
    return _by_one_connection(_HEARTBLEED, arguments, network)


# --- CCS injection ----------------------------------------------------------------------------------------------------


class _Injecting(Shortened):
    """Lengthen sslyze's record of two bytes: with RC4 or CBC, a record shorter than a MAC is not checked."""

    def outgoing(self, data: bytes) -> bytes:
        return self.record(APPLICATION_DATA, bytes(_CHECKED_BYTES)) if data[:1] == bytes([APPLICATION_DATA]) else data


_CHECKED_BYTES = 96
"""A multiple of 8 and 16, with room for the longest MAC (48), an initialization vector and padding."""


def ccs_injection(arguments: Mapping[str, Any], network: Network) -> dict[str, object]:
    """CVE-2014-0224. An early message is answered by an alert or a close (RFC 5246, 7.2.2), not by silence.

    A vulnerable server accepts it, cannot decrypt the next record, and sends bad_record_mac, which is what sslyze
    expects. With CBC, OpenSSL 1.0.1 sometimes sends decryption_failed. After other alerts the result is unknown.
    """
    attack = _Attack(_test_for_ccs_injection, _Injecting, _read_ccs, is_shown_by_alert=True)
    return _by_one_connection(attack, arguments, network)


def _read_ccs(said: bytes) -> Answer:
    alert = _alert(said)
    if alert in _CANNOT_DECRYPT:
        return Answer.VULNERABLE
    if alert not in _DECLINES:
        return Answer.NOTHING
    return Answer.FAILS if alert in _GENERAL else Answer.DECLINES


# --- ROBOT ------------------------------------------------------------------------------------------------------------


_MOST_PAUSE_SECONDS, _LEAST_PAUSE_SECONDS = 0.5, 0.02
"""Pause between a ClientKeyExchange and the next message, if that is not the rest of a handshake. It is twice the
longest answer time of the server, so that the server handles the first before it receives the second."""


_NO_TLS = b"\x01\x5a"
"""user_canceled (RFC 8446, 6.1) in place of any answer that is not TLS: no server sends it here."""


class Flow(Enum):
    """What follows the ClientKeyExchange.

    In the second round of the paper nothing follows, and silence counts as one of the answers. Here another message
    follows that ends the silence: the server's answer to the ClientKeyExchange comes first. There are two such
    messages, because the answer to one of them may be the same as the server's answer to wrong padding.
    """

    FULL = "ChangeCipherSpec and Finished"
    UNEXPECTED = "Finished without a ChangeCipherSpec, which is answered by an alert"
    CLOSE_NOTIFY = "close_notify, which is answered by a close"


def _with_length(data: bytes) -> bytes:
    return len(data).to_bytes(3, "big") + data


class _Oracle(Shortened):
    """A connection for one ClientKeyExchange.

    If the server requests a certificate, the client sends its chain or an empty one (RFC 5246, 7.4.6). The worker does
    not have the key, so no CertificateVerify follows.

    Attributes:
        slowest: longest time of an answer so far, in seconds; shared by all connections of a job.
    """

    def __init__(self, socket: Socket, flow: Flow, slowest: list[float], chain: list[bytes]) -> None:
        super().__init__(socket)
        self._flow, self._slowest, self._chain = flow, slowest, b"".join(_with_length(one) for one in chain)
        self._asked_at: float | None = None

    def outgoing(self, data: bytes) -> bytes:
        first, self._asked_at = self._asked_at is None, monotonic()
        asked = self.flight is not None and CERTIFICATE_REQUEST in self.flight.messages
        return self.message(CERTIFICATE, _with_length(self._chain)) + data if first and asked else data

    def incoming(self) -> bytes:
        if self._flow is Flow.FULL:
            data = self._answer()
            self._slowest[0] = max(self._slowest[0], monotonic() - (self._asked_at or monotonic()))
            return data
        sleep(max(_LEAST_PAUSE_SECONDS, min(_MOST_PAUSE_SECONDS, 2 * self._slowest[0])))
        unexpected = self._flow is Flow.UNEXPECTED
        self.socket.send(self.message(FINISHED, bytes(12)) if unexpected else self.record(ALERT, CLOSE_NOTIFY))
        return self._answer()

    def _answer(self) -> bytes:
        """The server's answer; sslyze cannot parse answers that are not TLS, such as xrdp's notice that it closes."""
        data = super().incoming()
        return data if not data or data[0] in RECORD_TYPES else self.record(ALERT, _NO_TLS)


def robot(arguments: Mapping[str, Any], network: Network) -> dict[str, object]:
    """ROBOT (CVE-2017-13099 and others): five ClientKeyExchanges, four of them with wrong padding, in three flows.

    The RSA key comes with the job; sslyze would make up to two handshakes a round for it. The answers mean nothing if
    the server did not decrypt the message, because it uses another key or waits for a client certificate.
    """
    if arguments["protocol"] == "SSLv3":
        return _answer(None, "sslyze's messages have the form of TLSv1.0 and later (RFC 5246, 7.4.7.1)")
    slowest, chain = [0.0], [bytes.fromhex(one) for one in arguments["client_chain"]]
    for flow in Flow:
        # The old OpenSSL also has the suites of old servers.
        server = _server(arguments, network, old=True, view=partial(_Oracle, flow=flow, slowest=slowest, chain=chain))
        before = len(network.sockets)
        said = _oracle_answers(server, arguments, flow)
        why = _not_tried(server, network.sockets[before:], arguments, flow)
        if why is not None:
            return _answer(None, why)
        match RobotServerResponsesAnalyzer(said, len(next(iter(said.values())))).compute_result_enum():
            case RobotScanResultEnum.VULNERABLE_STRONG_ORACLE:
                return _answer(True, "strong oracle")
            case RobotScanResultEnum.VULNERABLE_WEAK_ORACLE:
                return _answer(True, "weak oracle")
            case RobotScanResultEnum.UNKNOWN_INCONSISTENT_RESULTS:
                return _answer(None, "the server's answers are not the same each time")
    why = _perhaps_not_decrypted(network, arguments)
    return _answer(False) if why is None else _answer(None, why)


def _oracle_answers(
    server: _SslyzeServer, arguments: Mapping[str, Any], flow: Flow
) -> dict[RobotPmsPaddingPayloadEnum, list[str]]:
    """The server's answers to each message, by round; warning alerts are put before what sslyze sees.

    If the rest of a handshake does not follow, one round is enough if all its answers are the same.
    """
    modulus, exponent = int(arguments["modulus"], 16), int(arguments["exponent"])
    rounds: list[dict[RobotPmsPaddingPayloadEnum, str]] = []
    while len(rounds) < ROUNDS:
        full = flow is Flow.FULL
        said = _run_oracle_detection(server, server.version, ":".join(server.suites), modulus, exponent, full)
        sockets = server.network.sockets[-len(said) :]
        warnings = [read_flight(socket.received).warnings.hex() for socket in sockets]
        rounds.append({payload: before + said[payload] for payload, before in zip(said, warnings, strict=True)})
        if not full and len(set(rounds[0].values())) == 1:
            break
    return {payload: [one[payload] for one in rounds] for payload in RobotPmsPaddingPayloadEnum}


def _not_tried(server: _SslyzeServer, sockets: list[Socket], arguments: Mapping[str, Any], flow: Flow) -> str | None:
    """Why the answers on these connections mean nothing; None if they may mean something."""
    modulus = int(arguments["modulus"], 16)
    key = modulus.to_bytes((modulus.bit_length() + 7) // 8, "big")
    answers = []
    for socket in sockets:
        flight = read_flight(socket.received)
        rest = bytes(socket.received[flight.end :])
        # Bytes that are not TLS may be the end of a server that was asked to close (xrdp), and nothing else.
        spoke_on = rest[:1] and rest[0] != ALERT and (flow is Flow.FULL or rest[0] in RECORD_TYPES)
        if not flight.whole or spoke_on or socket.ending is Ending.CUT_OFF:
            return "the handshake did not get to the attack"
        if key not in flight.messages.get(CERTIFICATE, b""):
            return "the server uses another key here than before"
        answers.append(rest)
    silent = all(socket.ending is Ending.SILENT for socket in sockets)
    if silent or (flow is Flow.FULL and not any(map(_is_definite, answers)) and not waits(server)):
        return "the server never answered"
    return None


def _is_definite(said: bytes) -> bool:
    """Whether this is an answer to the message; a close and some alerts need not be."""
    return bool(said) and _alert(said) not in _GENERAL


def _perhaps_not_decrypted(network: Network, arguments: Mapping[str, Any]) -> str | None:
    """Why a server may have rejected each message before it decrypted it; None if it has decrypted them."""
    asks = any(CERTIFICATE_REQUEST in read_flight(socket.received).messages for socket in network.sockets)
    match arguments["client_certificates"] if asks else "requested":
        case "requested":
            return None
        case _ if arguments["client_chain"]:
            return "the server wants a client certificate, and the test cannot send a CertificateVerify"
        case "required":
            return "the server demands a client certificate, and none is configured"
        case _:
            return "the server wants a client certificate, and it is not known whether it goes on without one"


# --- renegotiation ----------------------------------------------------------------------------------------------------


def client_renegotiation(arguments: Mapping[str, Any], network: Network) -> dict[str, object]:
    """CVE-2011-1473: vulnerable if the server grants all renegotiations that are requested in a row.

    The newer OpenSSL is tried second. It can do what servers with only X25519 or Ed25519 need, and has no weak suites.
    """
    failures = []
    for old in reversed(_stacks(arguments)):
        try:
            return _renegotiate(_server(arguments, network, old=old))
        except (ClientCertificateRequested, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - as in `_by_one_connection`
            failures.append(_as_text(error))
    return _answer(None, failures[0])


def _renegotiate(server: _SslyzeServer) -> dict[str, object]:
    """Run the test as sslyze does.

    sslyze takes silence for a refusal, because Netty refuses in that way. But a slow or unreachable server is silent
    too, so silence means unknown here.

    sslyze also takes alerts and closes for refusals. Except for no_renegotiation (RFC 5246, 7.2.2), they may have other
    causes. So several tries must give the same number, and a close is a refusal only if the server would have kept the
    connection open.
    """
    tries = list[tuple[int, Ending | None]]()
    while len(tries) <= CONFIRMATIONS:
        _, (vulnerable, granted) = _test_client_renegotiation(server, RENEGOTIATIONS)
        ending = server.network.sockets[-1].ending
        refuses = any(_NO_RENEGOTIATION in why for why in server.refusals)
        if (vulnerable or refuses) and not tries:
            return _granted(vulnerable, granted)
        if ending in {Ending.SILENT, Ending.CUT_OFF}:
            return _answer(None, "the server did not answer")
        tries.append((granted, ending))
    granted = tries[0][0]
    if any(other != granted for other, _ in tries):
        return _answer(None, "the server's answers are not the same each time")
    if any(ending in _GONE for _, ending in tries) and not waits_after_handshake(server):
        return _answer(None, "the server closes the connection without a renegotiation, too")
    return _granted(False, granted)


_NO_RENEGOTIATION = "no renegotiation"
"""Part of OpenSSL's text for that alert."""


def _granted(vulnerable: bool, granted: int) -> dict[str, object]:
    return _answer(vulnerable, f"granted {granted} in a row" if granted else "")


def _as_text(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _tolerant(job: Callable[[Mapping[str, Any], Network], dict[str, object]]) -> Callable[..., object]:
    """Map what sslyze raises to unknown: the attack was not tried on such a server."""

    def run(arguments: Mapping[str, Any], network: Network) -> dict[str, object]:
        try:
            return job(arguments, network)
        except ClientCertificateRequested:
            return _answer(None, "the server wants a client certificate")
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a border: sslyze raises much, some of it frozen
            return _answer(None, _as_text(error))

    return run


JOBS = {job.__name__: _tolerant(job) for job in (heartbleed, ccs_injection, robot, client_renegotiation)}
