"""The engine against servers made of rules: its facts match the rules, or are unknown."""

import asyncio
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import ProbeError
from exporter.facts.handshake import HandshakeFacts, Listing
from exporter.model import CipherOrder, Protocol, Reason
from exporter.tls.parameters import CLASSIC_GROUPS, SCHEMES, TLS13_GROUPS, group_name, scheme_name
from exporter.tls.suites import BY_NAME, CLASSIC_SUITES, SSL2_KINDS, TLS13_SUITES, VERSION_CODES, suite_name
from tests.support.scripted import (
    CertificateFirst,
    End,
    Hello,
    Reply,
    Script,
    Stack,
    alert,
    key_of,
    record,
    scheme_fits,
    scripted_server,
    server_hello,
    ssl2_server_hello,
)
from tests.support.targets import read_handshake
from tests.support.targets import read_scripted as read

SEED = (0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC02B, 0xC02F, 0xC024, 0xC028, 0xC023, 0xC027)
"""The ten suites of the checklist, in its order."""
TLS13 = (0x1302, 0x1303, 0x1301)
SEED_STACK = Stack({0x0303: SEED, 0x0304: TLS13})
CURVES = Listing(("x25519", "secp256r1"), complete=True)
ALL_CLASSIC = (0x0300, 0x0301, 0x0302, 0x0303)
OLD = (Protocol.SSL2, Protocol.SSL3, Protocol.TLS1_0, Protocol.TLS1_1)


