"""The page of a target: known, none, and not known look different; hostile texts stay texts."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import date
from ipaddress import ip_address

import pytest

from exporter.facts.dns import MtaStsFacts, StsPolicy, StsPolicyFacts, TlsaFacts, TlsaRecord
from exporter.facts.http import HttpFacts
from exporter.html.target import view_of_reports
from exporter.html.templates import render
from exporter.model import Acceptance, DnsQuestion, Facts, Protocol, Reason, Verdict
from exporter.web import Gate
from exporter.web.lifecycle import NOT_ENABLED
from tests.support.facts import (
    CBC_RSA,
    KOPANO,
    caa,
    certificate,
    facts,
    good_facts,
    handshake,
    http,
    report,
    response,
    showing,
    tried,
)
from tests.support.known_fleet import KnownFleet
from tests.support.target_pages import (
    ReadPage,
    bad_facts,
    failed,
    page_in,
    page_of,
    read_page,
    saw_at,
    web_target,
)
from tests.support.targets import NOW

SECTIONS = ("grade", "protocols", "groups", "attacks", "certificate", "http", "dns", "software", "clients", "probes")


def ids(page: ReadPage) -> list[str]:
    return [anchor for one in page.root.iter() if (anchor := one.get("id")) is not None]


@pytest.fixture(scope="module")
def good() -> ReadPage:
    return page_of(web_target())


@pytest.fixture(scope="module")
def bad() -> ReadPage:
    return page_of(web_target("test", "kopano-checklist", "mozilla-intermediate"), bad_facts())


@pytest.fixture(scope="module")
def handshake_only() -> ReadPage:
    """Of everything else nothing is known, and it is known why."""
    return page_of(web_target(), facts(handshake()), failures=())


# --- all of the page --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["good", "bad", "handshake_only"])
def test_the_page_has_all_sections_and_each_id_once(page: str, request: pytest.FixtureRequest) -> None:
    read: ReadPage = request.getfixturevalue(page)
    found = Counter(ids(read))
    assert {*SECTIONS, "history", "check-hsts"} <= set(found)
    assert max(found.values()) == 1
    targets = [link.get("href", "") for link in read.tags("a")]
    assert {link[1:] for link in targets if link.startswith("#")} <= set(found)


@pytest.mark.parametrize("page", ["good", "bad", "handshake_only"])
def test_the_page_needs_no_exception_from_the_content_policy(page: str, request: pytest.FixtureRequest) -> None:
    read: ReadPage = request.getfixturevalue(page)
    assert not [one for one in read.root.iter() if one.get("style") is not None or one.tag == "style"]
    assert [one.get("src", "")[:10] for one in read.tags("script")] == ["../assets/"]
    assert not [name for one in read.root.iter() for name in one.attrib if name.startswith("on")]


def test_a_target_that_does_not_exist() -> None:
    async def ask() -> ReadPage:
        return await page_in(KnownFleet(web_target()), "<b>other</b>")

    page = asyncio.run(ask())
    assert page.status == 404
    assert "There is no target '<b>other</b>'." in page.text
    assert not page.tags("b")


def test_a_target_that_was_never_scanned() -> None:
    page = page_of(web_target(), scanned=False)
    assert "was not scanned yet, so nothing is known" in page.text
    assert "unknown kopano-checklist" in page.text
    assert "passes" not in page.text


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (Reason.CONNECT_REFUSED, "The server cannot be reached."),
        (Reason.NOT_TLS, "The server answers, but not with TLS."),
    ],
)
def test_a_server_of_which_nothing_is_known(reason: Reason, said: str) -> None:
    page = page_of(web_target(), Facts(), failures=failed(reason, "the detail"))
    assert f"{said} handshake: {reason}, the detail" in page.text
    assert "protocols" not in ids(page)
    assert "passes" not in page.text
    assert "No scan was complete" in page.text


def test_facts_of_before_are_shown_with_a_failed_scan() -> None:
    async def ask() -> ReadPage:
        fleet = KnownFleet(web_target())
        await fleet.saw("test")
        fleet.later(hours=1)
        await fleet.saw("test", Facts(), failures=failed(Reason.CONNECT_TIMEOUT), success=False)
        return await page_in(fleet, "test")

    page = asyncio.run(ask())
    assert "The server cannot be reached." in page.text
    assert "was seen earlier" in page.text
    assert "not complete" in page.text
    assert "TLS_AES_256_GCM_SHA384" in page.section("protocols")
    assert "1 h ago" in page.section("probes")


# --- sections: known, none, not known ---------------------------------------------------------------------------------


def test_protocols_and_suites(good: ReadPage, bad: ReadPage) -> None:
    assert "TLSv1.1 refused" in good.section("protocols")
    shown = bad.section("protocols")
    assert "SSLv2 not known" in shown
    assert "There may be others: an answer about them is not known." in shown
    assert "Application protocols (ALPN) not known" in shown
    assert "TLS compression refused" in shown


def test_groups(good: ReadPage, bad: ReadPage, handshake_only: ReadPage) -> None:
    assert "X25519MLKEM768 post-quantum" in good.section("groups")
    assert "not accepted" in bad.section("groups")
    assert "Not known: no answer showed a group" in handshake_only.section("groups")


def test_attacks(bad: ReadPage, good: ReadPage, handshake_only: ReadPage) -> None:
    assert "Heartbleed heartbleed ✕ vulnerable reveals its memory" in bad.section("attacks")
    assert "✕ vulnerable" not in good.section("attacks")
    assert "? not known has not been tried" in handshake_only.section("attacks")


def test_certificates(good: ReadPage, bad: ReadPage, handshake_only: ReadPage) -> None:
    assert "Trusted ✓ yes" in good.section("certificate")
    assert "In the trust store" in good.section("certificate")
    shown = bad.section("certificate")
    assert "✕ missing the issuer" in shown
    assert "no path needs it" in shown
    assert "SCTs in the certificate not known" in shown
    assert "There may be other certificates" in shown
    assert "Not known: the last scan did not look for it" in handshake_only.section("certificate")
    bars = [one for one in bad.tags("{http://www.w3.org/2000/svg}svg") if one.get("role") == "img"]
    assert bars[0].get("aria-label") == "100 % of its lifetime has passed"


def test_a_certificate_whose_trust_is_not_known() -> None:
    page = page_of(web_target(), facts(handshake(), certificate(trusted=None, complete=None, hostname_match=None)))
    shown = page.section("certificate")
    assert "Trusted ? not known" in shown
    assert "? not known the issuer" in shown
    assert "Has the name of the service not known" in shown


def test_hsts(good: ReadPage, bad: ReadPage, handshake_only: ReadPage) -> None:
    assert "max-age 31536000 s (365 days)" in good.section("http")
    assert "404 none no such field" in bad.section("http")
    assert "does not redirect to https" in bad.section("http")
    assert "Not known: the last scan did not look for it" in handshake_only.section("http")


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (http("max-age=0"), "none: max-age=0 removes it"),
        (http("max-age=x"), "none: the field is not valid"),
        (replace(http(), hsts_applies=False), "Browsers keep no HSTS policy of a host that is an IP address."),
    ],
)
def test_hsts_that_does_not_count(seen: HttpFacts, said: str) -> None:
    assert said in page_of(web_target(), facts(handshake(), seen)).section("http")


def test_a_service_that_is_no_web_server_has_no_hsts() -> None:
    target = replace(web_target(), protocol="imaps")
    assert "Does not apply: the target is not a web server" in page_of(target, facts(handshake())).section("http")


def test_dns(good: ReadPage, bad: ReadPage, handshake_only: ReadPage) -> None:
    assert 'at test.example: 0 issue "ca.test.example"' in good.section("dns")
    assert "CAA records none up to the top-level domain: every CA may issue" in bad.section("dns")
    assert "CAA records Not known: the last scan did not look for it" in handshake_only.section("dns")
    assert "TLSA records (DANE) Not known: not looked for, because no policy" in good.section("dns")


def test_dane_and_mta_sts() -> None:
    target = replace(web_target(), questions=frozenset(DnsQuestion), mail_domain="test.example")
    tlsa = TlsaFacts("_443._tcp.www.test.example", (TlsaRecord(3, 1, 1, "ab"),), dnssec=None)
    policy = StsPolicyFacts("test.example", StsPolicy("enforce", 604800, ("mx.test.example",)))
    seen = facts(handshake(), tlsa, MtaStsFacts("test.example", "v=STSv1; id=1", None), policy)
    shown = page_of(target, seen).section("dns")
    assert "_443._tcp.www.test.example: 3 1 1 ab DNSSEC: not known" in shown
    assert "test.example: v=STSv1; id=1" in shown
    assert "TLS reports record no valid record" in shown
    assert "mode enforce, max_age 604800 s (7 days), mx mx.test.example" in shown


def test_software(good: ReadPage, bad: ReadPage, handshake_only: ReadPage) -> None:
    assert "nginx 1.30.4 ✓ yes" in good.section("software")
    assert "apache-http-server 2.2.15" in bad.section("software")
    assert "Not known: the last scan did not look for it" in handshake_only.section("software")
    silent = page_of(web_target(), facts(handshake(), http()))
    assert "Not known: the server does not show its software" in silent.section("software")


def test_clients(good: ReadPage) -> None:
    shown = good.section("clients")
    assert "can connect" in shown
    assert "Android 2.3.7" in shown
    assert "the client offers SSLv3 to TLSv1.0" in shown


def test_grade(good: ReadPage, bad: ReadPage, handshake_only: ReadPage) -> None:
    assert "A+ Score before any rule 93 of 100" in good.section("grade")
    assert "T capped by not_trusted" in bad.section("grade")
    assert "What would lift it" in bad.section("grade")
    assert "Not known: between" in handshake_only.section("grade")
    assert "What is not known and may change it" in handshake_only.section("grade")


def test_probes_that_failed() -> None:
    seen = facts(handshake(), certificate())
    page = page_of(web_target(), seen, failures=(replace(failed(Reason.HTTP_TIMEOUT, "no answer")[0], probe="http"),))
    assert "http nothing is known ? failed http_timeout, no answer" in page.section("probes")
    assert "Not known: http_timeout: no answer" in page.section("http")


def test_steps_with_evidence_and_what_to_change(bad: ReadPage) -> None:
    shown = bad.section("check-protocols")
    assert "accepts SSLv3, TLSv1.0, TLSv1.1" in shown
    assert "Source step 2: SSLProtocol all" in shown
    assert "SSLProtocol -all +TLSv1.2" in shown
    other = bad.section("check-protocols-mozilla-intermediate")
    assert "TLSv1.2, TLSv1.3 only" in other


def test_every_server_that_may_run_there_has_its_remedy() -> None:
    page = page_of(web_target(), facts(handshake({Protocol.TLS1_0: (CBC_RSA,)}), certificate(), tried()))
    servers = [tab for one in page.element("check-protocols").iter() if (tab := one.get("data-tab"))]
    assert servers == ["nginx", "Apache", "HAProxy"]


def test_an_accepted_failure() -> None:
    seen = report(bad_facts())
    accepted = Acceptance(date(2026, 12, 24), "<i>the old till</i>", "Ada\u202e")
    findings = tuple(replace(one, accepted=accepted if one.verdict is Verdict.FAIL else None) for one in seen.findings)
    view = view_of_reports([replace(seen, findings=findings)], {"kopano-checklist": KOPANO}, NOW)
    page = read_page(render("target.html", {"view": view, "root": "../", "section": "Fleet", "refusal": None}))
    shown = page.section("check-hsts")
    assert "! fails, accepted hsts" in shown
    assert "Accepted until 2026-12-24 by Ada\\u202e: <i>the old till</i>" in shown
    assert not page.tags("i")


def test_history() -> None:
    async def ask() -> ReadPage:
        fleet = KnownFleet(web_target())
        await fleet.saw("test")
        fleet.later(days=1)
        await fleet.saw("test", bad_facts(fleet.now))
        fleet.later(days=1)
        await fleet.saw("test")
        return await page_in(fleet, "test")

    page = asyncio.run(ask())
    newest, oldest = (one for one in page.root.iter("ol") if one.get("class") == "timeline").__next__()
    assert "2026-11-24" in "".join(newest.itertext())
    assert "2026-11-23" in "".join(oldest.itertext())
    assert "protocols (kopano-checklist): passes → ✕ fails" in page.section("history")
    assert "new: TLS_RSA_WITH_RC4_128_SHA" in page.section("history")


# --- several addresses ------------------------------------------------------------------------------------------------


def test_addresses_side_by_side_with_what_they_disagree_on() -> None:
    async def ask() -> ReadPage:
        fleet = KnownFleet(web_target(several=True))
        await saw_at(fleet, "test", _192_0_2_1=good_facts(), _192_0_2_2=bad_facts())
        return await page_in(fleet, "test")

    page = asyncio.run(ask())
    shown = page.section("addresses")
    assert shown.index("The addresses disagree on") < shown.index("Address Grade")
    assert "192.0.2.2 SSLv3: true" in shown
    details = [one for one in page.tags("details") if one.get("class") == "address"]
    assert [one.get("open") is not None for one in details] == [True, False]
    assert "192.0.2.2" in "".join(details[0].itertext())
    assert max(Counter(ids(page)).values()) == 1


def test_addresses_that_were_not_scanned_are_named() -> None:
    async def ask() -> ReadPage:
        fleet = KnownFleet(web_target(several=True))
        seen = {f"_{str(ip_address(3221225984 + number)).replace('.', '_')}": good_facts() for number in range(2)}
        await saw_at(fleet, "test", **seen)
        return await page_in(fleet, "test")

    assert "The addresses agree on everything that is known" in asyncio.run(ask()).section("addresses")


# --- texts of others --------------------------------------------------------------------------------------------------

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202e\x00\x1b[31m../{{ 7*7 }}"


def test_hostile_texts_of_a_server_stay_texts() -> None:
    web = showing(
        HttpFacts((response(HOSTILE.replace("\u202e", ""), others={}),)),
        ("server", HOSTILE),
        ("x-powered-by", f"PHP/5.3.3 {HOSTILE}"),
    )
    chain = certificate(
        subject=f"CN={HOSTILE}", issuer=HOSTILE, serial=HOSTILE, trust_detail=HOSTILE, unreadable=(HOSTILE,),
        subject_alternative_names=(f"DNS:{HOSTILE}",), signature_algorithm=HOSTILE, trusted=False,
    )  # fmt: skip
    seen = facts(handshake(notes=(HOSTILE,), contradictions=(HOSTILE,)), chain, web, caa((HOSTILE, HOSTILE)), tried())
    _is_inert(page_of(replace(web_target(), labels={"team": HOSTILE}), seen, failures=failed(Reason.INTERNAL, HOSTILE)))


@pytest.mark.parametrize("name", [HOSTILE, "a/b", "../up", "a b%2F?#", "..."])
def test_names_may_have_any_character(name: str) -> None:
    page = page_of(web_target(name), bad_facts())
    assert page.status == 200
    _is_inert(page)
    links = [link.get("href", "") for link in page.tags("a")]
    (json,) = (link for link in links if link.startswith("../api/v1/targets/"))
    assert json.count("/") == 4


def _is_inert(page: ReadPage) -> None:
    assert not page.tags("img")
    assert len(page.tags("script")) == 1
    assert not [name for one in page.root.iter() for name in one.attrib if name.startswith("on")]
    assert "\u202e" not in page.source
    assert "\x1b" not in page.source
    assert "\x00" not in page.source
    assert "49" not in [text for one in page.root.iter() for text in (one.text or "").split("../")]


# --- scan now ---------------------------------------------------------------------------------------------------------


def test_scan_now_is_not_there_without_scripts(good: ReadPage) -> None:
    (box,) = (one for one in good.root.iter() if one.get("data-scan"))
    assert box.get("hidden") is not None
    assert box.get("data-scan") == "../api/v1/targets/test/scan"


@pytest.mark.parametrize(
    ("gate", "headers", "refusal"),
    [
        (None, (), NOT_ENABLED),
        (Gate(enabled=True), (), ""),
        (Gate(authenticated=lambda _request: True), (), ""),
        # a link of another site, such as a chat, led to the page: requests of the page itself are of the same site
        (Gate(enabled=True), ("Sec-Fetch-Site: cross-site",), ""),
        (None, ("Sec-Fetch-Site: cross-site",), NOT_ENABLED),
    ],
)
def test_scan_now_says_why_it_is_refused(gate: Gate | None, headers: tuple[str, ...], refusal: str) -> None:
    page = page_of(web_target(), gate=gate, headers=headers)
    (button,) = (one for one in page.tags("button") if "".join(one.itertext()) == "Scan now")
    assert (button.get("disabled") is not None) is bool(refusal)
    assert page.section("scan-status") == refusal


def test_the_next_scan_is_shown() -> None:
    async def ask() -> ReadPage:
        fleet = KnownFleet(web_target())
        fleet.schedule.start()
        await fleet.saw("test")
        return await page_in(fleet, "test")

    assert "Next scan not known" in page_of(web_target()).text
    assert "Next scan 2026" in asyncio.run(ask()).text


# --- reports in files -------------------------------------------------------------------------------------------------


def test_templates_serve_a_file_without_other_pages() -> None:
    views = [view_of_reports([report(seen)], {"kopano-checklist": KOPANO}, NOW) for seen in (None, bad_facts())]
    source = "".join(
        render("target/target.html", {"view": view, "root": None, "level": 2, "before": f"target-{place}-"})
        for place, view in enumerate(views)
    )
    page = read_page(f"<!DOCTYPE html><html lang=en><title>.</title><body>{source}</body></html>")
    assert max(Counter(ids(page)).values()) == 1
    assert all(link.get("href", "").startswith("#target-") for link in page.tags("a"))
    assert not page.tags("h1")
    assert "Scan now" not in page.text
