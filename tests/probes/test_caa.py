"""CAA by RFC 8659 with a name server of a few rules: climbing, aliases, and what must stay unknown."""

import asyncio
import socket
from typing import Any

import dns.message
import dns.rrset
import pytest
from dns.rcode import NXDOMAIN, REFUSED, SERVFAIL
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import ProbeError
from exporter.facts.dns import CaaSet, DnsFacts
from exporter.model import Proxy, Reason
from exporter.net.resolvconf import ResolvConf
from exporter.pki.caa import CaaRecord
from exporter.probes import caa as caa_probe
from exporter.probes.caa import PROBE
from fuzz.probes import dns_response
from tests.support.facts import certificate, facts
from tests.support.names import Answers, Manner, Odd, name_server, running_server
from tests.support.targets import make_environment, make_session, make_target

HOST = "www.shop.example"
LETTER = '0 issue "letsencrypt.org"'
OTHER = '0 issue "ca.example.net"'


def look_up(answers: Answers, host: str = HOST, *, recursive: bool = True) -> tuple[DnsFacts, list[str]]:
    async def run() -> tuple[DnsFacts, list[str]]:
        async with name_server(answers, recursive=recursive) as (port, asked):
            target = make_target(host=host)
            session = make_session(target, environment=make_environment(port))
            return await PROBE.run(session), asked

    return asyncio.run(run())


FOUND: list[tuple[str, Answers, str | None, int]] = [
    ("at the host", {HOST: [LETTER]}, HOST, 1),
    ("at the parent when the host has none", {HOST: [], "shop.example": [LETTER]}, "shop.example", 1),
    ("at the parent when the host does not exist", {"shop.example": [LETTER]}, "shop.example", 1),
    ("at the top-level domain", {"example": [LETTER]}, "example", 1),
    ("nowhere", {HOST: [], "shop.example": [], "example": []}, None, 0),
    ("the nearest set alone counts", {HOST: ['0 iodef "mailto:a@b"'], "shop.example": [LETTER, OTHER]}, HOST, 1),
    ("all records of the set", {HOST: [LETTER, OTHER, '128 issuewild ";"']}, HOST, 3),
    ("through an alias", {HOST: ["CNAME cdn.example.net"], "cdn.example.net": [LETTER]}, HOST, 1),
    (
        "an alias without records climbs from the host, not from its target (RFC 8659, 3)",
        {HOST: ["CNAME cdn.example.net"], "cdn.example.net": [], "example.net": [OTHER], "shop.example": [LETTER]},
        "shop.example",
        1,
    ),
]


@pytest.mark.parametrize(("answers", "domain", "count"), [case[1:] for case in FOUND], ids=[case[0] for case in FOUND])
def test_finds_the_relevant_set(answers: Answers, domain: str | None, count: int) -> None:
    seen, _ = look_up(answers)
    assert seen.caa_domain == domain
    assert len(seen.caa) == count


def test_asks_for_the_host_and_its_parents_and_never_for_the_root() -> None:
    _, asked = look_up({})
    assert asked == ["www.shop.example", "shop.example", "example"]


def test_stops_at_the_first_set() -> None:
    _, asked = look_up({"shop.example": [LETTER]})
    assert asked == ["www.shop.example", "shop.example"]


def test_keeps_flags_tag_and_value() -> None:
    seen, _ = look_up({HOST: ['128 ISSUE "ca.example.net; accounturi=https://ca.example.net/1"']})
    assert seen.caa == (CaaRecord(128, "issue", "ca.example.net; accounturi=https://ca.example.net/1"),)


UNKNOWN: list[tuple[str, Answers]] = [
    ("the host's answer is SERVFAIL", {HOST: SERVFAIL, "shop.example": [LETTER]}),
    ("the host's answer is REFUSED", {HOST: REFUSED, "shop.example": [LETTER]}),
    ("the host's answer does not come", {HOST: None, "shop.example": [LETTER]}),
    ("a parent's answer is SERVFAIL", {HOST: [], "shop.example": SERVFAIL, "example": [LETTER]}),
    ("the top-level domain's answer does not come", {HOST: NXDOMAIN, "shop.example": [], "example": None}),
]


