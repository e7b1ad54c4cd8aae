"""Attacks that need an old TLS stack, tried by sslyze's own tests. Only workers import this: it loads two OpenSSLs.

sslyze's functions are called one by one, with a server that hands out our connections. They say "not vulnerable" also
where they never came to try; so what went over the connection is looked at, and without a try the answer is None.
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
"""Of ROBOT's five messages, as sslyze has it: answers must be the same each time."""
CONFIRMATIONS = 3
"""More tries of what seems to work, and of what is turned down by an alert or a close, before it is said."""
RENEGOTIATIONS = 10
"""Asked for in a row, as sslyze does. Servers that are protected by a limit allow three (Node.js) or five (BIG-IP)."""

_VERSIONS = {
    "SSLv3": TlsVersionEnum.SSL_3_0,
    "TLSv1.0": TlsVersionEnum.TLS_1_0,
    "TLSv1.1": TlsVersionEnum.TLS_1_1,
    "TLSv1.2": TlsVersionEnum.TLS_1_2,
}
_CANNOT_DECRYPT, _DECLINES = {20, 21}, {10, 40}
"""bad_record_mac and decryption_failed; unexpected_message and handshake_failure (RFC 5246, 7.2.2)."""
_GENERAL = {40, 80}
"""handshake_failure and internal_error: servers also send them for reasons of their own, such as load."""
_ALLOW_UNSAFE_LEGACY_RENEGOTIATION = 0x00040000
"""SSL_OP_* of ssl.h, in both of nassl's OpenSSLs."""
_GONE = {Ending.ORDERLY, Ending.RESET}
_SOMEWHERE = ServerNetworkLocation(hostname="unused.invalid", port=443, ip_address="192.0.2.1")
"""sslyze wants to be told where the server is; it is never asked to go there (RFC 5737)."""


View = Callable[[Socket], Any]
"""A connection -> what sslyze has in its place."""


def _as_it_is(socket: Socket) -> Socket:
    return socket


class _OurConnection(SslConnection):  # type: ignore[misc]  # sslyze is untyped here
    """sslyze's connection over one of ours."""

    network: Network
    view: "View"

    def _do_pre_handshake(self) -> None:
        self.ssl_client.set_underlying_socket(self.view(self.network.connect()))


class _Renegotiating(SslClient, LegacySslClient):
    """The newer OpenSSL as a client that can ask for a renegotiation: nassl has that for the old one alone."""

    do_handshake = BaseSslClient.do_handshake


def _noting(renegotiate: Callable[[], None], refusals: list[str]) -> None:
    try:
        renegotiate()
    except OpenSSLError as error:
        refusals.append(str(error))
        raise


@dataclass(frozen=True)
class _Server:
    """What sslyze's tests take for its `ServerConnectivityInfo`.

    Attributes:
        name: always sent where there is one. sslyze leaves it out at times, for the sake of old servers; but without it
            another service may answer.
        suites: OpenSSL names of those that the server accepts in this version.
        old: the OpenSSL of 2015 is used, as it must be for what is older than TLS 1.2.
        view: what sslyze sees of its connections.
        refusals: why OpenSSL says that renegotiations failed; sslyze does not tell.
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
        # nassl's clients refuse by themselves to renegotiate without RFC 5746; it is the server that is asked.
        connection.ssl_client._ssl.set_options(_ALLOW_UNSAFE_LEGACY_RENEGOTIATION)  # noqa: SLF001
        with suppress(OpenSSLError):  # without any of them it keeps its usual list; the server will say no
            connection.ssl_client.set_cipher_list(":".join(self.suites))
        return connection


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


def _waits(server: _Server, handshake: Callable[[Any], None]) -> bytes | None:
    """What the server says after its first flight when we stop there; None unless it waits then.

    Only where it waits, its closing is an answer to what follows.
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


def waits(server: _Server) -> bool:
    """Whether the server waits after its first flight, as it should, and says nothing there."""
    return _waits(server, _wait_for_flight) == b""


def waits_after_handshake(server: _Server) -> bool:
    """Whether the server waits for what a client says first; a greeting of its own is no matter."""
    return _waits(server, _shake_hands_and_wait) is not None


def _answer(vulnerable: bool | None, detail: str = "") -> dict[str, object]:
    return {"vulnerable": vulnerable, "detail": detail}


