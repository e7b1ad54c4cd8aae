"""A scan after a complete one confirms it in fewer connections, and notices what has changed."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from exporter.facts.handshake import HandshakeFacts, to_be_enumerated
from exporter.model import CipherOrder, Facts, Protocol
from exporter.net.dial import Dialer
from exporter.net.gate import HostGate
from exporter.probes.handshake.rescan import LONGEST, Occasion, may_confirm, read
from exporter.tls.suites import suite_name
from tests.support.scripted import CertificateFirst, End, Hello, Reply, Script, Stack, alert, scripted_server
from tests.support.servers import SEED_NGINX, WEAK_NGINX, make_pki, nginx
from tests.support.targets import NOW, make_target

SEED = (0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC02B, 0xC02F, 0xC024, 0xC028, 0xC023, 0xC027)
OLD = (0xC030, 0xC02F, 0x009F, 0x009E, 0xC028, 0xC014, 0xC013, 0x0039, 0x0033, 0x009D, 0x009C, 0x0035, 0x002F, 0x000A)
OLD_1_0 = (0xC014, 0xC013, 0x0039, 0x0033, 0x0035, 0x002F, 0x000A)
CHAINS = {"ECDSA": (b"an ECDSA certificate",), "RSA": (b"an RSA certificate",)}
SEED_STACK = Stack({0x0303: SEED, 0x0304: (0x1302, 0x1303, 0x1301)}, applications=("h2",), certificates=CHAINS)
OLD_STACK = Stack({0x0301: OLD_1_0, 0x0302: OLD_1_0, 0x0303: OLD}, certificates=CHAINS, prime=2**1024 - 1)
UNUSUAL_GROUPS = Stack({0x0303: (0x0067, 0xC030, 0x009D)}, groups=(0x0017, 0x001C), certificates=CHAINS)
HOUR = timedelta(hours=1)


def scan(
    script: Script,
    before: HandshakeFacts | None = None,
    *,
    after: timedelta = HOUR,
    chance: int = 1,
    timeout_seconds: float = 10.0,
) -> HandshakeFacts:
    async def run() -> HandshakeFacts:
        async with scripted_server(script) as seen:
            dialer = Dialer(make_target(seen.port, timeout_seconds=timeout_seconds), HostGate())
            occasion = Occasion(NOW + (after if before else timedelta(0)), HOUR, Random(chance))  # noqa: S311 - no secret
            facts = await read(dialer, before, occasion)
            assert dialer.connections == seen.connections == sum(facts.hellos.values())
            return facts

    return asyncio.run(run())


def connections(facts: HandshakeFacts) -> int:
    return sum(facts.hellos.values())


def content(facts: HandshakeFacts) -> HandshakeFacts:
    """The facts without what a scan says of itself."""
    return replace(facts, hellos={}, enumerated_at=None)


STACKS: dict[str, tuple[Script, int, int]] = {
    "checklist": (SEED_STACK, 34, 21),
    "old": (OLD_STACK, 55, 38),
    "old, client's order": (replace(OLD_STACK, client_order=frozenset({0x0301, 0x0302, 0x0303})), 58, 38),
    "ends connections": (replace(OLD_STACK, refusal=End.CLOSE, wrong_version=End.RESET), 80, 66),
    "chooses the certificate first": (CertificateFirst(SEED_STACK), 55, 31),
    "one suite": (Stack({0x0303: (0xC02F,)}), 23, 15),
    "TLS 1.3 alone": (Stack({0x0304: (0x1302, 0x1301)}), 15, 11),
}


@pytest.mark.parametrize("name", STACKS)
def test_a_confirmation_gives_the_same_facts_in_fewer_connections(name: str) -> None:
    script, first, later = STACKS[name]
    before = scan(script)
    after = scan(script, before)
    assert (connections(before), connections(after)) == (first, later)
    assert content(after) == content(before)
    assert after.enumerated_at == before.enumerated_at == NOW


REAL: dict[str, tuple[str, tuple[str, ...], int, int]] = {
    "checklist": (SEED_NGINX, ("ecdsa", "rsa"), 41, 21),
    "weak": (WEAK_NGINX, ("rsa",), 108, 49),
}


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_connections_to_a_real_server(name: str, tmp_path: Path) -> None:
    """With the groups of OpenSSL 3.0; a newer one has more."""
    directives, kinds, first, later = REAL[name]
    pki = make_pki(tmp_path)

    async def both(port: int) -> tuple[HandshakeFacts, HandshakeFacts]:
        facts: HandshakeFacts | None = None
        found = []
        for now in (NOW, NOW + HOUR):
            dialer = Dialer(make_target(port, timeout_seconds=10.0), HostGate())
            facts = await read(dialer, facts, Occasion(now, HOUR, Random(1)))  # noqa: S311 - no secret
            assert sum(facts.hellos.values()) == dialer.connections
            found.append(facts)
        return found[0], found[1]

    with nginx(tmp_path, directives, [getattr(pki, kind) for kind in kinds]) as port:
        before, after = asyncio.run(both(port))
    assert (connections(before), connections(after)) == (first, later)
    assert content(after) == content(before)


CHANGES: dict[str, tuple[Stack, Stack]] = {
    "a weak suite is accepted": (SEED_STACK, replace(SEED_STACK, accepted={**SEED_STACK.accepted, 0x0303: (*SEED, 5)})),
    "a suite of the other kind": (
        replace(SEED_STACK, accepted={0x0303: SEED[1::2]}),
        replace(SEED_STACK, accepted={0x0303: SEED[1:]}),
    ),
    "a suite in an old protocol": (
        OLD_STACK,
        replace(OLD_STACK, accepted={**OLD_STACK.accepted, 0x0301: (*OLD_1_0, 4)}),
    ),
    "a suite of TLS 1.3": (SEED_STACK, replace(SEED_STACK, accepted={0x0303: SEED, 0x0304: (0x1302, 0x1303, 0x1304)})),
    "an old protocol": (SEED_STACK, replace(SEED_STACK, accepted={**SEED_STACK.accepted, 0x0301: (0x002F,)})),
    "SSL 2": (SEED_STACK, replace(SEED_STACK, accepted={**SEED_STACK.accepted, 2: (0x010080,)})),
    "TLS 1.3": (replace(SEED_STACK, accepted={0x0303: SEED}), SEED_STACK),
    "no old protocol any more": (OLD_STACK, replace(OLD_STACK, accepted={0x0303: OLD, 0x0302: OLD_1_0})),
    "no TLS 1.2 any more": (SEED_STACK, replace(SEED_STACK, accepted={0x0304: (0x1302, 0x1303, 0x1301)})),
    "no suite of a kind any more": (OLD_STACK, replace(OLD_STACK, accepted={**OLD_STACK.accepted, 0x0303: OLD[:9]})),
    "another order": (SEED_STACK, replace(SEED_STACK, client_order=frozenset({0x0303}))),
    "another favourite": (SEED_STACK, replace(SEED_STACK, accepted={**SEED_STACK.accepted, 0x0303: SEED[2:]})),
    "compression": (SEED_STACK, replace(SEED_STACK, compression=frozenset({1}))),
    "a group": (SEED_STACK, replace(SEED_STACK, groups=(0x001D, 0x0017, 0x0018))),
    "no group but one": (SEED_STACK, replace(SEED_STACK, groups=(0x001D,))),
    "the order of groups": (SEED_STACK, replace(SEED_STACK, groups_by_client=True)),
    "the order of groups, with an unusual favourite of clients": (
        UNUSUAL_GROUPS,
        replace(UNUSUAL_GROUPS, groups_by_client=True),
    ),
    "a signature scheme": (SEED_STACK, replace(SEED_STACK, schemes=(*SEED_STACK.schemes, 0x0201))),
    "an application protocol": (SEED_STACK, replace(SEED_STACK, applications=("h2", "http/1.1"))),
    "no secure renegotiation": (SEED_STACK, replace(SEED_STACK, answers=frozenset({23, 35}))),
    "heartbeat": (SEED_STACK, replace(SEED_STACK, answers=SEED_STACK.answers | {15})),
    "the fallback signal": (OLD_STACK, replace(OLD_STACK, refuses_fallback=True)),
    "a certificate": (SEED_STACK, replace(SEED_STACK, certificates={**CHAINS, "RSA": (b"a new certificate",)})),
    "a prime": (OLD_STACK, replace(OLD_STACK, prime=2**512 - 1)),
    "a downgrade mark": (SEED_STACK, replace(SEED_STACK, random=bytes(24) + b"DOWNGRD\x01")),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("chance", [1, 2])
def test_a_change_that_hellos_show_leads_to_a_complete_scan_at_once(name: str, chance: int) -> None:
    """Whatever suites are the samples."""
    before, changed = CHANGES[name]
    after = scan(changed, scan(before), chance=chance)
    assert content(after) == content(scan(changed))
    assert after.enumerated_at == NOW + HOUR


def test_a_suite_that_is_gone_is_noticed_by_samples_or_within_a_day() -> None:
    """One of seven similar suites: the facts have it until a sample asks for it, or a complete scan does."""
    gone = tuple(code for code in OLD if code != 0xC013)
    changed = replace(OLD_STACK, accepted={**OLD_STACK.accepted, 0x0303: gone})
    before = scan(OLD_STACK)
    found = {scan(changed, before, chance=chance).enumerated_at for chance in range(6)}
    assert found == {NOW, NOW + HOUR}
    last = scan(changed, before, after=LONGEST - HOUR + timedelta(seconds=1))
    assert suite_name(0xC013) not in last.cipher_suites[Protocol.TLS1_2]


@dataclass
class _Moody:
    """A server that refuses the hello at this place, whatever it is."""

    place: int
    count: int = 0

    def __call__(self, hello: Hello) -> Reply:
        self.count += 1
        return alert(40) if self.count == self.place + 1 else SEED_STACK(hello)


def test_one_alert_by_chance_leads_to_a_complete_scan_and_to_nothing_false() -> None:
    """Each place in the sequence of hellos, one after the other."""
    before, truth = scan(SEED_STACK), content(scan(SEED_STACK))
    for place in range(connections(scan(SEED_STACK, before))):
        facts = scan(_Moody(place), before)
        assert all(accepted in {None, truth.protocols[p]} for p, accepted in facts.protocols.items()), place
        for protocol, suites in facts.cipher_suites.items():
            assert set(suites) <= set(truth.cipher_suites[protocol]), place
            complete = protocol not in facts.cipher_suites_incomplete
            assert not complete or set(suites) == set(truth.cipher_suites[protocol]), place


@pytest.mark.parametrize(
    ("enumerated", "expected"),
    [
        (None, False),
        (timedelta(0), True),
        (LONGEST - HOUR, True),
        (LONGEST - HOUR + timedelta(seconds=1), False),
        (LONGEST, False),
        (timedelta(seconds=-1), False),
    ],
)
def test_a_confirmation_is_never_the_last_scan_of_a_day(enumerated: timedelta | None, expected: bool) -> None:
    """At the time of the next scan, the complete one would be older than a day. A clock may have been set back."""
    at = None if enumerated is None else NOW - enumerated
    facts = HandshakeFacts({}, {}, frozenset(), {}, None, enumerated_at=at)
    assert may_confirm(facts, Occasion(NOW, HOUR, Random(0))) is expected  # noqa: S311 - no secret


def test_a_scan_interval_of_a_day_means_complete_scans_only() -> None:
    facts = HandshakeFacts({}, {}, frozenset(), {}, None, enumerated_at=NOW - timedelta(days=1))
    assert not may_confirm(facts, Occasion(NOW, timedelta(days=1), Random(0)))  # noqa: S311 - no secret


UNCLEAR: dict[str, Script] = {
    "reads 64 suites": replace(SEED_STACK, reads=64),
    "reads few groups": replace(SEED_STACK, reads_groups=11),
    "is silent to old protocols": lambda hello: End.SILENCE if hello.version == 0x0300 else SEED_STACK(hello),
    "knows no HelloRetryRequest": replace(SEED_STACK, retry_requests=False),
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_facts_of_a_server_that_is_not_read_clearly_are_not_confirmed(name: str) -> None:
    assert scan(UNCLEAR[name], timeout_seconds=0.5).enumerated_at is None


def test_a_scan_that_somebody_asks_for_is_complete() -> None:
    before = scan(SEED_STACK)
    held = Facts().with_part(before, NOW)
    asked = to_be_enumerated(held).get(HandshakeFacts)
    assert asked == replace(before, enumerated_at=None)
    assert to_be_enumerated(held).seen_at(HandshakeFacts) == NOW
    assert to_be_enumerated(Facts()) == Facts()
    after = scan(SEED_STACK, asked)
    assert connections(after) == connections(before)
    assert after.enumerated_at == NOW + HOUR


def test_the_order_is_confirmed_as_it_was_found() -> None:
    mixed = replace(SEED_STACK, chacha_first=frozenset({0x0303}))
    before = scan(mixed)
    assert before.cipher_order[Protocol.TLS1_2] is CipherOrder.MIXED
    after = scan(mixed, before)
    assert content(after) == content(before)
    assert connections(after) < connections(before)
