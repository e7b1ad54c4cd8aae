"""One entry of `dns_sd_configs`: which groups it finds, and what a failure changes. Knot answers in tests/real."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from dns.name import Name
from dns.rcode import REFUSED, SERVFAIL, Rcode
from dns.rdatatype import RdataType

from exporter.config import Config
from exporter.config.discovery import DnsSource
from exporter.config.sections import GlobalSettings, ResolverSettings
from exporter.environment import make_resolver
from exporter.net.records import LookupFailedError, RecordResolver, Records
from exporter.net.resolvconf import ResolvConf
from exporter.shortage import Resource, ShortageError
from exporter.targets.discovered import Lister, TargetList
from exporter.targets.discovery import Discovery
from exporter.targets.dns import MOST_AT_ONCE, DnsTargets, make_source
from exporter.targets.groups import Group
from exporter.targets.lists import Lists
from exporter.targets.sources import ResumedSource
from tests.support.names import Answers, Manner, Server, running_server
from tests.support.sources import Kept
from tests.support.targets import NOW

Targets = dict[str, set[str]]
"""Name -> addresses of its targets."""


async def no_pause(_seconds: float) -> None:
    raise AssertionError("the test refreshes")


def to(port: int, lifetime: str = "500ms") -> Config:
    """A configuration with the name server on this port."""
    resolver = ResolverSettings.model_validate({"nameservers": ["127.0.0.1"], "port": port, "timeout": lifetime})
    return Config.model_validate({"global": GlobalSettings(resolver=resolver)})


@asynccontextmanager
async def asking(
    answers: Answers, *names: str, conf: ResolvConf | None = None, **settings: object
) -> AsyncIterator[tuple[DnsTargets, Kept, Server]]:
    async with running_server(answers) as server:
        entry = DnsSource.model_validate({"names": list(names), **settings})
        resolver = make_resolver(to(server.port), most_entries=0)
        yield DnsTargets(entry, resolver, lambda: conf or ResolvConf(), no_pause), Kept(), server


def refreshed(answers: Answers, *names: str, conf: ResolvConf | None = None, **settings: object) -> Kept:
    """What one refresh finds."""

    async def run() -> Kept:
        async with asking(answers, *names, conf=conf, **settings) as (source, sink, _):
            await source.refresh(sink)
            return sink

    return asyncio.run(run())


def labels(sink: Kept) -> list[dict[str, str]]:
    assert sink.errors == []
    return [found for group in sink.lists[-1] for found in group.label_sets()]


A_IMAP = "_imaps._tcp.shop.example"


def test_the_targets_of_srv_records() -> None:
    sink = refreshed({A_IMAP: ["SRV 0 5 993 b.example.", "SRV 0 5 994 a.example."]}, A_IMAP)
    assert [(one["__address__"], one["__meta_dns_name"]) for one in labels(sink)] == [
        ("a.example:994", A_IMAP),
        ("b.example:993", A_IMAP),
    ]


def test_the_order_of_an_answer_does_not_matter() -> None:
    """Name servers rotate their records, so that clients share the load."""
    records = [f"A 192.0.2.{number}" for number in range(9)]
    first = refreshed({"www.example": records}, "www.example", type="A", port=443)
    second = refreshed({"www.example": records[4:] + records[:4]}, "www.example", type="A", port=443)
    assert list(first.lists[-1]) == list(second.lists[-1])


def listed(sink: Kept) -> TargetList:
    """What the exporter makes of it."""
    return Lister(Config(), {}).make({"dns_sd_configs.0": sink.lists[-1]})


@pytest.mark.parametrize(
    ("kind", "record", "address"), [("A", "A 192.0.2.1", "192.0.2.1"), ("aaaa", "AAAA ::1", "::1")]
)
def test_an_address_is_scanned_under_the_name_that_was_asked_for(kind: str, record: str, address: str) -> None:
    sink = refreshed({"www.example": [record]}, "Www.example", type=kind, port=443)
    (found,) = labels(sink)
    assert found["__meta_dns_name"] == "Www.example"
    (target,) = listed(sink).targets
    assert (target.host, target.connect_address, target.server_name) == ("www.example", address, "www.example")


def test_each_address_of_each_name_is_a_target_of_its_own() -> None:
    records = ["A 192.0.2.1", "A 192.0.2.2"]
    sink = refreshed({"a.example": records, "b.example": records}, "a.example", "b.example", type="A", port=443)
    found = listed(sink)
    assert found.rejected == ()
    assert {target.name for target in found.targets} == {
        *("a.example[192.0.2.1]:443", "a.example[192.0.2.2]:443"),
        *("b.example[192.0.2.1]:443", "b.example[192.0.2.2]:443"),
    }


def test_a_mail_server_is_a_target_with_starttls_and_its_domain() -> None:
    found = listed(refreshed({"shop.example": ["MX 1 mx.example."]}, "shop.example", type="MX"))
    (target,) = found.targets
    assert (target.name, target.protocol, target.starttls) == ("mx.example:25", "smtp", "smtp")
    assert (target.mail_domain, target.server_name) == ("shop.example", "mx.example")


def test_an_international_name_is_looked_up_as_a_labels() -> None:
    sink = refreshed({"xn--bcher-kva.example": ["MX 1 mx.example."]}, "Bücher.example", type="MX")
    (found,) = labels(sink)
    assert (found["__meta_dns_name"], found["__mail_domain__"]) == ("Bücher.example", "xn--bcher-kva.example")


def test_a_chain_of_aliases_is_followed() -> None:
    answers: Answers = {
        "a.example": ["CNAME b.example"],
        "b.example": ["CNAME c.example"],
        "c.example": ["A 192.0.2.1"],
    }
    (found,) = labels(refreshed(answers, "a.example", type="A", port=443))
    assert (found["__address__"], found["__host__"]) == ("192.0.2.1:443", "a.example")


MAIL: list[tuple[str, Answers, list[str]]] = [
    ("two servers", {"shop.example": ["MX 10 a.example.", "MX 20 b.example."]}, ["a.example:25", "b.example:25"]),
    ("the same server twice", {"shop.example": ["MX 10 a.example.", "MX 20 a.example."]}, ["a.example:25"]),
    ("no mail (RFC 7505), though it has an address", {"shop.example": ["MX 0 .", "A 192.0.2.1"]}, []),
    ("no mail, and an address literal", {"shop.example": ["MX 0 192.0.2.1.", "A 192.0.2.1"]}, []),
    ("its own server, by IPv4", {"shop.example": ["A 192.0.2.1"]}, ["shop.example:25"]),
    ("its own server, by IPv6", {"shop.example": ["AAAA ::1"]}, ["shop.example:25"]),
    ("its own server, by an alias", {"shop.example": ["CNAME b"], "b": ["A 192.0.2.1"]}, ["shop.example:25"]),
    ("no address", {"shop.example": ["TXT x"]}, []),
    ("no such domain", {}, []),
]  # fmt: skip


@pytest.mark.parametrize(("answers", "addresses"), [one[1:] for one in MAIL], ids=[one[0] for one in MAIL])
def test_the_servers_of_a_mail_domain(answers: Answers, addresses: list[str]) -> None:
    found = labels(refreshed(answers, "shop.example", type="MX"))
    assert [one["__address__"] for one in found] == addresses
    assert {one["__mail_domain__"] for one in found} <= {"shop.example"}
    assert {one["__starttls__"] for one in found} <= {"smtp"}


def test_a_domain_that_is_its_own_mail_server_has_no_label_of_a_record() -> None:
    (found,) = labels(refreshed({"shop.example": ["A 192.0.2.1"]}, "shop.example", type="MX"))
    assert "__meta_dns_mx_record_target" not in found


def test_what_is_not_a_target_does_not_affect_the_others(caplog: pytest.LogCaptureFixture) -> None:
    bad = [rf"SRV 0 0 443 bad\010{number}.example." for number in range(9)]

    async def run() -> None:
        async with asking({A_IMAP: [*bad, "SRV 0 0 443 a.example."]}, A_IMAP) as (source, sink, _):
            await source.refresh(sink)
            await source.refresh(sink)
            assert sink.last == {A_IMAP: {"a.example:443"}}
            assert sink.errors == []

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    (line,) = caplog.messages  # not one for each refresh
    assert A_IMAP in line
    assert line.isprintable()
    assert line.endswith("; and 6 more")


SEARCH = ResolvConf((), ("corp.example", "lan.example"))
SEARCHED: list[tuple[str, Answers, str, ResolvConf, list[str] | None]] = [
    ("the first domain", {"www.corp.example": ["A 192.0.2.1"]}, "www", SEARCH, ["www.corp.example"]),
    ("the second domain", {"www.lan.example": ["A 192.0.2.1"]}, "www", SEARCH, ["www.lan.example"]),
    ("no domain", {"www": ["A 192.0.2.1"]}, "www", SEARCH, ["www"]),
    (
        "a name that exists without such records ends the search",
        {"www.corp.example": ["TXT x"], "www.lan.example": ["A 192.0.2.1"]},
        "www",
        SEARCH,
        [],
    ),
    ("a final dot", {"www.corp.example": ["A 192.0.2.1"]}, "www.", SEARCH, []),
    ("enough dots", {"a.b": ["A 192.0.2.1"], "a.b.corp.example": ["A 192.0.2.2"]}, "a.b", SEARCH, ["a.b"]),
    (
        "too few dots",
        {"a.b": ["A 192.0.2.1"], "a.b.corp.example": ["A 192.0.2.2"]},
        "a.b",
        ResolvConf((), ("corp.example",), 2),
        ["a.b.corp.example"],
    ),
    (
        "a failure, then records",
        {"www.corp.example": SERVFAIL, "www.lan.example": ["A 192.0.2.1"]},
        "www",
        SEARCH,
        ["www.lan.example"],
    ),
    ("a failure, then no such name", {"www.corp.example": SERVFAIL}, "www", SEARCH, None),
    (
        "a failure, then a name without such records",
        {"www.corp.example": SERVFAIL, "www.lan.example": ["TXT x"]},
        "www",
        SEARCH,
        None,
    ),
    (
        "a failure, then a name without such records, then records",
        {"www.corp.example": SERVFAIL, "www.lan.example": ["TXT x"], "www": ["A 192.0.2.1"]},
        "www",
        SEARCH,
        None,
    ),
    ("a domain that makes the name too long", {"www": ["A 192.0.2.1"]}, "www", ResolvConf((), ("a." * 126,)), ["www"]),
    (
        "a domain that is not a name",
        {"www": ["A 192.0.2.1"]},
        "www",
        ResolvConf((), ("a..b", "x" * 64, "b\ufffdro")),
        ["www"],
    ),
]


@pytest.mark.parametrize(
    ("answers", "name", "conf", "found"), [one[1:] for one in SEARCHED], ids=[one[0] for one in SEARCHED]
)
def test_the_search_list(answers: Answers, name: str, conf: ResolvConf, found: list[str] | None) -> None:
    sink = refreshed(answers, name, conf=conf, type="A", port=443)
    if found is None:
        assert (sink.lists, len(sink.errors)) == ([], 1)
    else:
        assert [one["__host__"] for one in labels(sink)] == found
        assert {one["__meta_dns_name"] for one in labels(sink)} <= {name}


def test_a_search_list_that_changes_counts_from_the_next_refresh() -> None:
    async def run() -> Targets:
        answers: Answers = {"www.a.example": ["A 192.0.2.1"], "www.b.example": ["A 192.0.2.2"]}
        async with running_server(answers) as server:
            confs = iter([ResolvConf((), ("a.example",)), ResolvConf((), ("b.example",))])
            entry = DnsSource.model_validate({"names": ["www"], "type": "A", "port": 443})
            resolver = make_resolver(to(server.port), most_entries=0)
            source, sink = DnsTargets(entry, resolver, lambda: next(confs), no_pause), Kept()
            await source.refresh(sink)
            assert sink.last == {"www": {"192.0.2.1:443"}}
            await source.refresh(sink)
            return sink.last

    assert asyncio.run(run()) == {"www": {"192.0.2.2:443"}}


def test_the_mail_domain_is_the_complete_name() -> None:
    answers: Answers = {"shop.corp.example": ["MX 1 mx.example."]}
    (found,) = labels(refreshed(answers, "shop", conf=SEARCH, type="MX"))
    assert found["__mail_domain__"] == "shop.corp.example"


def test_a_name_that_fails_keeps_its_last_targets_while_others_change() -> None:
    async def run() -> None:
        answers: dict[str, Any] = {"a.example": ["A 192.0.2.1"], "b.example": ["A 192.0.2.2"]}
        async with asking(answers, "a.example", "b.example", type="A", port=443) as (source, sink, _):
            await source.refresh(sink)
            answers |= {"a.example": REFUSED, "b.example": ["A 192.0.2.3"]}
            await source.refresh(sink)
            assert sink.last == {"a.example": {"192.0.2.1:443"}, "b.example": {"192.0.2.3:443"}}
            assert len(sink.errors) == 1
            assert "A of a.example" in sink.errors[0]
            assert "REFUSED" in sink.errors[0]
            answers["a.example"] = []
            await source.refresh(sink)
            assert sink.last == {"a.example": set(), "b.example": {"192.0.2.3:443"}}
            assert len(sink.errors) == 1

    asyncio.run(run())


@pytest.mark.parametrize("failure", [SERVFAIL, REFUSED, None])
def test_when_all_names_fail_nothing_is_found(failure: Rcode | None) -> None:
    sink = refreshed({"a.example": failure, "b.example": failure}, "a.example", "b.example", type="A", port=443)
    assert sink.lists == []
    assert len(sink.errors) == 1


def test_a_name_that_fails_from_the_start_is_not_an_empty_group() -> None:
    sink = refreshed({"a.example": SERVFAIL, "b.example": []}, "a.example", "b.example", type="A", port=443)
    assert sink.last == {"b.example": set()}


def test_a_name_that_fails_from_the_start_has_the_targets_of_an_earlier_process() -> None:
    async def run() -> Targets:
        answers: Answers = {"a.example": SERVFAIL, "b.example": []}
        async with asking(answers, "a.example", "b.example", type="A", port=443) as (source, sink, _):
            earlier = [Group(f"{name}.example", ({"__address__": "192.0.2.9:443"},)) for name in ("a", "b", "removed")]
            assert isinstance(source, ResumedSource)
            source.resume(earlier)
            await source.refresh(sink)
            return sink.last

    assert asyncio.run(run()) == {"a.example": {"192.0.2.9:443"}, "b.example": set()}


def test_after_a_restart_the_daemon_keeps_the_targets_of_a_name_that_fails(tmp_path: Path) -> None:
    async def run() -> Targets:
        lists, discovery = Lists(tmp_path), Discovery(lambda: NOW)
        lists.save("dns_sd_configs.0", [Group("a.example", ({"__address__": "192.0.2.9:443"},)), Group("b.example")])
        discovery.keep_in(lists)
        async with running_server({"a.example": SERVFAIL, "b.example": ["A 192.0.2.2"]}) as server:
            entry = {"names": ["a.example", "b.example"], "type": "A", "port": 443}
            sources = [DnsSource.model_validate(entry)]
            discovery.use(discovery.stage(to(server.port).model_copy(update={"dns_sd_configs": sources})))
            (state,) = discovery.states
            await state.answered.wait()
            await discovery.stop(timedelta(seconds=60))
        assert state.error is not None
        (groups,) = discovery.groups.values()
        return {group.source: {labels["__address__"] for labels in group.label_sets()} for group in groups}

    assert asyncio.run(run()) == {"a.example": {"192.0.2.9:443"}, "b.example": {"192.0.2.2:443"}}


def test_a_mail_domain_whose_addresses_are_unknown_is_unknown() -> None:
    """Whether it is its own mail server is not known then."""

    class OnlyMx(RecordResolver):
        async def ask(self, name: Name, kind: RdataType) -> Records:
            if kind is not RdataType.MX:
                raise LookupFailedError("silence")
            return await super().ask(name, kind)

    async def run() -> Kept:
        async with running_server({"shop.example": []}) as server:
            resolver = OnlyMx(make_resolver(to(server.port)).resolver)
            entry = DnsSource.model_validate({"names": ["shop.example"], "type": "MX"})
            await DnsTargets(entry, resolver, ResolvConf, no_pause).refresh(sink := Kept())
            return sink

    sink = asyncio.run(run())
    assert (sink.lists, sink.errors) == ([], ["silence"])


def test_a_failure_that_stays_gives_the_list_once() -> None:
    """The sink takes a list as the end of the failure before, and logs both."""

    async def run() -> Kept:
        answers: dict[str, Any] = {"a.example": SERVFAIL, "b.example": ["A 192.0.2.2"]}
        async with asking(answers, "a.example", "b.example", type="A", port=443) as (source, sink, _):
            for _ in range(3):
                await source.refresh(sink)
            assert (len(sink.lists), len(sink.errors)) == (1, 3)
            answers["b.example"] = ["A 192.0.2.3"]
            await source.refresh(sink)
            assert (len(sink.lists), len(sink.errors)) == (2, 4)
            answers["a.example"] = []
            await source.refresh(sink)
            await source.refresh(sink)
            return sink

    sink = asyncio.run(run())
    assert (len(sink.lists), len(sink.errors)) == (4, 4)


def test_many_failures_make_one_short_message() -> None:
    names = [f"n{number}.example" for number in range(200)]
    sink = refreshed(dict.fromkeys(names, SERVFAIL), *names, type="A", port=443)
    (error,) = sink.errors
    assert error.endswith("; and 197 more")
    assert len(error) < 1000


def test_a_limited_number_of_names_is_looked_up_at_once() -> None:
    async def run() -> None:
        names, gate = [f"n{number}.example" for number in range(2 * MOST_AT_ONCE)], asyncio.Event()
        manner, answers = Manner(open_gate=gate), {name: ["A 192.0.2.1"] for name in names}
        async with running_server(answers, manner) as server:
            entry = DnsSource.model_validate({"names": names, "type": "A", "port": 443})
            source = DnsTargets(entry, make_resolver(to(server.port, "1m"), most_entries=0), ResolvConf, no_pause)
            sink = Kept()
            task = asyncio.create_task(source.refresh(sink))
            while len(server.asked) < MOST_AT_ONCE:
                await asyncio.sleep(0)
            for _ in range(1000):
                await asyncio.sleep(0)
            assert len(set(server.asked)) == MOST_AT_ONCE
            gate.set()
            await task
            assert sink.last == {name: {"192.0.2.1:443"} for name in names}

    asyncio.run(run())


def test_each_refresh_asks_again_at_the_interval() -> None:
    """As in Prometheus, the TTL does not count."""

    async def run() -> tuple[list[float], int, Kept]:
        pauses: list[float] = []

        async def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                raise asyncio.CancelledError

        sink = Kept()
        async with running_server({"a.example": ["A 192.0.2.1"]}, Manner(ttl=3600)) as server:
            entry = DnsSource.model_validate({"names": ["a.example"], "type": "A", "port": 443})
            resolver = make_resolver(to(server.port), most_entries=0)
            with pytest.raises(asyncio.CancelledError):
                await DnsTargets(entry, resolver, ResolvConf, pause).run(sink)
            return pauses, len(server.asked), sink

    pauses, asked, sink = asyncio.run(run())
    assert (pauses, asked, len(sink.lists)) == ([30.0] * 3, 3, 3)


def test_a_cancelled_source_leaves_no_lookup_behind() -> None:
    async def run() -> int:
        async with running_server({"a.example": None}) as server:
            entry = DnsSource.model_validate({"names": ["a.example"], "type": "A", "port": 443})
            before = len(asyncio.all_tasks())
            task = asyncio.create_task(make_source(entry, to(server.port, "1h")).run(Kept()))
            while not server.asked:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return len(asyncio.all_tasks()) - before

    assert asyncio.run(run()) == 0


def raising(error: Exception) -> Callable[[], ResolvConf]:
    def read() -> ResolvConf:
        raise error

    return read


def test_a_shortage_of_this_machine_is_a_failure() -> None:
    async def run() -> Kept:
        entry = DnsSource.model_validate({"names": ["a.example"], "type": "A", "port": 443})
        read = raising(ShortageError(Resource.DESCRIPTORS, "too many open files"))
        await DnsTargets(entry, make_resolver(to(9)), read, no_pause).refresh(sink := Kept())
        return sink

    sink = asyncio.run(run())
    assert (sink.lists, sink.errors) == ([], ["too many open files"])


def test_a_name_that_is_there_twice_is_one_group() -> None:
    sink = refreshed({"a.example": ["A 192.0.2.1"]}, "a.example", "a.example", type="A", port=443)
    assert [group.source for group in sink.lists[-1]] == ["a.example"]
