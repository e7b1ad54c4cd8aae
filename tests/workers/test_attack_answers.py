"""Which answers of a server rule an attack out, and which only look as if they did."""

import time
from pathlib import Path

import pytest

from exporter.workers.wire import Ending
from tests.support.scripted_wire import FLIGHT, Script, TlsScript, alert, attack, record
from tests.support.servers import Pki, make_pki

BLEEDING = record(24, b"\x02\x3f\xfd" + b"\x01" * 16000)
MAC, UNEXPECTED, FAILURE, INTERNAL = (alert(2, number) for number in (20, 10, 40, 80))
HEARTBEAT, APPLICATION_DATA = 24, 23
WITH_ECDHE = "ECDHE-RSA-AES128-GCM-SHA256"
MOST_CPU_SECONDS = 10


class Vulnerable(Script):
    """Bleeds, and decrypts after an early ChangeCipherSpec."""

    def more(self, data: bytes) -> None:
        if data[0] == HEARTBEAT and BLEEDING not in self.queue:
            self.queue.append(BLEEDING)
        if data[0] == APPLICATION_DATA:
            self.queue.append(MAC)


class Refusing(Script):
    """Says this to whatever comes after the ClientHello."""

    def __init__(self, *answer: bytes | Ending) -> None:
        super().__init__()
        self._answer = answer

    def more(self, data: bytes) -> None:
        self.queue[1:] = self._answer


class Unasked(Script):
    """Says this right behind its first flight, in one segment or in the next."""

    def __init__(self, *answer: bytes | Ending, at_once: bool = False) -> None:
        super().__init__()
        self._answer, self._at_once = answer, at_once

    def hello(self, _data: bytes) -> None:
        if self._at_once and isinstance(self._answer[0], bytes):
            self.queue.extend((FLIGHT + self._answer[0], *self._answer[1:]))
        else:
            self.queue.extend((FLIGHT, *self._answer))


class WarningFirst(Vulnerable):
    """Sends a warning behind its first flight, and is vulnerable."""

    def hello(self, _data: bytes) -> None:
        self.queue.extend((FLIGHT, alert(1, 90)))


# --- one end of a connection ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [(Ending.RESET,), (Ending.ORDERLY,), (INTERNAL, Ending.ORDERLY), (FAILURE,)])
@pytest.mark.parametrize("name", ["heartbleed", "ccs_injection"])
def test_one_end_of_a_connection_rules_nothing_out(name: str, answer: tuple[bytes | Ending, ...]) -> None:
    vulnerable, _ = attack(name, lambda number: Refusing(*answer) if number == 1 else Vulnerable())
    assert vulnerable is not False


@pytest.mark.parametrize(
    ("name", "answer", "connections"),
    [
        ("heartbleed", (UNEXPECTED, Ending.ORDERLY), 1),
        ("heartbleed", (FAILURE, Ending.ORDERLY), 5),
        ("heartbleed", (Ending.RESET,), 6),
        ("ccs_injection", (UNEXPECTED, Ending.ORDERLY), 1),
        ("ccs_injection", (FAILURE, Ending.ORDERLY), 5),
        ("ccs_injection", (Ending.RESET,), 5),
    ],
)
def test_what_is_refused_each_time_is_ruled_out(
    name: str, answer: tuple[bytes | Ending, ...], connections: int
) -> None:
    assert attack(name, lambda _number: Refusing(*answer)) == (False, connections)


def test_a_reset_that_overtakes_the_alert_at_times_is_a_refusal_too() -> None:
    answers: list[bytes | Ending] = [UNEXPECTED, Ending.RESET]
    assert attack("ccs_injection", lambda number: Refusing(*answers[number % 2 :])) == (False, 5)


# --- alerts that are no answer ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("said", [INTERNAL, FAILURE])
@pytest.mark.parametrize("name", ["heartbleed", "ccs_injection", "robot"])
def test_an_alert_that_is_there_unasked_is_no_answer(name: str, said: bytes, at_once: bool) -> None:
    assert attack(name, lambda _number: Unasked(said, Ending.ORDERLY, at_once=at_once))[0] is None


@pytest.mark.parametrize("at_once", [True, False])
def test_a_bad_mac_that_is_there_unasked_is_none(at_once: bool) -> None:
    assert attack("ccs_injection", lambda _number: Unasked(MAC, at_once=at_once))[0] is None


@pytest.mark.parametrize("name", ["heartbleed", "ccs_injection"])
def test_the_answer_comes_behind_the_warnings(name: str) -> None:
    assert attack(name, lambda _number: WarningFirst())[0] is True


