"""Lookups that targets share: what is queried once, how long it is kept, and what is never kept."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import dns.flags
import dns.message
import dns.rrset
import pytest
from dns.asyncresolver import Resolver
from dns.message import Message, QueryMessage
from dns.name import from_text
from dns.nameserver import Do53Nameserver, Nameserver
from dns.rcode import NXDOMAIN, SERVFAIL
from dns.rdatatype import CAA, TLSA, RdataType

from exporter.net.records import (
    FAILURE_SECONDS,
    LONGEST_NEGATIVE_SECONDS,
    LONGEST_SECONDS,
    LOOK_EVERY_SECONDS,
    LookupFailedError,
    RecordResolver,
    Records,
)
from exporter.net.resolvconf import SystemResolver
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

    assert run({HOST: NXDOMAIN}, body) == Records((), from_text(HOST), None, exists=False)


@pytest.mark.parametrize(
    ("answers", "exists"),
    [
        ({}, False),
        ({HOST: []}, True),
        ({HOST: ["A 192.0.2.1"]}, True),
        ({HOST: [ISSUE]}, True),
        ({HOST: ["CNAME other.example"]}, False),
        ({HOST: ["CNAME other.example"], "other.example": []}, True),
    ],
)
def test_a_name_without_records_is_distinguished_from_one_that_does_not_exist(answers: Answers, exists: bool) -> None:
    async def body(ask: Asking) -> Records:
        return await ask()

    assert run(answers, body).exists is exists


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


class _Told(Nameserver):
    """Answers each query with the result of a function."""

    def __init__(self, tell: Callable[[Message, Message], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tell, self.asked = tell, 0

    def __str__(self) -> str:
        return "192.0.2.1"

    def answer_nameserver(self) -> str:
        return "192.0.2.1"

    def answer_port(self) -> int:
        return 53

    def is_always_max_size(self) -> bool:
        return True

    async def async_query(self, request: QueryMessage, *_: Any, **__: Any) -> Message:  # noqa: ANN401 - of no interest
        self.asked += 1
        response = dns.message.make_response(request, recursion_available=True)
        self.tell(request, response)
        return dns.message.from_wire(response.to_wire(max_size=65535))


def told(*lines: str, recursive: bool = True) -> tuple[Records, int]:
    """The result of a lookup with these records, each after the name of its section, and the number of queries.

    The section is `answer` or `authority` for the question about HOST, and `then` for any other.
    """

    def tell(request: Message, response: Message) -> None:
        first = request.question[0].name == from_text(HOST)
        if not recursive:
            response.flags &= ~dns.flags.RA
        for line in lines:
            section, name, kind, *rest = line.split(" ")
            if (section == "then") is first:
                continue
            place = response.authority if section == "authority" or kind == "SOA" else response.answer
            place.append(dns.rrset.from_text(f"{name}.", 300, "IN", kind, " ".join(rest)))

    resolver = Resolver(configure=False)
    server = _Told(tell)
    resolver.nameservers, resolver.lifetime = [server], 0.2
    return asyncio.run(RecordResolver(resolver).ask(from_text(HOST), CAA)), server.asked


ALIAS = f"answer {HOST} CNAME a.other.example."
SOA_DATA = "ns.example. x.example. 1 2 3 4 60"
NO_ANSWERS: list[tuple[str, tuple[str, ...], bool]] = [
    ("records of another name", (f"answer a.other.example CAA {ISSUE}",), True),
    ("a DNAME whose alias was left out (RFC 6672, 3.1)", ("answer shop.example DNAME other.example.",), True),
    ("the SOA of a zone that the name is not in", (f"authority other.example SOA {SOA_DATA}",), False),
    ("an alias to elsewhere with the SOA of the first zone", (ALIAS, f"authority shop.example SOA {SOA_DATA}"), False),
    ("aliases that lead on and on", (ALIAS, "then a.other.example CNAME b.other.example."), True),
]


@pytest.mark.parametrize(("lines", "recursive"), [one[1:] for one in NO_ANSWERS], ids=[one[0] for one in NO_ANSWERS])
def test_what_does_not_say_that_there_is_nothing_is_no_answer(lines: tuple[str, ...], recursive: bool) -> None:
    with pytest.raises(LookupFailedError):
        told(*lines, recursive=recursive)


def test_an_alias_without_an_end_is_asked_for_its_end() -> None:
    """Where a resolver stopped on the way, that looks like there being nothing (RFC 2308, 2.2, type 3)."""
    records, asked = told(ALIAS, f"then a.other.example CAA {ISSUE}")
    assert (len(records.records), records.name, asked) == (1, from_text("a.other.example"), 2)
    records, asked = told(ALIAS)
    assert (records.records, records.name, asked) == ((), from_text("a.other.example"), 2)
    assert told(ALIAS, f"authority other.example SOA {SOA_DATA}") == (
        Records((), from_text("a.other.example"), None),
        1,
    )


def test_large_answers_do_not_fill_the_memory() -> None:
    """Zones are other people's: what is kept is bounded by its size too."""

    def many(_request: Message, response: Message) -> None:
        name = response.question[0].name
        response.answer.append(
            dns.rrset.from_text(name, 300, "IN", "CAA", *(f'0 issue "{n}.example"' for n in range(50)))
        )

    async def body() -> tuple[int, int]:
        resolver, server = Resolver(configure=False), _Told(many)
        resolver.nameservers = [server]
        records = RecordResolver(resolver, most_bytes=200_000)
        for number in range(100):
            await records.ask(from_text(f"{number}.example"), CAA)
        await records.ask(from_text("99.example"), CAA)  # the newest is there
        newest = server.asked
        await records.ask(from_text("0.example"), CAA)
        return newest, server.asked

    assert asyncio.run(body()) == (100, 101)


def test_other_name_servers_of_the_system_are_followed(tmp_path: Path) -> None:
    """What the old ones said does not hold there, and a file that is away for a moment is no end."""
    file = tmp_path / "resolv.conf"

    def system(servers: Mapping[str, Server]) -> SystemResolver:
        """Each name server's address leads to a port of ours: 53 is not for tests."""

        class Ported(SystemResolver):
            def read(self) -> Resolver:
                resolver = super().read()
                resolver.nameservers = [
                    Do53Nameserver("127.0.0.1", servers[str(one)].port) for one in resolver.nameservers
                ]
                return resolver

        return Ported(file)

    async def body() -> list[int | str]:
        found: list[int | str] = []
        async with (
            running_server({HOST: [ISSUE]}) as one,
            running_server({HOST: [ISSUE, ISSUE.replace("ca", "b")]}) as two,
        ):
            file.write_text("nameserver 192.0.2.1\n")
            clock, followed = Clock(), system({"192.0.2.1": one, "192.0.2.2": two})
            records = RecordResolver(followed.read(), clock=clock).follow(followed.renewed)
            for text in (None, "nameserver 192.0.2.2\n", "# no network\n", "nameserver 192.0.2.2\noptions edns0\n"):
                if text is not None:
                    file.write_text(text)
                clock.now += LOOK_EVERY_SECONDS
                try:
                    found.append(len((await records.ask(from_text(HOST), CAA)).records))
                except LookupFailedError as error:
                    found.append(str(error))
            file.unlink()
            await records.ask(from_text(HOST), CAA)  # the last look was just now
            return [*found, len(one.asked), len(two.asked)]

    nobody = f"CAA of {HOST}: there is no name server"
    assert asyncio.run(body()) == [1, 2, nobody, 2, 1, 2]
