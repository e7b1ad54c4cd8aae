"""Lookups that targets share: what is asked once, for how long it is known, and what is never known."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from dns.asyncresolver import Resolver
from dns.name import from_text
from dns.rcode import NXDOMAIN, SERVFAIL
from dns.rdatatype import CAA, TLSA, RdataType

from exporter.net.records import (
    FAILURE_SECONDS,
    LONGEST_NEGATIVE_SECONDS,
    LONGEST_SECONDS,
    LookupFailedError,
    RecordResolver,
    Records,
)
from tests.support.names import Answers, Manner, Odd, Server, running_server

T = TypeVar("T")
HOST = "www.shop.example"
ISSUE = '0 issue "ca.example.net"'


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Asking:
    """A resolver before a server, and what happened there."""

    def __init__(self, server: Server, *, validating: bool = False, most_entries: int = 100) -> None:
        resolver = Resolver(configure=False)
        resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], server.port, 1
        self.server, self.clock = server, Clock()
        self.records = RecordResolver(resolver, validating=validating, clock=self.clock, most_entries=most_entries)

    async def __call__(self, host: str = HOST, kind: RdataType = CAA) -> Records:
        return await self.records.ask(from_text(host), kind)


def run(
    answers: Answers,
    body: Callable[[Asking], Awaitable[T]],
    manner: Manner | None = None,
    **settings: Any,  # noqa: ANN401 - as Asking has them
) -> T:
    async def inner() -> T:
        async with running_server(answers, manner) as server:
            return await body(Asking(server, **settings))

    return asyncio.run(inner())


KINDS: list[tuple[str, Answers, int | None, int | None]] = [
    # what it is, answers, TTL of the SOA, and for how many seconds they are known
    ("records, by their TTL", {HOST: [ISSUE]}, None, 300),
    ("an alias, by its TTL", {HOST: ["CNAME a.example"], "a.example": [ISSUE]}, None, 300),
    ("nothing there, by the SOA", {HOST: []}, 90, 90),
    ("no such name, by the SOA", {}, 90, 90),
    ("nothing there, an hour at most", {HOST: []}, 80_000, LONGEST_NEGATIVE_SECONDS),
    ("nothing there without SOA, for a moment", {HOST: []}, None, FAILURE_SECONDS),
    ("an alias to nothing", {HOST: ["CNAME a.example"], "a.example": []}, 90, 90),
]


@pytest.mark.parametrize(
    ("answers", "negative_ttl", "seconds"), [case[1:] for case in KINDS], ids=[case[0] for case in KINDS]
)
def test_an_answer_is_known_for_as_long_as_it_holds(answers: Answers, negative_ttl: int, seconds: int) -> None:
    async def body(ask: Asking) -> list[int]:
        counts = []
        for moment in (0, seconds - 1, seconds, seconds + 1):
            ask.clock.now = 1000 + moment
            await ask()
            counts.append(len(ask.server.asked))
        return counts

    assert run(answers, body, Manner(negative_ttl=negative_ttl)) == [1, 1, 2, 2]


def test_a_ttl_of_years_holds_for_a_day() -> None:
    async def body(ask: Asking) -> int:
        await ask()
        ask.clock.now += LONGEST_SECONDS
        await ask()
        return len(ask.server.asked)

    assert run({HOST: [ISSUE]}, body, Manner(ttl=2**31 - 1)) == 2


@pytest.mark.parametrize("failing", [SERVFAIL, None, Odd.TRUNCATED, Odd.LAME, Odd.GARBAGE, Odd.STRANGER])
def test_a_failure_is_held_for_a_moment_and_is_never_an_empty_answer(failing: Odd | None) -> None:
    async def body(ask: Asking) -> tuple[int, int, int]:
        counts = []
        for step in (0.0, FAILURE_SECONDS - 1.0, 1.0):
            ask.clock.now += step
            with pytest.raises(LookupFailedError):
                await ask()
            counts.append(len(ask.server.asked))
        return counts[0], counts[1], counts[2]

    first, held, later = run({HOST: failing}, body)
    assert first == held < later


def test_what_is_on_its_way_is_waited_for() -> None:
    """Also with a TTL of zero: the answer came after the question."""
    gate_manner: list[Manner] = []

    async def body() -> tuple[int, int]:
        manner = Manner(ttl=0, open_gate=asyncio.Event())
        gate_manner.append(manner)
        assert manner.open_gate is not None
        async with running_server({HOST: [ISSUE]}, manner) as server:
            ask = Asking(server)
            ask.records._clock = asyncio.get_running_loop().time  # noqa: SLF001 - time must pass here
            several = [asyncio.create_task(ask()) for _ in range(50)]
            while not server.asked:
                await asyncio.sleep(0.01)
            manner.open_gate.set()
            found = await asyncio.gather(*several)
            assert len({id(one) for one in found}) == 1
            before = len(server.asked)
            await ask()
            return before, len(server.asked)

    assert asyncio.run(body()) == (1, 2)


def test_when_the_first_to_ask_is_cancelled_the_next_one_asks() -> None:
    async def body() -> int:
        manner = Manner(open_gate=asyncio.Event())
        assert manner.open_gate is not None
        async with running_server({HOST: [ISSUE]}, manner) as server:
            ask = Asking(server)
            first, second = asyncio.create_task(ask()), asyncio.create_task(ask())
            while not server.asked:
                await asyncio.sleep(0.01)
            first.cancel()
            manner.open_gate.set()
            return len((await second).records)

    assert asyncio.run(body()) == 1


def test_other_names_and_types_are_other_questions_and_case_is_not() -> None:
    async def body(ask: Asking) -> list[str]:
        for host, kind in ((HOST, CAA), (HOST.upper(), CAA), (HOST, TLSA), ("shop.example", CAA)):
            await ask(host, kind)
        return ask.server.asked

    assert run({HOST: [ISSUE], "shop.example": []}, body) == [HOST, HOST, "shop.example"]


def test_the_oldest_answers_go_when_there_are_too_many() -> None:
    async def body(ask: Asking) -> int:
        for number in (*range(5), 4, 3, 2, 1, 0):
            await ask(f"{number}.example")
        return len(ask.server.asked)

    assert run({}, body, most_entries=4) == 6


def test_no_such_name_is_an_empty_answer() -> None:
    async def body(ask: Asking) -> Records:
        return await ask()

    assert run({HOST: NXDOMAIN}, body) == Records((), from_text(HOST), None)


@pytest.mark.parametrize("answers", [{HOST: [ISSUE]}, {HOST: []}, {}])
@pytest.mark.parametrize(
    ("validating", "signed", "secure"), [(True, True, True), (True, False, False), (False, True, None)]
)
def test_an_answer_is_secure_when_a_resolver_that_validates_says_so(
    answers: Answers, validating: bool, signed: bool, secure: bool | None
) -> None:
    async def body(ask: Asking) -> bool | None:
        return (await ask()).secure

    assert run(answers, body, Manner(secure=[HOST] if signed else []), validating=validating) is secure
