"""Server-side request forgery: nothing that somebody asks of `/probe` makes it connect to what is not permitted."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.probe import ProbeRule
from exporter.config.sections import GlobalSettings, TargetSettings
from exporter.errors import ProbeError, TargetError
from exporter.model import DnsQuestion, IpProtocol
from exporter.probes.registry import PROBES
from exporter.probing.allow import Allow
from exporter.probing.lookups import only
from exporter.targets import make_target
from tests.support import web
from tests.support.probing import NO_RESOLVER, Names, Untouched, probed_daemon
from tests.support.servers import make_pki

OPEN = (
    "[{hosts: ['*'], cidrs: [0.0.0.0/0, '::/0'], ports: [PORT, 443, 80], starttls: [smtp, imap, ldap]}, {hosts: ['*']}]"
)
"""As much as can be permitted without naming a special network."""

PUBLIC = "203.0.113.7"
NAMES: dict[str, list[tuple[str, ...]]] = {
    "localhost": [("127.0.0.1", "::1")],
    "public-localhost.localhost": [(PUBLIC,)],
    "loopback.example": [("127.0.0.1",)],
    "loopback6.example": [("::1",)],
    "mapped.example": [("::ffff:127.0.0.1",)],
    "compatible.example": [("::7f00:1",)],
    "translated.example": [("::ffff:0:7f00:1",)],
    "nat64.example": [("64:ff9b::7f00:1",)],
    "nat64-metadata.example": [("64:ff9b::a9fe:a9fe",)],
    "nat64-local.example": [("64:ff9b:1::7f00:1",)],
    "nat64-local-48.example": [("64:ff9b:1:7f00:0:100::",)],
    "6to4.example": [("2002:7f00:1::1",)],
    "teredo.example": [("2001:0:cb00:7107:0:0:80ff:fffe",)],
    "teredo-server.example": [("2001:0:7f00:1:0:0:34ff:8ef8",)],
    "isatap.example": [("2001:db8::5efe:7f00:1",)],
    "unspecified.example": [("0.0.0.0",)],
    "unspecified6.example": [("::",)],
    "this-network.example": [("0.1.2.3",)],
    "metadata.example": [("169.254.169.254",)],
    "metadata6.example": [("fd00:ec2::254",)],
    "alibaba.example": [("100.100.100.200",)],
    "oracle.example": [("192.0.0.192",)],
    "azure.example": [("168.63.129.16",)],
    "link-local.example": [("169.254.1.1",)],
    "link-local6.example": [("fe80::1%lo",)],
    "site-local.example": [("fec0::1",)],
    "multicast.example": [("224.0.0.1",)],
    "multicast6.example": [("ff02::1",)],
    "broadcast.example": [("255.255.255.255",)],
    "reserved.example": [("240.0.0.1",)],
    "reserved6.example": [("4000::1",)],
    "one-of-two.example": [(PUBLIC, "127.0.0.1")],
    "one-of-two6.example": [("::1", "2001:db8::7")],
    "alias.example": [("127.0.0.1",)],  # a CNAME to localhost: what the system's resolver returns
    "0x7f000001": [("127.0.0.1",)],  # as getaddrinfo reads it
}

BY_NAME = sorted(set(NAMES))
BY_TEXT = [
    *("127.0.0.1", "127.1", "127.0.1", "0", "0.0.0.0", "[::]", "[::1]", "127.255.255.254"),
    *("2130706433", "017700000001", "0177.0.0.1", "0177.0.0.01", "127.0.0.01", "0x7f.0.0.1", "0x7f.1", "0x7f000001"),
    *("0x7F.0x0.0x0.0x1", "127.0.0.0x1", "00000000177.0.0.1", "127.0.0.1.", "localhost", "localhost.", "LOCALHOST"),
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::127.0.0.1]"),
    *(
        "[2002:7f00:1::]",
        "[::ffff:0:127.0.0.1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[::1%lo]",
        "[fe80::1%lo]",
        "[::1%25lo]",
    ),
    *("169.254.169.254", "[fd00:ec2::254]", "[fe80::1]", "metadata.example."),
    *("user@127.0.0.1", "user:password@127.0.0.1", "www.example.com@127.0.0.1", "127.0.0.1@www.example.com"),
    *("www.example.com#@127.0.0.1", "127.0.0.1#.example.com", "127.0.0.1?.example.com", "127.0.0.1/.example.com"),
    *("127.0.0.1\\.example.com", "127.0.0.1\\@www.example.com", "www.example.com\\@127.0.0.1"),
    *("127.0.0.1%00.example.com", "127.0.0.1\0.example.com", "127.0.0.1\r\nHost: x", "127.0.0.1\n", " 127.0.0.1"),
    *("127.0.0.1 ", "127.0.0.1\t", "127.0.0.1;x", "127.0.0.1,203.0.113.7", "%6c%6f%63%61%6c%68%6f%73%74"),
    *("①②⑦.⓪.⓪.①", "127。0。0。1", "127．0．0．1", "١٢٧.٠.٠.١", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "localhost", "loc\u00adalhost"),
    *("127.0.0.1\u200b", "\u202e1.0.0.721", "127.0.0.1\ud83d\ude00"[:9] + "\U0001f600", "local\u2024host"),
    *(
        "[127.0.0.1]",
        "[localhost]",
        "[::1",
        "::1]",
        "[[::1]]",
        "127.0.0.1:PORT:PORT",
        "127.0.0.1:+PORT",
        "127.0.0.1: PORT",
    ),
    *("127.0.0.1:０", "file:///etc/passwd", "http://127.0.0.1", "gopher://127.0.0.1", "ftp://127.0.0.1", "//127.0.0.1"),
    *(
        "https://127.0.0.1:PORT/",
        "https://127.0.0.1:PORT/path",
        "https://user@127.0.0.1:PORT",
        "smtp+starttls://127.0.0.1",
    ),
    *("unix:/run/docker.sock", "", ".", "..", "-", "a" * 254, "a." * 200, ("a" * 64) + ".example", "www..localhost"),
]


@pytest.fixture
def untouched() -> Iterator[Untouched]:
    listener = Untouched()
    yield listener
    listener.close()


def test_no_trick_reaches_this_machine(tmp_path: Path, untouched: Untouched) -> None:
    """With and without a port; asked over HTTP, with a listener that would notice."""
    config = f"global: {{timeout: 300ms, scan_timeout: 2s, {NO_RESOLVER}}}\nprobe: {{allow: {OPEN}}}\n"
    config = config.replace("PORT", str(untouched.port))

    async def run() -> dict[str, int]:
        said = {}
        async with probed_daemon(tmp_path, config, Names(NAMES)) as daemon:
            for trick in [*BY_NAME, *BY_TEXT]:
                text = trick.replace("PORT", str(untouched.port))
                for target in (text, f"{text}:{untouched.port}", f"smtp+starttls://{text}:{untouched.port}"):
                    path = f"/probe?target={quote(target, safe='', errors='surrogatepass')}"
                    said[target] = (await daemon.get(path)).status
        return said

    said = asyncio.run(run())
    assert len([*BY_NAME, *BY_TEXT]) > 100
    assert {target: status for target, status in said.items() if status not in {400, 403}} == {}
    assert untouched.accepted() == 0


def _hidden(kind: str, inside: int) -> str:
    """An IPv6 address with this IPv4 address inside."""
    places = {
        "mapped": 0xFFFF << 32 | inside,
        "compatible": inside,
        "translated": 0xFFFF << 48 | inside,
        "nat64": 0x64FF9B << 96 | inside,
        "nat64 of its own": 0x64FF9B0001 << 80 | inside,
        "6to4": 0x2002 << 112 | inside << 80 | 1,
        "teredo client": 0x20010000 << 96 | 0xCB007107 << 64 | inside ^ 0xFFFFFFFF,
        "teredo server": 0x20010000 << 96 | inside << 64 | 0x34FF8EF8,
        "isatap": 0x20010DB8 << 96 | 0x5EFE << 32 | inside,
    }
    return str(IPv6Address(places[kind]))


KINDS = (
    *("mapped", "compatible", "translated", "nat64", "nat64 of its own", "6to4", "teredo client", "teredo server"),
    "isatap",
)
EVERYTHING = Allow([ProbeRule(hosts=["*"], cidrs=["0.0.0.0/0", "::/0"]), ProbeRule(hosts=["*"])])


@given(st.sampled_from(KINDS), st.integers(0, 2**24 - 1), st.sampled_from([0, 127, 224, 239, 240, 255]))
def test_no_special_address_is_permitted_inside_of_another(kind: str, low: int, high: int) -> None:
    address = _hidden(kind, high << 24 | low)
    target = make_target(TargetSettings.from_text("www.example"), GlobalSettings())
    assert EVERYTHING.permitted(target, [address]) is None
    assert EVERYTHING.permitted(target, ["203.0.113.7", str(IPv4Address(high << 24 | low))]) is None


@given(st.text())
def test_any_text_is_permitted_refused_or_no_target(text: str) -> None:
    rule = Allow([ProbeRule(hosts=["*.example.com"])])
    try:
        target = make_target(TargetSettings.from_text(text), GlobalSettings())
    except TargetError:
        return
    assert target.host.endswith(".example.com") or not rule.may_permit(target)


def test_redirects_of_the_server_are_not_followed(tmp_path: Path, untouched: Untouched) -> None:
    there = f"Location: https://127.0.0.1:{untouched.port}/\r\nRefresh: 0; url=https://127.0.0.1:{untouched.port}/\r\n"
    names = Names({"www.example": [("127.0.0.2",)]})

    async def run() -> tuple[int, str]:
        pki = make_pki(tmp_path)
        handler = web.answering(lambda _: web.response(there, "302 Found"))
        async with web.serving(handler, pki, host="127.0.0.2") as server:
            config = f"global: {{timeout: 2s, vulnerability_interval: never, {NO_RESOLVER}}}\n"
            config += f"probe: {{allow: [{{hosts: ['*'], cidrs: [127.0.0.2/32], ports: [{server.port}]}}]}}\n"
            async with probed_daemon(tmp_path, config, names) as daemon:
                answer = await daemon.probe(f"www.example:{server.port}")
                return len(server.requests), answer.body.decode()

    requests, page = asyncio.run(run())
    assert requests > 0
    assert 'tls_posture_probe_success{target="www.example' in page
    assert untouched.accepted() == 0
    assert names.asked == ["www.example"]


def test_a_probe_that_connects_to_another_server_does_not_run() -> None:
    """The MTA-STS policy is on a web server of the mail domain, which a text cannot name."""
    target = make_target(TargetSettings.from_text("smtp+starttls://mail.example"), GlobalSettings())
    asked = replace(target, questions=frozenset(DnsQuestion))
    assert [probe.name for probe in PROBES if probe.name.startswith("mta_sts") and probe.applies(asked)] == []
    assert [p.name for p in PROBES if p.applies(replace(asked, mail_domain="example")) and not p.applies(asked)] == [
        "mta_sts",
        "mta_sts_policy",
    ]


def test_the_lookup_of_a_scan_knows_no_other_name() -> None:
    lookup = only("www.example", ("203.0.113.7", "2001:db8::7"))

    async def ask(name: str) -> tuple[str, ...]:
        return await lookup(name, 443, IpProtocol.ANY)

    assert asyncio.run(ask("www.example")) == ("203.0.113.7", "2001:db8::7")
    assert asyncio.run(ask("2001:db8::7")) == ("2001:db8::7",)
    for name in ("localhost", "127.0.0.1", "mta-sts.example", "www.example."):
        with pytest.raises(ProbeError):
            asyncio.run(ask(name))