def names(codes: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(suite_name(code) for code in codes)


def failure(script: Script, **changes: Any) -> ProbeError:  # noqa: ANN401 - fields of Target
    with pytest.raises(ProbeError) as caught:
        read(script, **changes)
    return caught.value


def test_reads_the_checklist_server_whole_and_in_order() -> None:
    facts, seen = read(SEED_STACK)
    assert facts.protocols == dict.fromkeys(OLD, False) | {Protocol.TLS1_2: True, Protocol.TLS1_3: True}
    assert facts.cipher_suites == {Protocol.TLS1_2: names(SEED), Protocol.TLS1_3: names(TLS13)}
    assert facts.cipher_order == {Protocol.TLS1_2: CipherOrder.SERVER, Protocol.TLS1_3: CipherOrder.SERVER}
    assert facts.compression is False
    assert not facts.cipher_suites_incomplete
    assert facts.forward_secrecy is True
    assert facts.groups == {Protocol.TLS1_2: CURVES, Protocol.TLS1_3: CURVES}
    assert facts.group_order == {Protocol.TLS1_2: CipherOrder.SERVER, Protocol.TLS1_3: CipherOrder.SERVER}
    # TLS 1.2: ten suites, their end twice, the order together with the proof; a scheme that was not seen on the way,
    # the ends of RSA's schemes, ECDSA's and the curves, and a hello that lacked two kinds. TLS 1.3: three suites, both
    # ends, a hello that lacked both, whether its groups are read to the end, the order of suites and that of groups.
    # Four old protocols, the newest of them twice; the fallback.
    assert seen.connections == 18 + 9 + 5 + 1


def test_never_opens_more_connections_at_once_than_allowed() -> None:
    _, seen = read(SEED_STACK, connections_per_host=2)
    assert seen.most_at_once <= 2


def test_sends_the_server_name_where_the_protocol_has_it() -> None:
    _, seen = read(SEED_STACK)
    assert {hello.server_name for hello in seen.hellos if hello.version > 0x0300} == {"www.test.example"}
    assert all(not hello.extensions for hello in seen.hellos if hello.version <= 0x0300)


def test_offers_extended_master_secret_which_some_servers_insist_on() -> None:
    _, seen = read(SEED_STACK)
    assert all((23 in hello.extensions) is (0x0300 < hello.version < 0x0304) for hello in seen.hellos)


def test_sends_no_server_name_for_an_address() -> None:
    _, seen = read(SEED_STACK, host="127.0.0.1", server_name=None)
    assert {hello.server_name for hello in seen.hellos} == {None}


def test_never_sends_a_hello_of_a_length_that_some_load_balancers_hang_on() -> None:
    _, seen = read(Stack({0x0303: SEED, 0x0304: TLS13}, reads=63))
    assert all(not 256 <= hello.length < 512 for hello in seen.hellos if hello.version > 0x0300)


def test_offers_every_registered_suite_in_every_protocol() -> None:
    offered: dict[int, set[int]] = {}

    def watch(hello: Hello) -> Reply:
        offered.setdefault(hello.version, set()).update(hello.suites)
        return Stack({0x0303: SEED, 0x0304: TLS13}, wrong_version=alert(40))(hello)

    read(watch)
    assert offered[0x0002] == set(SSL2_KINDS)
    assert offered[0x0304] == set(TLS13_SUITES)
    assert all(offered[version] == set(CLASSIC_SUITES) for version in ALL_CLASSIC)
    assert len(CLASSIC_SUITES) + len(TLS13_SUITES) > 400


# --- whose order decides ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [0x0303, 0x0304])
def test_tells_that_the_clients_order_decides(version: int) -> None:
    facts, _ = read(Stack({0x0303: SEED, 0x0304: TLS13}, client_order=frozenset({version})))
    verdicts = {0x0303: facts.cipher_order[Protocol.TLS1_2], 0x0304: facts.cipher_order[Protocol.TLS1_3]}
    assert verdicts.pop(version) is CipherOrder.CLIENT
    assert set(verdicts.values()) == {CipherOrder.SERVER}


def test_tells_a_server_that_yields_to_chacha_alone_as_mixed() -> None:
    facts, _ = read(Stack({0x0303: SEED, 0x0304: TLS13}, chacha_first=frozenset({0x0303, 0x0304})))
    assert set(facts.cipher_order.values()) == {CipherOrder.MIXED}


def test_one_suite_has_no_order() -> None:
    facts, _ = read(Stack({0x0303: (0xC030,)}))
    assert facts.cipher_order == {Protocol.TLS1_2: None}


def test_an_order_question_that_is_not_answered_stays_open() -> None:
    def script(hello: Hello) -> Reply:
        asks_for_the_order = (
            hello.suites[0] in SEED and hello.version == 0x0303 and hello.suites[0] != CLASSIC_SUITES[0]
        )
        return End.RESET if asks_for_the_order else Stack({0x0303: SEED})(hello)

    facts, _ = read(script)
    assert facts.cipher_suites[Protocol.TLS1_2] == names(SEED)
    assert facts.cipher_order[Protocol.TLS1_2] is None


# --- compression ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ALL_CLASSIC)
@pytest.mark.parametrize("method", [1, 64])
def test_finds_compression_in_any_protocol(version: int, method: int) -> None:
    compressing = Stack({version: SEED}, compression=frozenset({method}))
    plain = Stack({0x0303: SEED} if version != 0x0303 else {0x0302: SEED})
    facts, _ = read(lambda hello: compressing(hello) if hello.version == version else plain(hello))
    assert facts.compression is True


def test_compression_is_unknown_while_an_old_protocol_is() -> None:
    silent = Stack({0x0303: SEED})
    facts, _ = read(lambda hello: End.SILENCE if hello.version == 0x0301 else silent(hello), timeout_seconds=0.2)
    assert facts.protocols[Protocol.TLS1_0] is None
    assert facts.compression is None


# --- SSL 2 ------------------------------------------------------------------------------------------------------------


def test_reads_all_ssl2_cipher_kinds_in_one_connection() -> None:
    kinds = (0x010080, 0x0700C0)
    facts, seen = read(Stack({0x0002: kinds, 0x0303: SEED}))
    assert facts.protocols[Protocol.SSL2] is True
    assert facts.cipher_suites[Protocol.SSL2] == ("SSL_CK_RC4_128_WITH_MD5", "SSL_CK_DES_192_EDE3_CBC_WITH_MD5")
    assert sum(hello.version == 2 for hello in seen.hellos) == 1


def test_reads_a_server_that_speaks_nothing_but_ssl2() -> None:
    facts, _ = read(Stack({0x0002: (0x010080,)}, wrong_version=alert(40)))
    assert facts.accepted == (Protocol.SSL2,)


def test_ssl2_cipher_kinds_that_were_not_offered_are_a_violation() -> None:
    script = Stack({0x0303: SEED})
    kinds = (0x010080, 0x010080, 0x123456)
    facts, _ = read(lambda hello: ssl2_server_hello(kinds) if hello.version == 2 else script(hello))
    assert facts.cipher_suites[Protocol.SSL2] == ("SSL_CK_RC4_128_WITH_MD5",)
    assert Protocol.SSL2 in facts.cipher_suites_incomplete
    assert any("protocol violation" in note for note in facts.notes)


def test_ssl2_error_message_is_a_refusal() -> None:
    script = Stack({0x0303: SEED})
    facts, _ = read(lambda hello: bytes.fromhex("8003000001") if hello.version == 2 else script(hello))
    assert facts.protocols[Protocol.SSL2] is False


@pytest.mark.parametrize("end", [End.CLOSE, End.RESET])
def test_a_tls_server_that_drops_an_ssl2_hello_has_refused_it(end: End) -> None:
    script = Stack({0x0303: SEED})
    facts, _ = read(lambda hello: end if hello.version == 2 else script(hello))
    assert facts.protocols[Protocol.SSL2] is False


def test_silence_on_ssl2_is_no_refusal() -> None:
    script = Stack({0x0303: SEED})
    facts, _ = read(lambda hello: End.SILENCE if hello.version == 2 else script(hello), timeout_seconds=0.2)
    assert facts.protocols[Protocol.SSL2] is None


# --- what is no refusal -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [End.SILENCE, record(22, bytes(8)), b"HTTP/1.1 400 Bad Request\r\n\r\n"])
@pytest.mark.parametrize(("version", "protocol"), [(0x0300, Protocol.SSL3), (0x0301, Protocol.TLS1_0)])
def test_what_is_no_answer_is_no_refusal(reply: Reply, version: int, protocol: Protocol) -> None:
    facts, _ = read(
        lambda hello: reply if hello.version == version else SEED_STACK(hello),
        timeout_seconds=0.2,
    )
    assert facts.protocols[protocol] is None
    assert facts.protocols[Protocol.TLS1_2] is True


@pytest.mark.parametrize("code", [40, 70, 71])
def test_alerts_that_mean_no_are_refusals(code: int) -> None:
    facts, _ = read(lambda hello: alert(code) if hello.version < 0x0303 else SEED_STACK(hello))
    assert [facts.protocols[protocol] for protocol in OLD] == [False] * 4


@pytest.mark.parametrize("code", [47, 50, 80, 112])
def test_another_alert_is_a_refusal_where_a_like_hello_is_answered(code: int) -> None:
    facts, _ = read(Stack({0x0303: SEED}, refusal=alert(code), wrong_version=alert(code)))
    assert facts.accepted == (Protocol.TLS1_2,)
    assert None not in facts.protocols.values()
    assert not facts.cipher_suites_incomplete


@pytest.mark.parametrize("refusal", [alert(40), End.CLOSE])
def test_reads_both_deployments_of_a_server_that_chooses_the_certificate_first(refusal: Reply) -> None:
    accepted = {0x0301: (0xC014, 0x0035), 0x0303: SEED}
    facts, _ = read(CertificateFirst(Stack(accepted, refusal=refusal)))
    assert set(facts.cipher_suites[Protocol.TLS1_2]) == set(names(SEED))
    assert facts.cipher_suites[Protocol.TLS1_0] == names((0xC014, 0x0035))
    assert not facts.cipher_suites_incomplete


def test_a_server_hello_of_an_older_version_refuses_the_newer() -> None:
    def script(hello: Hello) -> Reply:
        return server_hello(0x0301, 0xC013) if 0x0301 <= hello.version <= 0x0304 else alert(70)

    with_old_suite = Stack({0x0301: (0xC013,)})
    facts, _ = read(lambda hello: with_old_suite(hello) if hello.version == 0x0301 else script(hello))
    assert facts.accepted == (Protocol.TLS1_0,)
    assert facts.protocols[Protocol.TLS1_2] is False


def test_a_timeout_is_tried_again_once() -> None:
    counts: dict[int, int] = {}

    def script(hello: Hello) -> Reply:
        counts[hello.version] = counts.get(hello.version, 0) + 1
        return End.SILENCE if hello.version == 2 and counts[2] == 1 else SEED_STACK(hello)

    facts, _ = read(script, timeout_seconds=0.2)
    assert counts[2] == 2
    assert facts.protocols[Protocol.SSL2] is False


def test_a_list_that_ends_in_silence_may_lack_suites() -> None:
    facts, _ = read(Stack({0x0303: SEED, 0x0304: TLS13}, refusal=End.SILENCE), timeout_seconds=0.2)
    assert set(names(SEED)) == set(facts.cipher_suites[Protocol.TLS1_2])
    assert facts.cipher_suites_incomplete == {Protocol.TLS1_2, Protocol.TLS1_3}
    assert facts.forward_secrecy is None


@pytest.mark.parametrize("end", [End.CLOSE, End.RESET, alert(0, level=1)])
def test_an_end_without_an_alert_is_a_refusal_where_a_like_hello_is_answered(end: Reply) -> None:
    """As asyncio, Schannel and s2n-tls refuse; that they answer the same list with one suite more is the proof."""
    facts, _ = read(Stack({0x0303: SEED, 0x0304: TLS13}, refusal=end, wrong_version=end))
    assert facts.protocols == dict.fromkeys(OLD, False) | {Protocol.TLS1_2: True, Protocol.TLS1_3: True}
    assert facts.cipher_suites == {Protocol.TLS1_2: names(SEED), Protocol.TLS1_3: names(TLS13)}
    assert not facts.cipher_suites_incomplete


def test_a_close_of_everything_else_is_a_refusal_for_a_server_with_tls13_only() -> None:
    facts, _ = read(Stack({0x0304: TLS13}, refusal=End.CLOSE, wrong_version=End.CLOSE))
    assert facts.accepted == (Protocol.TLS1_3,)
    assert set(facts.protocols.values()) == {True, False}


def test_a_close_on_long_lists_alone_does_not_hide_what_short_ones_show() -> None:
    def script(hello: Hello) -> Reply:
        return End.CLOSE if len(hello.suites) > 100 else SEED_STACK(hello)

    facts, _ = read(script)
    assert facts.cipher_suites[Protocol.TLS1_2] == names(SEED)


class Front:
    """Something before the server that ends connections by rules of its own."""

    def __init__(self, stack: Script, drops: Callable[[int], bool], how: Reply) -> None:
        self.stack, self.drops, self.how, self.count = stack, drops, how, 0

    def __call__(self, hello: Hello) -> Reply:
        self.count += 1
        return self.how if self.drops(self.count) else self.stack(hello)


OLD_STACK = Stack({0x0300: (0x002F,), 0x0301: (0xC014, 0xC013, 0x0035), 0x0302: (0xC014, 0x0035), 0x0303: SEED[:4]})


def check_truth(facts: HandshakeFacts, stack: Stack) -> None:
    """What is said is true; what is not known may be left out."""
    for protocol, accepted in facts.protocols.items():
        assert accepted is None or accepted is (VERSION_CODES[protocol] in stack.accepted), (protocol, facts.notes)
    for protocol, suites in facts.cipher_suites.items():
        if protocol not in facts.cipher_suites_incomplete:
            assert set(suites) == set(names(stack.accepted[VERSION_CODES[protocol]])), (protocol, facts.notes)


@pytest.mark.parametrize("how", [End.CLOSE, alert(80), End.RESET])
@pytest.mark.parametrize("last", range(1, 45, 3))
def test_a_front_that_ends_every_connection_from_some_point_on_makes_nothing_false(last: int, how: Reply) -> None:
    try:
        facts, _ = read(Front(OLD_STACK, lambda count: count > last, how))
    except ProbeError:
        return
    check_truth(facts, OLD_STACK)


@settings(max_examples=settings().max_examples // 2)
@given(st.sets(st.integers(1, 60), max_size=25), st.sampled_from([End.CLOSE, alert(80), End.RESET]))
def test_a_front_that_ends_any_connections_makes_nothing_false(dropped: set[int], how: Reply) -> None:
    try:
        facts, _ = read(Front(OLD_STACK, dropped.__contains__, how))
    except ProbeError:
        return
    check_truth(facts, OLD_STACK)


# --- long lists -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refusal", [alert(40), End.RESET, End.CLOSE, alert(47)])
def test_reads_a_server_that_refuses_more_than_128_suites(refusal: Reply) -> None:
    accepted = {0x0303: (*SEED, CLASSIC_SUITES[-1]), 0x0304: TLS13}

    def script(hello: Hello) -> Reply:
        return refusal if len(hello.suites) > 128 else Stack(accepted)(hello)

    facts, _ = read(script)
    assert facts.cipher_suites[Protocol.TLS1_2] == names(accepted[0x0303])
    assert facts.cipher_order[Protocol.TLS1_2] is CipherOrder.SERVER
    assert not facts.cipher_suites_incomplete


def test_reads_a_server_that_hears_only_the_first_64_suites() -> None:
    accepted = (CLASSIC_SUITES[-1], *SEED, CLASSIC_SUITES[200], CLASSIC_SUITES[100])
    facts, _ = read(Stack({0x0303: accepted}, reads=63))
    assert facts.cipher_suites[Protocol.TLS1_2] == names(accepted)
    assert not facts.cipher_suites_incomplete


def test_a_version_without_suites_is_refused_only_after_short_lists() -> None:
    hidden = CLASSIC_SUITES[-1]
    facts, _ = read(Stack({0x0301: (hidden,)}, reads=63, wrong_version=alert(40)))
    assert facts.cipher_suites == {Protocol.TLS1_0: (suite_name(hidden),)}


# --- TLS 1.3 ----------------------------------------------------------------------------------------------------------


def test_reads_a_tls13_server_that_knows_no_hello_retry_request() -> None:
    facts, _ = read(Stack({0x0304: TLS13}, retry_requests=False))
    assert facts.cipher_suites == {Protocol.TLS1_3: names(TLS13)}


# --- violations -------------------------------------------------------------------------------------------------------


def test_a_suite_that_was_not_offered_is_a_violation_and_proves_nothing() -> None:
    facts, _ = read(lambda hello: server_hello(0x0303, 0x1301) if hello.version == 0x0303 else SEED_STACK(hello))
    assert facts.protocols[Protocol.TLS1_2] is None
    assert Protocol.TLS1_2 not in facts.cipher_suites
    assert any("protocol violation" in note for note in facts.notes)


def test_a_suite_that_was_struck_out_is_a_violation() -> None:
    facts, _ = read(lambda hello: server_hello(0x0303, 0xC030) if hello.version == 0x0303 else alert(70))
    assert facts.cipher_suites[Protocol.TLS1_2] == names((0xC030,))
    assert Protocol.TLS1_2 in facts.cipher_suites_incomplete


def test_a_version_above_the_one_offered_is_a_violation() -> None:
    facts, _ = read(lambda hello: server_hello(0x0303, 0xC030) if hello.version == 0x0301 else SEED_STACK(hello))
    assert facts.protocols[Protocol.TLS1_0] is None


# --- how answers come -------------------------------------------------------------------------------------------------


def test_reads_an_answer_behind_warnings() -> None:
    def script(hello: Hello) -> Reply:
        reply = SEED_STACK(hello)
        return alert(112, level=1) + reply if isinstance(reply, bytes) and hello.version > 2 else reply

    facts, _ = read(script)
    assert facts.cipher_suites[Protocol.TLS1_2] == names(SEED)


def test_reads_a_server_hello_in_many_records() -> None:
    def script(hello: Hello) -> Reply:
        reply = SEED_STACK(hello)
        if not isinstance(reply, bytes) or reply[0] != 22:
            return reply
        return b"".join(record(22, reply[5:][i : i + 7]) for i in range(0, len(reply) - 5, 7))

    facts, _ = read(script)
    assert facts.cipher_suites[Protocol.TLS1_3] == names(TLS13)


def test_reads_a_server_hello_with_more_messages_in_its_record() -> None:
    def script(hello: Hello) -> Reply:
        reply = SEED_STACK(hello)
        if not isinstance(reply, bytes) or reply[0] != 22:
            return reply
        return record(22, reply[5:] + b"\x0b\x00\x10\x00" + bytes(4096))

    facts, _ = read(script)
    assert facts.cipher_suites[Protocol.TLS1_2] == names(SEED)


# --- no server at all -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (lambda _hello: b"HTTP/1.1 400 Bad Request\r\n\r\n", Reason.NOT_TLS),
        (lambda _hello: b"220 mail.example ESMTP\r\n", Reason.NOT_TLS),
        (lambda _hello: End.SILENCE, Reason.HANDSHAKE_TIMEOUT),
        (lambda _hello: End.CLOSE, Reason.HANDSHAKE_ERROR),
        (lambda _hello: End.RESET, Reason.HANDSHAKE_ERROR),
        (lambda _hello: alert(40), Reason.HANDSHAKE_ERROR),
        (lambda _hello: alert(112), Reason.HANDSHAKE_ERROR),
        (lambda _hello: record(22, bytes(100)), Reason.HANDSHAKE_ERROR),
        (lambda _hello: record(23, b"x"), Reason.HANDSHAKE_ERROR),
        (lambda _hello: server_hello(0x0303, 0xFFFE), Reason.HANDSHAKE_ERROR),
    ],
)
def test_no_accepted_protocol_is_a_failure_with_its_reason(script: Script, reason: Reason) -> None:
    assert failure(script, timeout_seconds=0.2).reason is reason