def _server(arguments: Mapping[str, Any], network: Network, *, old: bool, view: View = _as_it_is) -> _Server:
    version, suites = _VERSIONS[arguments["protocol"]], tuple(arguments["suites"])
    return _Server(network, version, arguments["server_name"], suites, old, view)


def _stacks(arguments: Mapping[str, Any]) -> tuple[bool, ...]:
    """`old` of each OpenSSL that can be used: for TLS 1.2 the newer one first, for what is older the old one alone."""
    return (False, True) if arguments["protocol"] == "TLSv1.2" else (True,)


class Answer(Enum):
    """What one try says."""

    VULNERABLE = "the attack works"
    SAFE = "the server goes on as one that is not vulnerable"
    DECLINES = "an alert that answers what was sent"
    FAILS = "an alert that may have another cause"
    CLOSES = "the end of the connection, which may have another cause"
    NOTHING = "nothing that tells"


@dataclass(frozen=True)
class _Attack:
    """An attack that one connection shows.

    Attributes:
        test: sslyze's.
        view: what sslyze sees of a connection.
        read: what the server said after its first flight, where sslyze's verdict was "not vulnerable" -> the answer.
        harmless: what one try without the attack says, where a server that ends the connection may have crashed.
        is_shown_by_alert: that is how a vulnerable server is known; some send it unasked.
    """

    test: Callable[[_Server], bool]
    view: View
    read: Callable[[bytes], Answer]
    harmless: Callable[[_Server], Answer] | None = None
    is_shown_by_alert: bool = False


def _by_one_connection(attack: _Attack, arguments: Mapping[str, Any], network: Network) -> dict[str, object]:
    """The test, as sslyze does it; once more with the older OpenSSL where it was none."""
    why = "the server did not go along to where it is tried, or answered nothing that tells"
    for old in _stacks(arguments):
        try:
            answers = _answers(attack, _server(arguments, network, old=old, view=attack.view))
            if answers == {Answer.NOTHING}:
                continue
            return _judged(attack, _server(arguments, network, old=old), answers)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a border: sslyze raises much, and it may be this OpenSSL's fault
            why = _as_text(error)
    return _answer(None, why)


def _answers(attack: _Attack, server: _Server) -> set[Answer]:
    """What the tries say; one is enough where the server goes on, turns down what was sent, or says nothing.

    Others must come out the same each time: some answers are only right by chance, and a connection ends for many
    reasons. Whether a refusal is an alert or a close is chance too: a reset overtakes the alert.
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


def _judged(attack: _Attack, server: _Server, answers: set[Answer]) -> dict[str, object]:
    """The verdict; what may have another cause counts only where the controls show none."""
    works = answers == {Answer.VULNERABLE}
    if answers == {Answer.SAFE} or (works and not attack.is_shown_by_alert):
        return _answer(works)
    if not works and not answers <= _REFUSALS:
        return _answer(None, "the server's answers are not the same each time")
    if answers != {Answer.DECLINES} and not waits(server):
        return _answer(None, "the server ends the connection by itself")
    if Answer.CLOSES in answers and attack.harmless and attack.harmless(server) not in answers:
        return _answer(None, "the server ends the connection, as it does where the attack makes it crash")
    return _answer(works)


def _once(attack: _Attack, server: _Server) -> Answer:
    """What one try says."""
    if attack.test(server):
        return Answer.VULNERABLE
    said = after_flight(server.network.sockets[-1])
    if said is None or _is_closed(server.network.sockets[-1]):
        return Answer.NOTHING if said is None else Answer.CLOSES
    return attack.read(said)


def _is_closed(socket: Socket) -> bool:
    """Whether the server ended the connection and said nothing else after its first flight."""
    said = after_flight(socket)
    return (said == b"" and socket.ending in _GONE) or (said or b"")[5:7] == CLOSE_NOTIFY


def _alert(said: bytes) -> int | None:
    """The description of the alert that this begins with."""
    return said[6] if said[:1] == bytes([ALERT]) and len(said) >= 7 else None


# --- Heartbleed -------------------------------------------------------------------------------------------------------

_MARK = b"tls-posture-exporter"
_VALID_BYTES = 4096
"""Of the payload: OpenSSL keeps up to 4096 bytes of a handshake back (the buffer of BIO_f_buffer)."""
_PADDING = bytes(16)
"""RFC 6520, 4: the least that a heartbeat must have, and what sslyze's lacks."""


