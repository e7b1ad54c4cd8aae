"""Servers that read only a part of a hello, or have their own way to refuse."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from exporter.errors import ProbeError
from exporter.facts.handshake import HandshakeFacts
from exporter.model import CipherOrder, Protocol, Reason
from exporter.tls.suites import VERSION_CODES, suite_name
from tests.support.pools import ByTurns
from tests.support.scripted import (
    CertificateFirst,
    End,
    Hello,
    Reply,
    Script,
    Seen,
    Stack,
    alert,
    record,
    server_hello,
    ssl2_server_hello,
)
from tests.support.targets import read_scripted as read

TLS13 = (0x1302, 0x1303, 0x1301)
GCM = (0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC02B, 0xC02F)
RSA_SCHEMES = (0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0201)
CBC = (0xC013, 0xC012, 0xC011, 0x0005, 0x000A)
"""With RC4 and 3DES, with and without ECDHE."""


def names(codes: tuple[int, ...]) -> set[str]:
    return {suite_name(code) for code in codes}


# --- lists that are read in part --------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_client", [True, False])
def test_finds_all_suites_of_a_server_that_reads_nineteen_schemes(by_client: bool) -> None:
    """Like wolfSSL 5.5: RC4 and 3DES were missed, and the list was reported as complete."""
    accepted = (0xC030, 0xC02F, *CBC)
    stack = Stack({0x0303: accepted}, reads_schemes=19, schemes=RSA_SCHEMES, schemes_by_client=by_client)
    facts, _ = read(stack)
    assert set(facts.cipher_suites[Protocol.TLS1_2]) == names(accepted)
    assert Protocol.TLS1_2 not in facts.cipher_suites_incomplete
    assert facts.protocols == {p: p is Protocol.TLS1_2 for p in Protocol}
    assert facts.signature_schemes is not None
    assert not facts.signature_schemes.complete


def test_the_schemes_of_a_server_that_reads_nineteen_of_them_are_not_all_known() -> None:
    """The last suite is after position 19 of every list that could show it."""
    stack = Stack({0x0303: (0xC030, 0xC02F)}, reads_schemes=19, schemes=(*RSA_SCHEMES, 0x0301))
    facts, _ = read(stack)
    assert facts.signature_schemes is not None
    assert not facts.signature_schemes.complete


CURVES = (0x0019, 0x001C, 0x0018, 0x001B, 0x0017, 0x0016, 0x001A, 0x0015, 0x0014, 0x0013, 0x0012)
"""Those of mbedTLS 2.28, in its order."""


@pytest.mark.parametrize("end", [alert(40), End.RESET])
def test_reads_a_server_that_looks_at_eleven_groups(end: Reply) -> None:
    """Like mbedTLS 2.28: everything that needs a proof, such as SSL 2 here, was unknown."""
    stack = Stack({0x0303: GCM}, reads_groups=11, groups=CURVES, wrong_version=end)
    facts, _ = read(lambda hello: End.RESET if hello.version == 2 else stack(hello))
    assert facts.protocols == {p: p is Protocol.TLS1_2 for p in Protocol}
    assert set(facts.cipher_suites[Protocol.TLS1_2]) == names(GCM)
    assert not facts.cipher_suites_incomplete


def test_the_lists_of_a_server_that_chooses_the_certificate_first_are_whole() -> None:
    """Refused ECDSA suites in a hello for RSA ended its lists early."""
    groups, schemes = (0x001D, 0x0017, 0x001E, 0x0019, 0x0018), (0x0403, 0x0503, *RSA_SCHEMES)
    facts, _ = read(CertificateFirst(Stack({0x0303: (0xC02C, 0xC02B, 0xC030, 0xC02F)}, groups=groups, schemes=schemes)))
    assert set(facts.groups[Protocol.TLS1_2].names) == {"x25519", "secp256r1", "x448", "secp521r1", "secp384r1"}
    assert facts.groups[Protocol.TLS1_2].complete
    assert facts.signature_schemes is not None
    assert facts.signature_schemes.complete
    assert len(facts.signature_schemes.names) == len(schemes)


def test_a_scan_after_another_of_the_same_server_costs_no_more() -> None:
    """Suites of one short list are not lost because another list does not have them."""
    stack = Stack({0x0303: (*GCM, 0x0005)}, reads=63)
    before, first = read(stack)
    facts, second = read(stack, before=before)
    assert facts == before
    assert second.connections == first.connections


# --- refusals of their own kind ---------------------------------------------------------------------------------------


def dumb(stack: Stack, suite: int) -> Script:
    """As yaSSL does: answers by one suite where it shares none."""
    return lambda hello: server_hello(hello.version, suite) if stack(hello) == stack.refusal else stack(hello)


def test_one_suite_in_place_of_a_refusal_is_a_refusal() -> None:
    facts, _ = read(dumb(Stack({0x0303: (0x0035, 0x002F, 0x000A)}), 0xFFFE))
    assert set(facts.cipher_suites[Protocol.TLS1_2]) == names((0x0035, 0x002F, 0x000A))
    assert not facts.cipher_suites_incomplete


def test_changing_suites_in_place_of_a_refusal_prove_nothing() -> None:
    stack = Stack({0x0303: (0x0035, 0x002F, 0x000A)})
    answers = iter([0xFFFE, 0xFFFD] * 50)
    facts, _ = read(lambda h: server_hello(0x0303, next(answers)) if stack(h) == stack.refusal else stack(h))
    assert facts.cipher_suites_incomplete == {Protocol.TLS1_2}


def test_a_server_that_refuses_by_reset_alone_is_known_whole_and_cheaply() -> None:
    refusing = Stack({0x0303: GCM, 0x0304: TLS13}, refusal=End.RESET, wrong_version=End.RESET)
    facts, seen = read(refusing)
    polite, polite_seen = read(replace(refusing, refusal=alert(40), wrong_version=alert(70)))
    assert replace(facts, hellos={}, notes=()) == replace(polite, hellos={}, notes=())
    assert seen.connections < 2 * polite_seen.connections


def test_suites_that_break_off_contradict_nothing() -> None:
    stack = Stack({0x0303: (0xC030, 0xC02F)})

    def script(hello: Hello) -> Reply:
        fails = next((code for code in (0x0067, 0x006B) if code in hello.suites), None)
        return (
            _broken_off(fails) if hello.version == 0x0303 and stack(hello) == stack.refusal and fails else stack(hello)
        )

    facts, _ = read(script)
    assert facts.contradictions == ()
    assert facts.protocols[Protocol.TLS1_0] is False


def test_application_protocols_refused_by_handshake_failure_contradict_nothing() -> None:
    stack = Stack({0x0303: GCM}, applications=("h2", "http/1.1"), refuses_applications=True)
    facts, _ = read(lambda hello: alert(40) if stack(hello) == alert(120) else stack(hello))
    assert facts.contradictions == ()
    assert not facts.cipher_suites_incomplete


# --- the proof --------------------------------------------------------------------------------------------------------


class Late:
    """Answers SSL 2 hellos from the given one on; those before are reset."""

    def __init__(self, first: int) -> None:
        self._first, self._count, self._stack = first, 0, Stack({0x0303: GCM})

    def __call__(self, hello: Hello) -> Reply:
        if hello.version != 2:
            return self._stack(hello)
        self._count += 1
        return ssl2_server_hello([0x0700C0]) if self._count >= self._first else End.RESET


@pytest.mark.parametrize("first", [3, 4])
def test_both_rounds_of_the_proof_count_and_ssl2_needs_them(first: int) -> None:
    """The hello and its repetition were reset; it is answered in the first or in the second round."""
    facts, _ = read(Late(first))
    assert facts.protocols[Protocol.SSL2] is None


def test_the_proof_has_the_shape_of_the_doubt() -> None:
    """A front that closes on hellos without usual groups says nothing of what the server has."""
    stack = Stack({0x0303: GCM}, groups=(0x001D, 0x0017, 0x0016, 0x001A))

    def script(hello: Hello) -> Reply:
        shown = hello.groups[:3]
        return End.CLOSE if hello.version == 0x0303 and not {0x001D, 0x0017} & set(shown) else stack(hello)

    facts, _ = read(script)
    listing = facts.groups[Protocol.TLS1_2]
    assert not listing.complete or set(listing.names) == {"x25519", "secp256r1", "secp256k1", "brainpoolP256r1"}


def test_a_suite_that_fails_in_a_part_of_the_list_leaves_the_list_open() -> None:
    """The server reads short lists alone; in one of them it chooses a suite and cannot go on."""
    stack, fails = Stack({0x0303: (0xC030, 0xC02F)}, reads=63), 0x0067

    def script(hello: Hello) -> Reply:
        if hello.version == 0x0303 and fails in hello.suites[:63] and stack(hello) == stack.refusal:
            return _broken_off(fails)
        return stack(hello)

    facts, _ = read(script)
    assert set(facts.cipher_suites[Protocol.TLS1_2]) == names((0xC030, 0xC02F))
    assert facts.cipher_suites_incomplete == {Protocol.TLS1_2}


def _broken_off(suite: int) -> bytes:
    """A ServerHello, and an alert instead of the following messages."""
    whole = server_hello(0x0303, suite)
    return record(22, whole[5:-4]) + alert(40)


def test_ssl2_without_a_cipher_kind_in_common_is_not_known_to_have_none() -> None:
    """OpenSSL went on with kinds that it had turned off (CVE-2015-3197)."""
    stack = Stack({0x0303: GCM})
    facts, _ = read(lambda hello: ssl2_server_hello([]) if hello.version == 2 else stack(hello))
    assert facts.protocols[Protocol.SSL2] is True
    assert Protocol.SSL2 in facts.cipher_suites_incomplete


@pytest.mark.parametrize("end", [End.CLOSE, End.RESET])
@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("more", [{0x0300: (0x000A,)}, {0x0301: (0x000A,)}, {0x0300: (0x000A,), 0x0304: TLS13}])
def test_both_of_two_machines_that_take_turns_answer_each_doubt(more: dict[int, Any], start: int, end: End) -> None:
    plain = Stack({0x0303: GCM}, refusal=end, wrong_version=end)
    facts, _ = read(ByTurns((plain, replace(plain, accepted={**plain.accepted, **more})), start))
    assert all(facts.protocols[protocol] is not False for protocol in Protocol if VERSION_CODES[protocol] in more)


# --- whose order decides ----------------------------------------------------------------------------------------------


def go(hello: Hello, own: tuple[int, ...]) -> tuple[int, ...]:
    """Go's order: AES-GCM before ChaCha20 if the first suite that it knows is one with ECDHE and AES-GCM."""
    first = next((code for code in hello.suites if code in own), None)
    name = suite_name(first) if first is not None else ""
    if "ECDHE" in name and "_GCM_" in name:
        return own
    return tuple(sorted(own, key=lambda code: "CHACHA20" not in suite_name(code)))