def test_a_flood_is_cut_off() -> None:
    error = failure(lambda _hello: record(21, b"\x01\x00" * 8000) * 40, timeout_seconds=0.2)
    assert error.reason is Reason.HANDSHAKE_ERROR


def test_a_refused_connection_is_told_at_once() -> None:
    async def run() -> None:
        async with scripted_server(lambda _hello: End.CLOSE) as seen:
            port = seen.port
        await read_handshake(port)

    with pytest.raises(ProbeError) as caught:
        asyncio.run(run())
    assert caught.value.reason is Reason.CONNECT_REFUSED


# --- any server -------------------------------------------------------------------------------------------------------

_REFUSALS: list[Reply] = [alert(40), alert(71), alert(47), End.CLOSE, End.RESET]
_WRONG_VERSIONS: list[Reply] = [*_REFUSALS, alert(70)]
_some_suites = st.lists(st.sampled_from(CLASSIC_SUITES), min_size=1, max_size=12, unique=True).map(tuple)
_tls13_suites = st.lists(st.sampled_from(TLS13_SUITES), min_size=1, max_size=4, unique=True).map(tuple)


_CURVE_CODES = (0x001D, 0x0017, 0x0018, 0x0019, 0x001E, 0x0016, 0x001A)
_GROUP_CODES = (*_CURVE_CODES, 0x0100, 0x0101, 0x11EC, 0x0202, 0x6399)
_SCHEME_CODES = (0x0403, 0x0503, 0x0603, 0x0303, 0x0203, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0201)
_NAMES = ("h2", "http/1.1", "imap", "ftp")


