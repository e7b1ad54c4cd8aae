"""Names to addresses: the results of getaddrinfo in one form."""

import asyncio
import socket
import threading
from collections.abc import Callable

import pytest

from exporter.errors import ProbeError
from exporter.model import IpProtocol, Reason
from exporter.net.patience import Patience
from exporter.net.resolvconf import ResolvConf
from exporter.net.resolve import resolve, resolve_all, searched_name
from exporter.threads import Pool

Place = tuple[str, int] | tuple[str, int, int, int]


def answering(monkeypatch: pytest.MonkeyPatch, *places: Place, error: Exception | None = None) -> list[int]:
    """Have getaddrinfo say this; gives the families it is asked for."""
    families: list[int] = []

    def getaddrinfo(_host: str, _port: int, family: int = 0, type: int = 0) -> list[object]:  # noqa: A002 - its name
        families.append(family)
        if error is not None:
            raise error
        return [(socket.AF_INET6 if len(place) > 2 else socket.AF_INET, type, 6, "", place) for place in places]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return families


def found(host: str = "www.test.example", protocol: IpProtocol = IpProtocol.ANY) -> tuple[str, ...]:
    return asyncio.run(resolve_all(host, 443, protocol))


def test_every_address_comes_once_in_the_systems_order(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, ("2001:db8::1", 443, 0, 0), ("192.0.2.2", 443), ("192.0.2.1", 443), ("192.0.2.2", 443))
    assert found() == ("2001:db8::1", "192.0.2.2", "192.0.2.1")
    assert asyncio.run(resolve("www.test.example", 443)) == "2001:db8::1"


def test_an_ipv4_address_in_ipv6_clothes_is_the_same_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, ("192.0.2.1", 443), ("::ffff:192.0.2.1", 443, 0, 0), ("2001:DB8:0::1", 443, 0, 0))
    assert found() == ("192.0.2.1", "2001:db8::1")
    assert found("::ffff:192.0.2.9") == ("192.0.2.9",)


def test_a_link_local_address_keeps_its_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    (number,) = (index for index, name in socket.if_nameindex() if name == "lo")
    unheard_of = max(index for index, _ in socket.if_nameindex()) + 1000
    answering(
        monkeypatch,
        ("fe80::1", 443, 0, number),
        ("fe80::1", 443, 0, unheard_of),
        ("fe80::2%lo", 443, 0, number),
    )
    assert found() == ("fe80::1%lo", f"fe80::1%{unheard_of}", "fe80::2%lo")


@pytest.mark.parametrize(
    ("protocol", "family", "addresses"),
    [
        (IpProtocol.ANY, socket.AF_UNSPEC, ("192.0.2.1", "2001:db8::1")),
        (IpProtocol.IP4, socket.AF_INET, ("192.0.2.1",)),
        (IpProtocol.IP6, socket.AF_INET6, ("2001:db8::1",)),
    ],
)
def test_only_addresses_of_the_protocol_are_asked_for_and_taken(
    monkeypatch: pytest.MonkeyPatch, protocol: IpProtocol, family: int, addresses: tuple[str, ...]
) -> None:
    families = answering(monkeypatch, ("192.0.2.1", 443), ("2001:db8::1", 443, 0, 0))
    assert found(protocol=protocol) == addresses
    assert families == [family]


def test_an_address_is_its_own_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    families = answering(monkeypatch)
    assert found("192.0.2.1") == found("192.0.2.1", IpProtocol.IP4) == ("192.0.2.1",)
    assert found("fe80::1%eth0", IpProtocol.IP6) == ("fe80::1%eth0",)
    assert found("::1%lo") == ("::1",), "only a link-local address needs its zone (RFC 4007, 6)"
    assert families == []


def failure(attempt: Callable[[], object]) -> ProbeError:
    with pytest.raises(ProbeError) as caught:
        attempt()
    return caught.value


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (socket.gaierror(socket.EAI_NONAME, "not known"), Reason.DNS_NXDOMAIN),
        (socket.gaierror(socket.EAI_NODATA, "no address"), Reason.DNS_NXDOMAIN),
        (socket.gaierror(socket.EAI_ADDRFAMILY, "no address of this kind"), Reason.DNS_NXDOMAIN),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), Reason.DNS_ERROR),
        (socket.gaierror(socket.EAI_FAIL, "failed"), Reason.DNS_ERROR),
        (UnicodeError("label too long"), Reason.DNS_ERROR),
        (OSError("no files left"), Reason.DNS_ERROR),
    ],
)
def test_why_there_is_no_address_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reason: Reason
) -> None:
    answering(monkeypatch, error=error)
    told = failure(found)
    assert told.reason is reason
    assert told.detail.startswith("www.test.example: ")


def test_a_name_without_an_address_of_the_protocol_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, ("192.0.2.1", 443))
    told = failure(lambda: found(protocol=IpProtocol.IP6))
    assert (told.reason, told.detail) == (Reason.DNS_NXDOMAIN, "www.test.example: no address for ip_protocol ip6")
    assert failure(lambda: found("192.0.2.1", IpProtocol.IP6)).reason is Reason.DNS_NXDOMAIN


def test_whoever_stops_waiting_does_not_wait_for_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def getaddrinfo(*_place: object, **_hints: object) -> list[object]:
        asked.set()
        go_on.wait(20)
        return []

    async def run() -> None:
        task = asyncio.create_task(resolve_all("www.test.example", 443, IpProtocol.ANY))
        assert await asyncio.to_thread(asked.wait, 20)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    asyncio.run(run())
    go_on.set()


def test_localhost_is_resolved_by_the_system() -> None:
    assert set(found("localhost")) & {"127.0.0.1", "::1"}


