"""Run as a program: an HTTPS server on OpenSSL 1.0.2e (old_openssl.py). Arguments: port, PEM file, settings as JSON.

Settings: `suites`, `versions`, `prime` (hexadecimal), `export_key`, `compression`, `asks_for_certificate`,
`demands_certificate`, `client_ca` (PEM file), `fragment` (most bytes of a record, 512 or more), `renegotiations` (how
many a client may ask for; null for any number), `stays` (after a handshake, as servers do), `late_seconds` (before it
reads what comes after its first flight), and `fault`, one of FAULTS: what this OpenSSL does not have, done to what
passes by.
"""

import json
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.support.old_openssl import (
    HANDSHAKE_START,
    INFO_CALLBACK,
    NO_COMPRESSION,
    NO_VERSION,
    SET_MAX_SEND_FRAGMENT,
    SET_OPTIONS,
    Context,
    Session,
    watch_rsa,
)

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
TIMEOUT_SECONDS = 10
SPITE_SECONDS = 60
CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, HEARTBEAT = 20, 21, 22, 24
UNEXPECTED_MESSAGE, BAD_RECORD_MAC, DECRYPTION_FAILED = 10, 20, 21
ILLEGAL_PARAMETER, DECODE_ERROR, DECRYPT_ERROR = 47, 50, 51
HEARTBEAT_REQUEST = b"\x01"
BUFFER_SIZE = 4096  # of BIO_f_buffer (bf_buff.c)
IN_ONE_PIECE = ("AES_128_CBC_SHA", "AES_256_CBC_SHA", "RC4_128_MD5")
MAC_SIZES = {"MD5": 16, "SHA": 20, "SHA256": 32, "SHA384": 48}

here = threading.local()
"""Whose connection OpenSSL is working for when it calls back: it does so in the thread that called it."""


def record(kind: int, version: bytes, body: bytes) -> bytes:
    return bytes([kind]) + version + len(body).to_bytes(2, "big") + body


class Fault:
    """None: everything goes to OpenSSL. The base of those that take something away from it.

    Attributes:
        flight: what the server has sent.
        over: the connection is to end.
        spite: what to do to the client from now on.
    """

    def __init__(self) -> None:
        self.flight = b""
        self.over = False
        self.spite: Callable[[socket.socket], None] | None = None

    @property
    def version(self) -> bytes:
        return self.flight[1:3] or b"\x03\x01"

    def alert(self, description: int) -> bytes:
        self.over = True
        return record(ALERT, self.version, bytes([2, description]))

    def take(self, received: bytes) -> bytes | None:
        """What to answer to a record in OpenSSL's place, or None to let it have it."""
        return None

    def decrypted(self, block: bytes) -> None:
        """An RSA key exchange came to this."""

    def failed(self, answer: bytes) -> bytes:
        """What to say in place of OpenSSL's answer to a handshake that failed after the server's flight."""
        return answer


class Heartbleed(Fault):
    """CVE-2014-0160: a heartbeat comes back as long as it says it is, with what the buffer held before.

    As OpenSSL 1.0.1e does it in a handshake, where its output passes a buffer that keeps what is short.
    """

    def __init__(self) -> None:
        super().__init__()
        self.memory = bytearray(1 << 17)
        self.clear = True

    def take(self, received: bytes) -> bytes | None:
        body = received[5:]
        self.memory[: len(body)] = body
        self.clear = self.clear and received[0] != CHANGE_CIPHER_SPEC
        if received[0] != HEARTBEAT or not self.clear:
            return None
        if body[:1] != HEARTBEAT_REQUEST:
            return b""
        length = int.from_bytes(body[1:3], "big")
        answer = b"\x02" + body[1:3] + self.memory[3 : 3 + length] + bytes(16)
        parts = [record(HEARTBEAT, self.version, answer[at : at + 16384]) for at in range(0, len(answer), 16384)]
        return b"".join(part for part in parts if len(part) > BUFFER_SIZE)