def test_the_order_of_go_with_rsa_key_exchange_is_mixed() -> None:
    own = (0xC02F, 0xC030, 0xCCA8, 0xC013, 0xC014, 0x009C, 0x009D, 0x002F, 0x0035)
    facts, _ = read(lambda hello: Stack({0x0303: go(hello, own), 0x0304: TLS13})(hello))
    assert facts.cipher_order[Protocol.TLS1_2] is CipherOrder.MIXED


# --- not enough time --------------------------------------------------------------------------------------------------


def late(script: Script, after: int) -> Callable[[Hello], Reply]:
    """Silent from some connection on, as a server is that takes too long."""
    count = 0

    def answer(hello: Hello) -> Reply:
        nonlocal count
        count += 1
        return script(hello) if count <= after else End.SILENCE

    return answer


def read_in_time(after: int) -> tuple[HandshakeFacts, Seen]:
    stack = Stack({0x0301: CBC, 0x0303: GCM, 0x0304: TLS13})
    return read(late(stack, after), until_seconds=2.0, timeout_seconds=60.0)


def test_what_is_known_when_the_time_is_over_is_kept() -> None:
    facts, _ = read_in_time(4)
    assert facts.accepted == (Protocol.TLS1_2,)
    assert set(facts.cipher_suites[Protocol.TLS1_2]) <= names(GCM)
    assert Protocol.TLS1_2 in facts.cipher_suites_incomplete
    assert False not in facts.protocols.values()
    assert facts.compression is None
    assert facts.ignores_supported_groups is None
    assert any("time" in note for note in facts.notes)