ONE, TWO = "192.0.2.1", "192.0.2.2"
CORP = ResolvConf(search=("corp.example", "lan"))
KUBERNETES = ResolvConf(search=("shop.svc.cluster.local", "svc.cluster.local"), dots=5)
BROKEN = socket.gaierror(socket.EAI_AGAIN, "try again")
SEARCHES: list[tuple[str, str, ResolvConf, dict[str, str | None], str | None]] = [
    # what it is, host, configuration, names and their addresses (None: its servers fail), the name that is meant
    ("no search list", "www.shop.example", ResolvConf(), {}, "www.shop.example"),
    ("a single label without a search list", "shop", ResolvConf(), {"shop": ONE}, "shop"),
    ("a single label of the hosts file without a search list", "shop", ResolvConf(), {}, None),
    ("a single label of the hosts file that a domain has, too", "shop", CORP, {"shop.corp.example": TWO}, None),
    ("the same, and another name with the address", "shop", CORP, {"shop.corp.example": TWO, "shop": ONE}, None),
    (
        "a full name of the hosts file, elsewhere in the DNS",
        "www.shop.example",
        CORP,
        {"www.shop.example": TWO},
        "www.shop.example",
    ),
    (
        "a full name of the hosts file that a domain has, too",
        "www.shop.example",
        KUBERNETES,
        {"www.shop.example.svc.cluster.local": TWO},
        None,
    ),
    (
        "the same, with an address of its own name",
        "www.shop.example",
        KUBERNETES,
        {"www.shop.example.svc.cluster.local": TWO, "www.shop.example": ONE},
        "www.shop.example",
    ),
    ("a single label", "shop", CORP, {"shop.corp.example": ONE, "shop": TWO}, "shop.corp.example"),
    ("the second domain", "shop", CORP, {"shop.lan": ONE}, "shop.lan"),
    ("a single label as it is", "shop", CORP, {"shop": ONE}, "shop"),
    ("a single label of the hosts file", "shop", CORP, {}, None),
    (
        "a full name",
        "www.shop.example",
        CORP,
        {"www.shop.example": ONE, "www.shop.example.lan": TWO},
        "www.shop.example",
    ),
    ("a part of a name", "shop.dev", CORP, {"shop.dev.corp.example": ONE}, "shop.dev.corp.example"),
    ("a full name of the hosts file", "www.shop.example", CORP, {}, "www.shop.example"),
    ("a full name in Kubernetes", "www.shop.example", KUBERNETES, {"www.shop.example": ONE}, "www.shop.example"),
    (
        "a service in Kubernetes",
        "db.shop",
        KUBERNETES,
        {"db.shop.svc.cluster.local": ONE, "db.shop": TWO},
        "db.shop.svc.cluster.local",
    ),
    (
        "a domain of the list whose servers always fail",
        "www.shop.example",
        ResolvConf(search=("broken.example",), dots=5),
        {"www.shop.example.broken.example": None, "www.shop.example": ONE},
        "www.shop.example",
    ),
]


def searching(monkeypatch: pytest.MonkeyPatch, names: dict[str, str | None], host: str, address: str) -> None:
    """Have getaddrinfo know these full names, and this address of the host."""

    def getaddrinfo(name: str, port: int, family: int = 0, type: int = 0) -> list[object]:  # noqa: A002 - its name
        known = {f"{full}.": at for full, at in names.items()} | {host: address}
        if name not in known:
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        if known[name] is None:
            raise BROKEN
        return [(socket.AF_INET, type, 6, "", (known[name], port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    ("host", "conf", "names", "meant"), [case[1:] for case in SEARCHES], ids=[case[0] for case in SEARCHES]
)
def test_the_name_that_a_search_list_leads_to(
    monkeypatch: pytest.MonkeyPatch, host: str, conf: ResolvConf, names: dict[str, str | None], meant: str | None
) -> None:
    searching(monkeypatch, names, host, ONE)
    assert asyncio.run(searched_name(host, 443, IpProtocol.ANY, conf)) == meant


@pytest.mark.parametrize("names", [{"shop.corp.example": None}, {"shop.corp.example": None, "shop.lan": TWO}])
def test_a_name_that_cannot_be_looked_up_may_be_the_one(
    monkeypatch: pytest.MonkeyPatch, names: dict[str, str | None]
) -> None:
    searching(monkeypatch, names, "shop", ONE)
    assert failure(lambda: asyncio.run(searched_name("shop", 443, IpProtocol.ANY, CORP))).reason is Reason.DNS_ERROR


def test_a_scan_is_not_late_while_the_lookups_of_others_have_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name whose servers are dead keeps its thread after its scan. Its own lookup makes a scan late."""
    monkeypatch.setattr("exporter.net.resolve.NAMES", Pool("names", 1))
    monkeypatch.setattr("exporter.net.patience.FIRST_ANSWER_SECONDS", 0.05)
    go_on = {host: threading.Event() for host in ("dead.example", "healthy.example")}

    def getaddrinfo(host: str, _port: int, **_rest: object) -> list[object]:
        go_on[host].wait(20)
        return [(socket.AF_INET, 1, 6, "", ("192.0.2.1", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    late = asyncio.Event()

    async def run() -> None:
        dead = asyncio.create_task(resolve("dead.example", 443))
        await asyncio.sleep(0)
        with Patience(late.set):
            healthy = asyncio.create_task(resolve("healthy.example", 443))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await late.wait()
            go_on["dead.example"].set()
            await dead
            async with asyncio.timeout(20):
                await late.wait()
            go_on["healthy.example"].set()
            assert await healthy == "192.0.2.1"

    asyncio.run(run())