class CcsInjection(Fault):
    """CVE-2014-0224: a ChangeCipherSpec before the key exchange is heeded, and what follows is deciphered.

    The alerts are those of OpenSSL 1.0.1e, as Node.js 0.10.1 has it: compared for seven suites, the three versions and
    records of three kinds and eight lengths. They differ by cipher and length; and some ciphers are in one piece with
    their MAC, so that nothing is found wrong before it.
    """

    def __init__(self) -> None:
        # Here, since every other server would start a second later for it.
        from exporter.tls.suites import BY_CODE  # noqa: PLC0415

        super().__init__()
        self.suites = BY_CODE
        self.exchanged = self.injected = False

    def take(self, received: bytes) -> bytes | None:
        if self.injected:
            return self.alert(self.complaint(len(received) - 5))
        if received[0] == CHANGE_CIPHER_SPEC and self.flight and not self.exchanged:
            self.injected = True
            return b""
        self.exchanged = self.exchanged or bool(self.flight)
        return None

    def complaint(self, length: int) -> int:
        at = 43 + 1 + self.flight[43]  # after the record's header, the message's, version, random and session
        suite = self.suites[int.from_bytes(self.flight[at : at + 2], "big")]
        mac = 0 if suite.name.endswith(IN_ONE_PIECE) else MAC_SIZES[suite.name.rpartition("_")[2]]
        if suite.cbc:
            block = 8 if "DES" in suite.name or "IDEA" in suite.name else 16
            least = mac + 1 + (block if self.version > b"\x03\x01" else 0) if mac else block
            return DECRYPTION_FAILED if length % block or length < least else BAD_RECORD_MAC
        if "RC4" in suite.name:
            return DECODE_ERROR if length < mac else BAD_RECORD_MAC
        return BAD_RECORD_MAC


class Robot(Fault):
    """CVE-2017-13099 and its kin: the answer to a failed handshake tells of the padding of its RSA key exchange."""

    def __init__(self, tells: Callable[[bytes], bool]) -> None:
        super().__init__()
        self.tells = tells
        self.bad = False

    def decrypted(self, block: bytes) -> None:
        self.bad = self.tells(block)

    def failed(self, answer: bytes) -> bytes:
        return self.alert(DECRYPT_ERROR) if self.bad else answer


class ShortRobot(Robot):
    """An oracle that shows only to who sends no ChangeCipherSpec: by this alert, or by a mere close."""

    def __init__(self, description: int | None) -> None:
        super().__init__(not_pkcs1)
        self.description = description

    def take(self, received: bytes) -> bytes | None:
        bad, self.bad = self.bad, False  # with a ChangeCipherSpec it is forgotten
        if not bad or received[0] == CHANGE_CIPHER_SPEC:
            return None
        self.over = True
        return b"" if self.description is None else self.alert(self.description)


class Moody(Fault):
    """The answer to a failed handshake depends on nothing that a client could know."""

    mood = random.Random(4)  # noqa: S311 - to be the same in every run

    def failed(self, answer: bytes) -> bytes:
        return self.alert(self.mood.choice((BAD_RECORD_MAC, ILLEGAL_PARAMETER, DECRYPT_ERROR)))


class Spiteful(Fault):
    """A good server to whoever shakes hands as one should, and a tester's enemy from the first odd record on.

    Odd is a heartbeat, an early ChangeCipherSpec, what breaks a handshake that had begun, and whatever opens a second.
    """

    def __init__(self, spite: Callable[[socket.socket], None]) -> None:
        super().__init__()
        self.then = spite
        self.exchanged = False
        self.secret = 0

    def take(self, received: bytes) -> bytes | None:
        early = received[0] == CHANGE_CIPHER_SPEC and not self.exchanged
        if received[0] == HEARTBEAT or early or (received[0] == HANDSHAKE and self.secret > 1):
            self.spite = self.then
            return b""
        self.exchanged = self.exchanged or bool(self.flight)
        self.secret += bool(self.secret) or received[0] == CHANGE_CIPHER_SPEC  # the Finished is the second
        return None

    def failed(self, answer: bytes) -> bytes:
        self.spite = self.then
        return b""


def be_silent(raw: socket.socket) -> None:
    raw.settimeout(SPITE_SECONDS)
    while raw.recv(65536):
        pass


def drip(raw: socket.socket) -> None:
    """The beginning of a long record, a byte a second."""
    for byte in record(HANDSHAKE, b"\x03\x03", bytes(int(SPITE_SECONDS))):
        raw.sendall(bytes([byte]))
        time.sleep(1)


def flood(raw: socket.socket) -> None:
    """Handshake records without an end, HelloRequests all of them."""
    wave = record(HANDSHAKE, b"\x03\x03", bytes(4)) * 1000
    give_up = time.monotonic() + SPITE_SECONDS
    while time.monotonic() < give_up:
        raw.sendall(wave)


def send_garbage(raw: socket.socket) -> None:
    """Records of no kind, of a version that is none."""
    raw.sendall(record(0x63, b"\x63\x63", b"garbage") * 100)


def not_pkcs1(block: bytes) -> bool:
    """Whether the beginning is wrong: what an attacker needs for a strong oracle."""
    return block[:2] != b"\x00\x02"


def not_premaster(block: bytes) -> bool:
    """Whether anything is wrong but the version: a weak oracle."""
    return not_pkcs1(block) or block.find(0, 2) != len(block) - 49