def test_one_alert_is_not_believed_when_the_time_is_over() -> None:
    """TLS 1.1 and 1.0 were refused once, and the time ends before they are asked for again."""
    stack = Stack({0x0303: (0xC030,)})
    seen = set[int]()

    def script(hello: Hello) -> Reply:
        again = hello.version in seen and hello.version != 0x0303
        seen.add(hello.version)
        return End.SILENCE if again else stack(hello)

    facts, _ = read(script, until_seconds=2.0, timeout_seconds=60.0)
    assert facts.protocols[Protocol.TLS1_1] is None
    assert facts.protocols[Protocol.TLS1_0] is None


def test_nothing_known_when_the_time_is_over_is_a_failure() -> None:
    with pytest.raises(ProbeError) as caught:
        read_in_time(0)
    assert caught.value.reason is Reason.DEADLINE_EXCEEDED


def test_a_slow_server_is_asked_for_its_protocols_before_all_its_suites() -> None:
    facts, _ = read(_stuck(Stack({0x0301: CBC, 0x0303: GCM})), until_seconds=3.0, timeout_seconds=60.0)
    assert facts.accepted == (Protocol.TLS1_0, Protocol.TLS1_2)
    assert facts.protocols[Protocol.TLS1_3] is False


def _stuck(stack: Stack) -> Script:
    """Answers two hellos of TLS 1.2 and no more; of all others each."""
    left = [1, 1]

    def answer(hello: Hello) -> Reply:
        return stack(hello) if hello.version != 0x0303 or (left and left.pop()) else End.SILENCE

    return answer