def _some(draw: Callable[..., Any], values: Sequence[Any], least: int, most: int) -> tuple[Any, ...]:
    return tuple(draw(st.lists(st.sampled_from(values), min_size=least, max_size=most, unique=True)))


@st.composite
def stacks(draw: Callable[..., Any]) -> Stack:
    accepted: dict[int, tuple[int, ...]] = {
        version: draw(_some_suites) for version in draw(st.sets(st.sampled_from(ALL_CLASSIC)))
    }
    if draw(st.booleans()) or not accepted:
        accepted[0x0304] = draw(_tls13_suites)
    if draw(st.booleans()):
        accepted[0x0002] = draw(st.lists(st.sampled_from(list(SSL2_KINDS)), min_size=1, unique=True).map(tuple))
    retries = draw(st.booleans())
    return Stack(
        accepted,
        client_order=frozenset(draw(st.sets(st.sampled_from([*ALL_CLASSIC, 0x0304])))),
        compression=frozenset(draw(st.sets(st.sampled_from([1, 64])))),
        reads=draw(st.sampled_from([63, 128, 10_000])),
        refuses_over=draw(st.sampled_from([64, 128, 10_000])),
        refusal=draw(st.sampled_from(_REFUSALS)),
        wrong_version=draw(st.sampled_from(_WRONG_VERSIONS)),
        retry_requests=retries,
        # A server without HelloRetryRequest shows itself only to a share that it can use.
        groups=_some(draw, _GROUP_CODES, 1, 8) if retries else (0x0017, *_some(draw, _GROUP_CODES[2:], 0, 7)),
        groups_by_client=draw(st.booleans()),
        schemes=_some(draw, _SCHEME_CODES, 1, 12),
        schemes_by_client=draw(st.booleans()),
        applications=_some(draw, _NAMES, 0, 4) if draw(st.booleans()) else None,
        refuses_applications=draw(st.booleans()),
        answers=frozenset(draw(st.sets(st.sampled_from([0xFF01, 5, 15, 22, 23, 35])))),
        refuses_fallback=draw(st.booleans()),
    )