class _Beating(Shortened):
    """Behind sslyze's heartbeats comes a valid one, and then a message that no server takes there.

    They are answered in this order, and what answers a later one has read the ones before. OpenSSL answers the valid
    heartbeat; a server that drops heartbeats during a handshake (RFC 6520, 3) turns down the message.

    sslyze sends its heartbeats right behind the ClientHello. They are held back until the first flight has come: what
    comes right behind that is no answer to them then.
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
    """Discarding sslyze's message without a word is right (RFC 6520, 4), and so is being slow.

    So "no" needs an answer to what was sent after it.
    """
    alert = _alert(said)
    if alert is not None:
        return Answer.FAILS if alert in _GENERAL else Answer.DECLINES
    kind, body = next(records(said), (None, b""))
    answers = body[:1] == b"\x02" and body[1:3] == _VALID_BYTES.to_bytes(2, "big") and body[3:].startswith(_MARK)
    return Answer.SAFE if kind == HEARTBEAT and answers else Answer.NOTHING


def _without_sslyzes(server: _Server) -> Answer:
    """What the server says to the valid heartbeat and the message behind it alone."""
    return _once(_HEARTBLEED, replace(server, view=partial(_Beating, with_sslyzes=False)))


_HEARTBLEED = _Attack(_test_heartbleed, _Beating, _read_heartbeat, _without_sslyzes)


def heartbleed(arguments: Mapping[str, Any], network: Network) -> dict[str, object]:
    """CVE-2014-0160. A server that ends the connection may have crashed: memory behind the buffer need not be there."""
    return _by_one_connection(_HEARTBLEED, arguments, network)


# --- CCS injection ----------------------------------------------------------------------------------------------------


class _Injecting(Shortened):
    """sslyze's record of two bytes is made longer: one that is shorter than a MAC is not checked with RC4 or CBC."""

    def outgoing(self, data: bytes) -> bytes:
        return self.record(APPLICATION_DATA, bytes(_CHECKED_BYTES)) if data[:1] == bytes([APPLICATION_DATA]) else data


_CHECKED_BYTES = 96
"""Blocks of 8 and of 16, and room for the longest MAC (48), an initialization vector and padding."""


def ccs_injection(arguments: Mapping[str, Any], network: Network) -> dict[str, object]:
    """CVE-2014-0224. What comes too early is answered by an alert or a close (RFC 5246, 7.2.2), never by silence.

    A server that took it decrypts what comes next, and cannot: that is bad_record_mac, as sslyze knows it; of CBC
    OpenSSL 1.0.1 says decryption_failed at times. So other alerts leave it open.
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
"""Between a ClientKeyExchange and what comes behind it, where that is not the rest of a handshake: as long as two of
the server's answers take, so that it sees the one before the other."""


_NO_TLS = b"\x01\x5a"
"""user_canceled (RFC 8446, 6.1), which stands for any answer that is no TLS: no server sends it here."""


class Flow(Enum):
    """What comes behind the ClientKeyExchange.

    The paper's second round sends nothing more, and takes silence for one of the answers. Here something follows that
    ends the silence: what a server says of the ClientKeyExchange comes before. It follows in two forms, since one of
    the answers to them may be what the server says of wrong padding too.
    """

    FULL = "ChangeCipherSpec and Finished"
    UNEXPECTED = "Finished without a ChangeCipherSpec, which is turned down by an alert"
    CLOSE_NOTIFY = "close_notify, which is answered by the end"


def _with_length(data: bytes) -> bytes:
    return len(data).to_bytes(3, "big") + data


class _Oracle(Shortened):
    """A connection for one ClientKeyExchange.

    Who is asked for a certificate shows its chain, or that it has none (RFC 5246, 7.4.6). Its key is not at hand here,
    so no CertificateVerify follows.

    Attributes:
        slowest: seconds that answers took, the longest so far; all connections of a job share it.
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
        """What the server says; sslyze cannot read what is no TLS, such as xrdp's word that it ends the connection."""
        data = super().incoming()
        return data if not data or data[0] in RECORD_TYPES else self.record(ALERT, _NO_TLS)