@pytest.mark.parametrize("answers", [case[1] for case in UNKNOWN], ids=[case[0] for case in UNKNOWN])
def test_a_failed_lookup_is_never_the_absence_of_records(answers: Answers) -> None:
    with pytest.raises(ProbeError) as caught:
        look_up(answers)
    assert caught.value.reason is Reason.DNS_ERROR


def test_an_empty_answer_of_a_server_that_does_not_know_the_zone_is_no_answer() -> None:
    with pytest.raises(ProbeError) as caught:
        look_up({HOST: [], "shop.example": [], "example": []}, recursive=False)
    assert caught.value.reason is Reason.DNS_ERROR


@pytest.mark.parametrize("odd", Odd)
def test_what_is_no_answer_is_never_the_absence_of_records(odd: Odd) -> None:
    """Truncated answers without a complete one over TCP (RFC 7766, 5), referrals, and meaningless bytes."""
    with pytest.raises(ProbeError) as caught:
        look_up({HOST: odd, "shop.example": [LETTER]})
    assert caught.value.reason is Reason.DNS_ERROR


def test_a_thousand_targets_of_fifty_zones_ask_for_each_zone_once() -> None:
    """One question a host, one a zone, one for the top-level domain: 1,051 and not 3,000."""
    hosts = [f"h{number}.zone{number % 50}.example" for number in range(1000)]

    async def run() -> tuple[list[DnsFacts], list[str]]:
        async with running_server({}, Manner(negative_ttl=300)) as server:
            environment = make_environment(server.port)
            patient = environment.resolver.resolver
            patient.lifetime = patient.timeout = 30  # on a busy machine nothing must be asked twice
            sessions = [make_session(make_target(host=host), environment=environment) for host in hosts]
            found: list[DnsFacts] = []
            for start in range(0, 1000, 50):  # fifty scans at a time
                found += await asyncio.gather(*(PROBE.run(session) for session in sessions[start : start + 50]))
            return found, server.asked

    found, asked = asyncio.run(run())
    assert found == [DnsFacts((), None)] * 1000
    assert len(asked) == len(set(asked)) == 1000 + 50 + 1


def test_the_set_above_is_looked_up_for_a_wildcard_that_covers_a_host_with_a_set_of_its_own() -> None:
    async def run(*names: str) -> tuple[DnsFacts, list[str]]:
        answers: Answers = {HOST: [LETTER], "shop.example": [OTHER]}
        async with running_server(answers) as server:
            seen = facts(certificate(subject_alternative_names=names))
            session = make_session(make_target(host=HOST), known=seen, environment=make_environment(server.port))
            return await PROBE.run(session), server.asked

    found, asked = asyncio.run(run(f"DNS:{HOST}", "DNS:*.Shop.example"))
    assert found.caa_domain == HOST
    assert found.wildcard == CaaSet((CaaRecord(0, "issue", "ca.example.net"),), "shop.example")
    assert asked == [HOST, "shop.example"]
    found, asked = asyncio.run(run(f"DNS:{HOST}"))
    assert (found.wildcard, asked) == (None, [HOST])


def test_what_is_known_of_the_host_stays_when_the_set_for_the_wildcard_cannot_be_looked_up() -> None:
    async def run() -> None:
        async with running_server({HOST: [LETTER], "shop.example": SERVFAIL}) as server:
            seen = facts(certificate(subject_alternative_names=("DNS:*.shop.example",)))
            session = make_session(make_target(host=HOST), known=seen, environment=make_environment(server.port))
            await PROBE.run(session)

    with pytest.raises(ProbeError) as caught:
        asyncio.run(run())
    assert caught.value.reason is Reason.DNS_ERROR
    assert caught.value.facts == DnsFacts((CaaRecord(0, "issue", "letsencrypt.org"),), HOST)