# --- hellos that a server does not stand ------------------------------------------------------------------------------


def test_a_server_that_fails_on_unknown_application_protocols_is_asked_without_them() -> None:
    """As Botan 3.12 does. It also requires extended_master_secret, so a hello without extensions is refused."""

    def botan(hello: Hello) -> Reply:
        if hello.version == VERSION_CODES[Protocol.TLS1_3]:
            return stack(hello)
        if 16 in hello.extensions:
            return alert(80)
        return stack(hello) if 23 in hello.extensions else alert(40)

    stack = Stack({0x0304: TLS13, 0x0303: GCM}, answers=frozenset({23}))
    facts, _ = read(botan)
    assert facts.accepted == (Protocol.TLS1_2, Protocol.TLS1_3)
    assert set(facts.cipher_suites[Protocol.TLS1_2]) == names(GCM)
    assert facts.asked_without == ("alpn",)
    assert facts.extensions["extended_master_secret"] is True


LAST_SUITES = (0xC014, 0xC013, 0x0035, 0x002F)
"""Behind the 63rd of the list that is offered, so the short list of a plainer hello is refused."""


@pytest.mark.parametrize("number", [15, 16, 22, 0], ids=["heartbeat", "alpn", "encrypt_then_mac", "server_name"])
@pytest.mark.parametrize("ending", [alert(80), End.CLOSE, End.RESET], ids=["alert 80", "close", "reset"])
@pytest.mark.parametrize("others", [{0x0304: TLS13}, {0x0300: LAST_SUITES}, {}], ids=["TLS 1.3", "SSL 3", "nothing"])
def test_a_server_that_ends_hellos_with_an_extension_is_read_without_it(
    number: int, ending: Reply, others: dict[int, tuple[int, ...]]
) -> None:
    stack = Stack({0x0303: LAST_SUITES, **others})

    def server(hello: Hello) -> Reply:
        return ending if number in hello.extensions and hello.version == 0x0303 else stack(hello)

    facts, _ = read(server)
    assert set(facts.cipher_suites[Protocol.TLS1_2]) == names(LAST_SUITES)


def test_an_old_server_that_ends_hellos_with_extensions_is_read_without_them() -> None:
    """It refuses newer versions by handshake_failure."""
    stack = Stack({0x0301: LAST_SUITES, 0x0300: LAST_SUITES})

    def server(hello: Hello) -> Reply:
        if 22 in hello.extensions:
            return End.CLOSE
        return stack(hello) if hello.version <= 0x0301 else alert(40)

    facts, _ = read(server)
    assert facts.protocols[Protocol.TLS1_0] is True
    assert facts.protocols[Protocol.SSL3] is True