def _list(codes: Sequence[int]) -> bytes:
    return struct.pack(f">H{len(codes)}H", 2 * len(codes), *codes)


EVERYTHING = {10: _list(sorted({*CLASSIC_GROUPS, *TLS13_GROUPS})), 13: _list(SCHEMES)}
"""Extensions of a hello that leaves nothing out."""


def truth_of(stack: Stack, version: int) -> tuple[int, ...]:
    """Suites that the server can take at all, in its order."""
    whole = Hello(version, (), (), dict(EVERYTHING), 0)
    return tuple(suite for suite in stack.accepted[version] if stack.usable(suite, whole))


def check_beside(facts: HandshakeFacts, stack: Stack) -> None:
    """Facts in addition to protocols and suites are also true."""
    for protocol, listing in facts.groups.items():
        code = VERSION_CODES[protocol]
        truth = {group_name(group) for group in stack.groups_in(code)}
        assert set(listing.names) <= truth
        assert not listing.complete or set(listing.names) == truth
        order = facts.group_order.get(protocol)
        # In TLS 1.3 the client's share decides for a server with the client's order, and our hello has two groups.
        assert order in {None, CipherOrder.CLIENT if stack.groups_by_client else CipherOrder.SERVER}, facts
    if facts.signature_schemes is not None:
        keys = {key_of(BY_NAME[name].code) for name in facts.cipher_suites[Protocol.TLS1_2] if BY_NAME[name].signed}
        truth = {scheme_name(one) for one in stack.schemes if any(scheme_fits(one, key) for key in keys)}
        assert set(facts.signature_schemes.names) <= truth
        assert not facts.signature_schemes.complete or set(facts.signature_schemes.names) == truth
    if facts.alpn is not None:
        assert set(facts.alpn.names) <= set(stack.applications or ())
        assert not facts.alpn.complete or set(facts.alpn.names) == set(stack.applications or ()), facts
    assert facts.contradictions == ()
    numbers = {"extended_master_secret": 23, "session_tickets": 35, "heartbeat": 15, "ocsp_stapling": 5}
    for name, number in {**numbers, "encrypt_then_mac": 22}.items():
        assert facts.extensions[name] in {None, number in stack.answers}
    if facts.extensions["fallback_scsv"] is not None:
        assert facts.extensions["fallback_scsv"] is stack.refuses_fallback