@pytest.mark.parametrize("signed", [True, False])
def test_dnssec_goes_by_the_answer_about_the_host(signed: bool) -> None:
    async def run() -> DnsFacts:
        async with running_server({"shop.example": [LETTER]}, Manner(secure=[HOST] if signed else [])) as server:
            environment = make_environment(server.port, validating=True)
            return await PROBE.run(make_session(make_target(host=HOST), environment=environment))

    assert asyncio.run(run()).dnssec is signed


CORP_CAA: Answers = {"shop.corp.example": [LETTER], "www.shop.example": [OTHER]}


def searched(monkeypatch: pytest.MonkeyPatch, host: str, **changes: Any) -> DnsFacts:  # noqa: ANN401 - any field of Target
    """With a search list, and a system that knows www.shop.example, and shop.corp.example as `shop`."""

    def getaddrinfo(name: str, port: int, **_: int) -> list[object]:
        if name not in {"www.shop.example.", "shop.corp.example.", "shop"}:
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(caa_probe, "read_resolv_conf", lambda: ResolvConf(search=("corp.example",)))

    async def run() -> DnsFacts:
        async with running_server(CORP_CAA) as server:
            target = make_target(host=host, **{"connect_address": None, **changes})
            return await PROBE.run(make_session(target, environment=make_environment(server.port)))

    return asyncio.run(run())


def test_records_are_those_of_the_name_whose_address_is_scanned(monkeypatch: pytest.MonkeyPatch) -> None:
    short = searched(monkeypatch, "shop")
    assert (short.caa_domain, short.name) == ("shop.corp.example", "shop.corp.example")
    full = searched(monkeypatch, "www.shop.example")
    assert (full.caa_domain, full.name) == ("www.shop.example", None)


@pytest.mark.parametrize(
    "changes", [{}, {"connect_address": "127.0.0.1"}, {"proxy": Proxy("http", "127.0.0.1", 3128)}], ids=str
)
def test_a_short_name_of_unknown_domain_has_no_known_records(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    """Asked for as it is, `intranet.` would have none, and that would be a failure that is not true."""
    with pytest.raises(ProbeError, match="which DNS name this is") as caught:
        searched(monkeypatch, "intranet", **changes)
    assert caught.value.reason is Reason.DNS_ERROR


def test_does_not_apply_to_addresses() -> None:
    assert not PROBE.applies(make_target(host="192.0.2.1"))
    assert not PROBE.applies(make_target(host="2001:db8::1"))
    assert PROBE.applies(make_target())


def test_shows_counts_by_tag_with_unknown_tags_together() -> None:
    seen, _ = look_up({HOST: [LETTER, OTHER, '0 iodef "mailto:a@b"', '0 tbs "x"', '0 auth "x"']})
    shown = {sample.labels.get("tag", ""): sample.value for sample in PROBE.shape.samples(seen)}
    assert shown == {"": 1, "issue": 2, "iodef": 1, "other": 2}


def _response(kind: str, record: str) -> bytes:
    """Of one record at the host."""
    query = dns.message.make_query("www.test.example.", "CAA", id=0)
    response = dns.message.make_response(query, recursion_available=True)
    response.answer.append(dns.rrset.from_text("www.test.example.", 300, "IN", kind, record))
    return response.to_wire()


@given(
    st.sampled_from([_response("CAA", LETTER), _response("CAA", OTHER), _response("CNAME", "a.example.")]),
    st.lists(st.tuples(st.integers(0, 90), st.binary(max_size=3)), max_size=4),
    st.binary(max_size=40),
)
def test_no_response_leads_to_anything_but_facts_or_a_probe_error(
    response: bytes, changes: list[tuple[int, bytes]], tail: bytes
) -> None:
    for at, change in changes:
        response = response[:at] + change + response[at + len(change) :]
    dns_response(response + tail)