FAULTS: Mapping[str, Callable[[], Fault]] = {
    "": Fault,
    "heartbleed": Heartbleed,
    "ccs_injection": CcsInjection,
    "robot-strong": lambda: Robot(not_pkcs1),
    "robot-weak": lambda: Robot(not_premaster),
    "robot-moody": Moody,
    "robot-short": lambda: ShortRobot(DECRYPT_ERROR),
    "robot-short-unexpected": lambda: ShortRobot(UNEXPECTED_MESSAGE),
    "robot-short-close": lambda: ShortRobot(None),
    "silent": lambda: Spiteful(be_silent),
    "drip": lambda: Spiteful(drip),
    "flood": lambda: Spiteful(flood),
    "garbage": lambda: Spiteful(send_garbage),
}


class Connection:
    """One client.

    Attributes:
        handshakes: how many have begun.
    """

    def __init__(self, context: Context, fault: Fault, settings: Mapping[str, Any]) -> None:
        self.session, self.fault, self.renegotiations = Session(context), fault, settings.get("renegotiations")
        self.stays, self.late_seconds = settings.get("stays", True), settings.get("late_seconds", 0)
        self.handshakes, self.pending = 0, b""

    def records(self, data: bytes) -> Iterator[bytes]:
        """What is whole by now; SSL 2 has records of another kind and comes as it is."""
        self.pending += data
        if (self.pending[0] | self.fault.flight[:1].ljust(1, b"\0")[0]) & 0x80:
            yield self.pending
            self.pending = b""
        while len(self.pending) >= 5 and len(self.pending) >= (end := 5 + int.from_bytes(self.pending[3:5], "big")):
            whole, self.pending = self.pending[:end], self.pending[end:]
            yield whole

    def answer(self, received: bytes) -> tuple[bytes, bool]:
        """What to send after this record, and whether the connection goes on."""
        taken = self.fault.take(received)
        if taken is not None:
            return taken, not self.fault.over
        here.connection = self
        self.session.feed(received)
        request, alive = self.session.read()
        if self.renegotiations is not None and self.handshakes > 1 + self.renegotiations:
            return b"", False
        if b"\n" in request:
            self.session.write(RESPONSE)
            alive = False
        alive = alive and (self.stays or not self.session.established)
        sent = self.session.drain()
        self.fault.flight += sent
        broken = not alive and self.fault.flight[:1] == bytes([HANDSHAKE]) and not self.session.established
        return (self.fault.failed(sent) if broken else sent), alive

    def serve(self, raw: socket.socket) -> None:
        raw.settimeout(TIMEOUT_SECONDS)
        while data := raw.recv(65536):
            for received in self.records(data):
                time.sleep(self.late_seconds if self.fault.flight else 0)
                sent, goes_on = self.answer(received)
                raw.sendall(sent)
                if self.fault.spite:
                    self.fault.spite(raw)
                if self.fault.spite or not goes_on:
                    return


def make_context(pem: Path, settings: Mapping[str, Any]) -> Context:
    suites = settings.get("suites", "ALL:COMPLEMENTOFALL")
    context = Context(pem, suites, set(settings.get("versions", NO_VERSION)))
    if not settings.get("compression"):
        context.control(SET_OPTIONS, NO_COMPRESSION)
    if settings.get("asks_for_certificate"):
        context.ask_for_certificate()
    if settings.get("demands_certificate"):
        context.ask_for_certificate(demand=True)
    if client_ca := settings.get("client_ca"):
        context.trust(client_ca)
    if fragment := settings.get("fragment"):
        context.control(SET_MAX_SEND_FRAGMENT, fragment)
    if settings.get("export_key"):
        context.use_export_key()
    if prime := settings.get("prime"):
        context.use_prime(int(prime, 16))
    return context


def on_info(_session: int, where: int, _value: int) -> None:
    if where & HANDSHAKE_START:
        here.connection.handshakes += 1


def serve_one(raw: socket.socket, connection: Connection) -> None:
    try:
        connection.serve(raw)
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(65536):  # so that no reset overtakes what was sent last
            pass
    except OSError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a program
    finally:
        raw.close()
        connection.session.free()


def main() -> None:
    port, pem, settings = int(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    kept = watch_rsa(lambda block: here.connection.fault.decrypted(block))  # noqa: PLW0108 - whose, is known then
    info = INFO_CALLBACK(on_info)
    context = make_context(pem, settings)
    context.on_info(info)
    make_fault = FAULTS[settings.get("fault", "")]
    make_fault()  # it may load something, for which no client should wait
    with socket.create_server(("127.0.0.1", port), backlog=128) as listener:
        while kept:
            raw, _ = listener.accept()
            connection = Connection(context, make_fault(), settings)
            threading.Thread(target=serve_one, args=(raw, connection), daemon=True).start()


if __name__ == "__main__":
    main()