@settings(max_examples=settings().max_examples // 2)  # each is a complete scan
@given(stacks())
def test_what_is_said_of_any_server_is_true(stack: Stack) -> None:
    try:
        facts, _ = read(stack)
    except ProbeError:
        return  # nothing was said
    for protocol, accepted in facts.protocols.items():
        code = VERSION_CODES[protocol]
        truth = code in stack.accepted and (code == 0x0002 or bool(truth_of(stack, code)))
        assert accepted is None or accepted is truth, protocol
    for protocol, suites in facts.cipher_suites.items():
        code = VERSION_CODES[protocol]
        if protocol is Protocol.SSL2:
            assert sorted(suites) == sorted(SSL2_KINDS[kind] for kind in stack.accepted[code])
            continue
        truth_names = names(truth_of(stack, code))
        assert set(suites) <= set(truth_names)
        if protocol not in facts.cipher_suites_incomplete:
            assert set(suites) == set(truth_names)
        order = facts.cipher_order[protocol]
        if order is not None and len(truth_names) > 1:
            assert order is (CipherOrder.CLIENT if code in stack.client_order else CipherOrder.SERVER)
        if order is CipherOrder.SERVER and protocol not in facts.cipher_suites_incomplete and stack.reads > 400:
            assert suites == truth_names or stack.refuses_over < 400
    check_beside(facts, stack)
    if facts.compression is not None:
        classic = [code for code in set(stack.accepted) & set(ALL_CLASSIC) if truth_of(stack, code)]
        assert facts.compression is bool(classic and stack.compression)


@pytest.mark.parametrize(
    ("drops", "expected"),
    [
        (lambda _hello: False, ()),
        (lambda hello: 5 in hello.extensions, ("extensions",)),
        (lambda hello: 0 in hello.extensions, ("extensions", "server_name")),
    ],
    ids=["nothing", "status_request", "server_name"],
)
def test_what_hellos_had_to_leave_out_is_said(drops: Callable[[Hello], bool], expected: tuple[str, ...]) -> None:
    """A server name is left out last, so that of extensions it is not known then."""
    facts, _ = read(lambda hello: End.RESET if drops(hello) else SEED_STACK(hello))
    assert facts.asked_without == expected


def test_application_protocols_and_empty_key_shares_are_said_too() -> None:
    stubborn = replace(SEED_STACK, applications=("acme",), refuses_applications=True)
    assert read(stubborn)[0].asked_without == ("alpn",)
    assert read(replace(SEED_STACK, retry_requests=False))[0].asked_without == ("hello_retry_request",)
    assert read(Stack({0x0303: SEED}))[0].asked_without == ()
