"""Pages of targets: servers with many failures and with unknown parts, and a page read by a strict parser."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from xml.etree.ElementTree import Element

import html5lib

from exporter.facts.handshake import Listing, Prime
from exporter.facts.http import PlainAnswer
from exporter.model import Addresses, CipherOrder, Facts, Failure, HttpOptions, Protocol, Reason, Target, TrustFailure
from exporter.web import Gate
from tests.support.facts import (
    caa,
    certificates,
    deployment,
    facts,
    good_facts,
    handshake,
    http_everywhere,
    issuer,
    result,
    showing,
    tried,
)
from tests.support.known_fleet import KnownFleet, served
from tests.support.targets import NOW, make_target

_OLD = (
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_DHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_RC4_128_SHA",
)
_NEW = ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384")


def bad_facts(at: datetime = NOW) -> Facts:
    """A neglected web server, of which some parts are not known."""
    hellos = handshake(
        {Protocol.SSL3: _OLD[2:], Protocol.TLS1_0: _OLD, Protocol.TLS1_1: _OLD, Protocol.TLS1_2: (*_NEW, *_OLD)},
        open_protocols=[Protocol.SSL2],
        incomplete=[Protocol.TLS1_0],
        order={Protocol.TLS1_2: CipherOrder.CLIENT, Protocol.TLS1_0: None},
        groups={Protocol.TLS1_2: Listing(("secp256r1",), complete=True)},
        dh_primes=(Prime(1024, "1024 bits of Apache 2.1.5"),),
        heartbeat={Protocol.TLS1_2: True},
        alpn=None,
    )
    cross = issuer(subject="CN=Old Cross CA", issuer="CN=Other Root", fingerprint_sha256="77" * 32)
    chain = deployment(
        issuer(not_after=datetime(2028, 12, 1, tzinfo=UTC)),
        cross,
        path=(0, 1),
        surplus=(2,),
        complete=False,
        trusted=False,
        failures=(TrustFailure.EXPIRED, TrustFailure.INCOMPLETE_CHAIN),
        trust_detail="certificate has expired",
        not_before=datetime(2026, 8, 20, tzinfo=UTC),
        not_after=datetime(2026, 11, 18, tzinfo=UTC),
        sct_count=None,
        must_staple=None,
    )
    plain = PlainAnswer(80, redirects_to_https=False, status=200)
    web = showing(http_everywhere("max-age=600", on_errors=(), plain=plain), ("server", "Apache/2.2.15 (CentOS)"))
    attacks = tried({"heartbleed": True, "ccs_injection": False, "robot": None}, at)
    return facts(hellos, certificates(chain, complete=False), web, caa(), attacks, at=at)


def web_target(name: str = "test", *policies: str, several: bool = False) -> Target:
    """A web server whose attacks are tried, and whose port 80 is asked."""
    return make_target(
        name=name,
        policies=policies or ("kopano-checklist",),
        addresses=Addresses.ALL if several else Addresses.ONE,
        vulnerability_interval=timedelta(days=1),
        http=HttpOptions(port=80),
    )


def failed(reason: Reason, detail: str = "") -> tuple[Failure, ...]:
    """The server could not be asked at all."""
    return (Failure("handshake", reason, detail),)


async def saw_at(fleet: KnownFleet, name: str, **seen: Facts) -> None:
    """A scan of all addresses; the names are those of addresses, with `_` in the place of `.`."""
    target = fleet.publisher.setup.targets[name]
    await fleet.took(
        [
            replace(
                result(one, target=target, ended_at=fleet.now),
                address=address.strip("_").replace("_", "."),
                addresses_found=len(seen),
            )
            for address, one in seen.items()
        ]
    )


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A page as a strict parser reads it: it accepts no error."""

    status: int
    source: str
    root: Element

    def element(self, anchor: str) -> Element:
        """The element with this id."""
        (found,) = (one for one in self.root.iter() if one.get("id") == anchor)
        return found

    def section(self, anchor: str) -> str:
        """The text of the section whose heading has this id, or of the element itself."""
        labelled = [one for one in self.root.iter() if one.get("aria-labelledby") == anchor]
        return text_of(labelled[0] if labelled else self.element(anchor))

    @property
    def text(self) -> str:
        """All text."""
        return text_of(self.root)

    def tags(self, name: str) -> list[Element]:
        """All elements of this name."""
        return list(self.root.iter(name))


_BLOCKS = {
    "br",
    "button",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "li",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "td",
    "th",
    "ul",
}


def text_of(element: Element) -> str:
    """Its text, with single spaces, also between blocks."""
    return " ".join("".join(_texts(element)).split())


def _texts(element: Element) -> Iterator[str]:
    apart = " " if element.tag in _BLOCKS or str(element.tag) in {"h1", "h2", "h3", "h4", "h5", "h6"} else ""
    yield apart + (element.text or "")
    for child in element:
        yield from _texts(child)
        yield child.tail or ""
    yield apart


def read_page(source: str, status: int = 200) -> ReadPage:
    """The page, read strictly."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return ReadPage(status, source, parser.parse(source))


def page_of(
    target: Target,
    seen: Facts | None = None,
    *,
    failures: tuple[Failure, ...] = (),
    scanned: bool = True,
    gate: Gate | None = None,
    headers: tuple[str, ...] = (),
) -> ReadPage:
    """The page of a target after one scan."""

    async def ask() -> ReadPage:
        fleet = KnownFleet(target)
        if scanned:
            found = good_facts(fleet.now) if seen is None else seen
            await fleet.saw(target.name, found, failures=failures, success=not failures)
        return await page_in(fleet, target.name, gate, headers)

    return asyncio.run(ask())


async def page_in(fleet: KnownFleet, name: str, gate: Gate | None = None, headers: tuple[str, ...] = ()) -> ReadPage:
    """The page of one target of the fleet."""
    async with served(fleet, gate) as api:
        answer = await api.ask(f"/targets/{quote(name, safe='')}", *headers)
        return read_page(answer.body.decode(), answer.status)
