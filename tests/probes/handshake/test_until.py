"""A scan that ends early: what is known is kept, and what is missing is never a verdict."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from exporter.errors import ProbeError
from exporter.facts.handshake import HandshakeFacts
from exporter.model import Facts, Protocol, Reason, Verdict
from exporter.net.dial import Dialer
from exporter.net.gate import HostGate
from exporter.policies import load_policy, shipped
from exporter.probes.handshake.engine import Engine
from tests.support.facts import result
from tests.support.judging import report_after
from tests.support.scripted import End, Hello, Reply, Script, Stack, scripted_server
from tests.support.targets import NOW, make_target

TLS13 = (0x1301, 0x1302)
GOOD = Stack({0x0303: (0xC030, 0xC02F), 0x0304: TLS13}, applications=("h2", "http/1.1"))
WEAK = Stack(
    {0x0301: (0x0005, 0x002F), 0x0302: (0x002F,), 0x0303: (0xC030, 0xC02F, 0x009C, 0x0005, 0x0016), 0x0304: TLS13},
    compression=frozenset({1}),
    answers=frozenset({0xFF01}),
    client_order=frozenset({0x0301}),
)


def _turns_away_at_first() -> Script:
    """Closes the first two hellos of each other protocol than TLS 1.2, as a front that limits connections may do."""
    asked: Counter[int] = Counter()

    def script(hello: Hello) -> Reply:
        asked[hello.version] += 1
        return End.CLOSE if hello.version != 0x0303 and asked[hello.version] <= 2 else WEAK(hello)

    return script


def _older_in_old_protocols() -> Script:
    """Knows the extensions of today in TLS 1.2 alone."""
    new, old = Stack({0x0303: (0xC030, 0xC02F)}), Stack({0x0301: (0xC014,)}, answers=frozenset({0xFF01}))
    return lambda hello: (new if hello.version >= 0x0303 else old)(hello)


SERVERS: dict[str, Callable[[], Script]] = {
    "good": lambda: GOOD,
    "weak where it is asked last": lambda: WEAK,
    "refuses by closing": lambda: Stack({0x0303: (0xC030, 0xC02F)}, refusal=End.CLOSE, wrong_version=End.CLOSE),
    "turns away at first": _turns_away_at_first,
    "older in old protocols": _older_in_old_protocols,
}
PARTS = (0.0, 0.4, 0.7, 1.0)
"""Of its hellos that a server answers before it falls silent; all but one at the most."""
POLICIES = tuple(load_policy(name) for name in shipped())
NO_TIME_SECONDS = 0.2


def _silent_after(script: Script, count: int) -> Script:
    left = iter(range(count))
    return lambda hello: End.SILENCE if next(left, None) is None else script(hello)


def _counted(script: Script) -> tuple[Script, list[Hello]]:
    asked: list[Hello] = []

    def counted(hello: Hello) -> Reply:
        asked.append(hello)
        return script(hello)

    return counted, asked


async def _read(script: Script, seconds: float | None) -> HandshakeFacts:
    async with scripted_server(script) as seen:
        until = None if seconds is None else asyncio.get_running_loop().time() + seconds
        return await Engine(Dialer(make_target(seen.port, timeout_seconds=30.0), HostGate())).read(until=until)


def _verdicts(facts: HandshakeFacts) -> dict[tuple[str, str, str], Verdict]:
    report = report_after(result(Facts().with_part(facts, NOW)), POLICIES, NOW)
    return {(one.policy, one.check, one.asked): one.verdict for one in report.findings}


def _agrees(part: object, whole: object) -> bool:
    return part is None or part == whole


@pytest.mark.parametrize("name", SERVERS)
def test_what_is_known_when_the_time_is_over_agrees_with_the_whole(name: str) -> None:
    script, asked = _counted(SERVERS[name]())
    whole = asyncio.run(_read(script, None))
    if name == "turns away at first":
        whole = asyncio.run(_read(WEAK, None))  # what is true of it, of which a reading may find out more or less
    verdicts = _verdicts(whole)
    for part in PARTS:
        count = max(1, int(part * (len(asked) - 1)))
        facts = asyncio.run(_read(_silent_after(SERVERS[name](), count), NO_TIME_SECONDS))
        for protocol in Protocol:
            assert _agrees(facts.protocols[protocol], whole.protocols[protocol]), (count, protocol)
            assert _agrees(facts.cipher_order.get(protocol), whole.cipher_order.get(protocol)), (count, protocol)
        for protocol, names in facts.cipher_suites.items():
            assert set(names) <= set(whole.cipher_suites[protocol])
            assert protocol in facts.cipher_suites_incomplete or set(names) == set(whole.cipher_suites[protocol])
        for extension, value in facts.extensions.items():
            assert _agrees(value, whole.extensions[extension]), (count, extension)
        assert _agrees(facts.compression, whole.compression)
        assert _agrees(facts.ignores_supported_groups, whole.ignores_supported_groups)
        for what, verdict in _verdicts(facts).items():
            assert verdict in {Verdict.UNKNOWN, verdicts[what]}, (count, what)


def test_the_first_answer_is_enough_to_know_something() -> None:
    facts = asyncio.run(_read(_silent_after(GOOD, 1), NO_TIME_SECONDS))
    assert facts.accepted == (Protocol.TLS1_2,)
    assert facts.cipher_suites_incomplete == {Protocol.TLS1_2}


def test_without_an_answer_it_is_the_time_that_was_too_short() -> None:
    with pytest.raises(ProbeError) as caught:
        asyncio.run(_read(_silent_after(GOOD, 0), 0.1))
    assert caught.value.reason is Reason.DEADLINE_EXCEEDED


def test_with_time_enough_nothing_is_missing_and_nothing_more_is_asked() -> None:
    script, asked = _counted(GOOD)
    facts = asyncio.run(_read(script, 60.0))
    hellos = len(asked)
    assert facts == asyncio.run(_read(script, None))
    assert len(asked) == 2 * hellos