def robot(arguments: Mapping[str, Any], network: Network) -> dict[str, object]:
    """ROBOT (CVE-2017-13099 and others): five ClientKeyExchanges, of which four are padded wrongly, in three flows.

    The RSA key comes with the job, where sslyze would make up to two handshakes a round for it. A server tells nothing
    by its answers where it did not come to decrypt: with another key, or since it waits for a client's certificate.
    """
    if arguments["protocol"] == "SSLv3":
        return _answer(None, "sslyze's messages begin as they do from TLSv1.0 on (RFC 5246, 7.4.7.1)")
    slowest, chain = [0.0], [bytes.fromhex(one) for one in arguments["client_chain"]]
    for flow in Flow:
        # It also has the suites that only old servers have.
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
    server: _Server, arguments: Mapping[str, Any], flow: Flow
) -> dict[RobotPmsPaddingPayloadEnum, list[str]]:
    """What the server said to each message, round by round; warnings come before what sslyze sees of that.

    Without the rest of a handshake one round will do where all answers are the same.
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


def _not_tried(server: _Server, sockets: list[Socket], arguments: Mapping[str, Any], flow: Flow) -> str | None:
    """Why the answers on these connections tell nothing; None where they may."""
    modulus = int(arguments["modulus"], 16)
    key = modulus.to_bytes((modulus.bit_length() + 7) // 8, "big")
    answers = []
    for socket in sockets:
        flight = read_flight(socket.received)
        rest = bytes(socket.received[flight.end :])
        # What is no TLS may be the end of a server that was told to end (xrdp), and nothing else.
        spoke_on = rest[:1] and rest[0] != ALERT and (flow is Flow.FULL or rest[0] in RECORD_TYPES)
        if not flight.whole or spoke_on or socket.ending is Ending.CUT_OFF:
            return "the server did not go along to where it is tried"
        if key not in flight.messages.get(CERTIFICATE, b""):
            return "the server shows another key there than before"
        answers.append(rest)
    silent = all(socket.ending is Ending.SILENT for socket in sockets)
    if silent or (flow is Flow.FULL and not any(map(_is_definite, answers)) and not waits(server)):
        return "the server never answered"
    return None


def _is_definite(said: bytes) -> bool:
    """Whether this is an answer, which the end of the connection and some alerts need not be."""
    return bool(said) and _alert(said) not in _GENERAL


def _perhaps_not_decrypted(network: Network, arguments: Mapping[str, Any]) -> str | None:
    """Why a server may have turned each message down before it decrypted it; None where it has not."""
    asks = any(CERTIFICATE_REQUEST in read_flight(socket.received).messages for socket in network.sockets)
    match arguments["client_certificates"] if asks else "requested":
        case "requested":
            return None
        case _ if arguments["client_chain"]:
            return "the server wants a client certificate, and what comes after its proof is not tried"
        case "required":
            return "the server demands a client certificate, and none is configured"
        case _:
            return "the server wants a client certificate, and it is not known whether it goes on without one"


# --- renegotiation ----------------------------------------------------------------------------------------------------


def client_renegotiation(arguments: Mapping[str, Any], network: Network) -> dict[str, object]:
    """CVE-2011-1473: vulnerable when it grants all that are asked for in a row.

    The newer OpenSSL comes second: it has what servers with X25519 or Ed25519 alone need, and no weak suites.
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


def _renegotiate(server: _Server) -> dict[str, object]:
    """The test, as sslyze does it.

    sslyze takes silence for a refusal, since Netty refuses so; a server that is slow or gone is silent too. Alerts and
    closes it takes for one as well. But for no_renegotiation (RFC 5246, 7.2.2) they may have other causes. So each of
    some tries must come to the same number, and a close is a refusal only where the server would have stayed.
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
        return _answer(None, "the server closes the connection by itself")
    return _granted(False, granted)


_NO_RENEGOTIATION = "no renegotiation"
"""In OpenSSL's text for that alert."""


def _granted(vulnerable: bool, granted: int) -> dict[str, object]:
    return _answer(vulnerable, f"granted {granted} in a row" if granted else "")


def _as_text(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


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
            return _answer(None, _as_text(error))

    return run


JOBS = {job.__name__: _tolerant(job) for job in (heartbleed, ccs_injection, robot, client_renegotiation)}