def test_a_warning_does_not_hide_an_oracle() -> None:
    class Oracle(Script):
        def __init__(self, number: int) -> None:
            super().__init__()
            self._answer = MAC if number % 5 == 1 else UNEXPECTED  # sslyze sends the right padding first

        def hello(self, _data: bytes) -> None:
            self.queue.extend((FLIGHT, alert(1, 90)))

        def more(self, data: bytes) -> None:
            self.queue[2:] = [self._answer]

    assert attack("robot", Oracle)[0] is True


# --- a crash ----------------------------------------------------------------------------------------------------------


class Crashing(Script):
    """Dies of reading too far, and takes no other notice of heartbeats."""

    def more(self, data: bytes) -> None:
        if data[0] == HEARTBEAT and b"\x01" * 1000 in data:
            self.queue[1:] = [Ending.RESET]


class CrashingBeating(Crashing):
    """Likewise, and answers valid heartbeats."""

    def more(self, data: bytes) -> None:
        super().more(data)
        if data[0] == HEARTBEAT and Ending.RESET not in self.queue:
            length = int.from_bytes(data[3:5], "big")
            self.queue.append(record(HEARTBEAT, b"\x02" + data[6 : 5 + length]))


@pytest.mark.parametrize("server", [Crashing, CrashingBeating])
def test_a_crash_is_no_refusal_of_heartbeats(server: type[Script]) -> None:
    assert attack("heartbleed", lambda _number: server()) == (None, 6)


# --- renegotiation ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


class Ends(TlsScript):
    """Its connection ends at so many flights of the client: two are a handshake, and two more each new one."""

    def __init__(self, pem: Path, most: int) -> None:
        super().__init__(pem)
        self._left = most

    def feed(self, data: bytes) -> None:
        self._left -= 1
        if self._left:
            super().feed(data)
        else:
            self.queue.append(Ending.RESET)


class EndsSoon(TlsScript):
    """Ends the connection after the handshake, whatever is asked for then."""

    def feed(self, data: bytes) -> None:
        finished = data[0] != 22 or data[5] != 1  # anything but a ClientHello
        super().feed(data)
        if finished:
            self.queue.append(Ending.ORDERLY)


@pytest.mark.parametrize(
    ("ends_at", "vulnerable"),
    [
        ((3, 3, 3, 3), False),
        ((7, 7, 7, 7), False),
        ((3,), None),  # the others grant ten
        ((7,), None),
        ((7, 9, 7, 7), None),
    ],
)
def test_renegotiations_end_at_the_same_number_each_time(
    ends_at: tuple[int, ...], vulnerable: bool | None, pki: Pki
) -> None:
    def server(number: int) -> Script:
        return Ends(pki.rsa, ends_at[number - 1]) if number <= len(ends_at) else TlsScript(pki.rsa)

    connections = 5 if vulnerable is False else 4  # the fifth shows that the server would have stayed
    assert attack("client_renegotiation", server, WITH_ECDHE) == (vulnerable, connections)


def test_a_time_limit_is_no_limit_of_renegotiations(pki: Pki) -> None:
    def server(number: int) -> Script:
        return Ends(pki.rsa, 7) if number <= 4 else EndsSoon(pki.rsa)

    assert attack("client_renegotiation", server, WITH_ECDHE) == (None, 5)


def test_ten_renegotiations_in_a_row_need_no_second_try(pki: Pki) -> None:
    assert attack("client_renegotiation", lambda _number: TlsScript(pki.rsa), WITH_ECDHE) == (True, 1)


def test_no_renegotiation_needs_no_second_try(pki: Pki) -> None:
    assert attack("client_renegotiation", lambda _number: TlsScript(pki.rsa, renegotiates=False), WITH_ECDHE) == (
        False,
        1,
    )


# --- hostile bytes ----------------------------------------------------------------------------------------------------


def segments(data: bytes) -> list[bytes]:
    return [data[start : start + 1440] for start in range(0, len(data), 1440)]


@pytest.mark.parametrize("piece", [record(22, b""), record(22, b"\x00"), alert(1, 112)])
@pytest.mark.parametrize("name", ["heartbleed", "ccs_injection", "robot"])
def test_many_small_records_cost_no_time(name: str, piece: bytes) -> None:
    """Parsed again with each segment, 256 KiB of them took 25 s of processor time; now it is some tenths."""

    class Hostile(Script):
        def hello(self, _data: bytes) -> None:
            self.queue.extend(segments(piece * ((1 << 18) // len(piece))))

    before = time.process_time()
    assert attack(name, lambda _number: Hostile())[0] is None
    assert time.process_time() - before < MOST_CPU_SECONDS
