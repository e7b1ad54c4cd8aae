"""Tasks and results are the same on the other side, and what pretends to be one is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from exporter.backends.wire import (
    MOST_CHARACTERS,
    MOST_COMMAS,
    WireError,
    check_times,
    results_document,
    results_of,
    target_and_known,
    task_of,
)
from exporter.facts.handshake import HandshakeFacts
from exporter.facts.vulnerabilities import VulnerabilityFacts
from exporter.model import (
    MOST_ADDRESSES,
    Addresses,
    ClientCertificate,
    DnsQuestion,
    Facts,
    Failure,
    HttpOptions,
    IpProtocol,
    Protocol,
    Proxy,
    Reason,
    ScanResult,
    Target,
)
from exporter.probes.registry import PROBES
from exporter.tls.suites import CLASSIC_SUITES, suite_name
from tests.store.test_form import EVERYTHING
from tests.support.facts import consistent_handshake_facts, facts, handshake, steady
from tests.support.targets import NOW, make_target

ALL = make_target(
    mail_domain="test.example", questions=frozenset(DnsQuestion), vulnerability_interval=timedelta(hours=24)
)
"""A target for which all probes are run."""
FAILED = Failure("http", Reason.HTTP_TIMEOUT, "no answer")


def scanned(known: Facts = EVERYTHING, target: Target = ALL, **changes: Any) -> ScanResult:  # noqa: ANN401 - any field
    probes = {probe.name: known.get(probe.kind) is not None for probe in PROBES if probe.applies(target)}
    mandatory = [probe.name for probe in PROBES if probe.mandatory and probe.applies(target)]
    failed = {failure.probe for failure in changes.get("failures", ())}
    fields: dict[str, Any] = {
        "target": target,
        "started_at": NOW,
        "ended_at": NOW + timedelta(seconds=1.5),
        "facts": known,
        "probes": probes,
        "failures": (),
        "success": all(probes[name] and name not in failed for name in mandatory),
        "connections": 35,
        "bytes_sent": 10_000,
        "bytes_received": 90_000,
        "elapsed_seconds": 1.25,
    }
    return ScanResult(**(fields | changes))


def test_results_with_facts_of_every_probe_are_the_same_afterwards() -> None:
    before = scanned(failures=(FAILED,))
    (after,) = results_of(results_document([before]), ALL)
    assert after == before
    attacks = after.facts.get(VulnerabilityFacts)
    assert attacks is not None
    tried = attacks.attacks_tried["robot"]
    assert (tried.signature, tried.hurried) == ((("TLSv1.2", "True"),), 2), "they are not compared"


def test_results_of_several_addresses_are_the_same_afterwards() -> None:
    target = replace(ALL, addresses=Addresses.ALL)
    before = tuple(
        scanned(target=target, address=address, addresses_found=2) for address in ("192.0.2.1", "2001:db8::1")
    )
    assert results_of(results_document(before), target) == before


@steady
@given(consistent_handshake_facts())
def test_any_facts_of_a_handshake_are_the_same_afterwards(found: HandshakeFacts) -> None:
    before = scanned(facts(found))
    assert results_of(results_document([before]), ALL) == (before,)
    assert target_and_known(task_of(ALL, {None: before.facts}))[1] == {None: before.facts}


def test_a_lone_surrogate_is_replaced() -> None:
    before = scanned(facts(handshake(greeting="a\ud800b")))
    (after,) = results_of(results_document([before]), ALL)
    found = after.facts.get(HandshakeFacts)
    assert found is not None
    assert found.greeting == "a?b"


def test_a_task_has_everything_that_a_scan_needs_and_no_labels_or_policies() -> None:
    target = Target(
        name="mail",
        host="mail.test.example",
        port=25,
        policies=("secret-policy",),
        protocol="smtp",
        starttls="smtp",
        ehlo_name="us.test.example",
        server_name="mx.test.example",
        connect_address="192.0.2.1",
        addresses=Addresses.ALL,
        ip_protocol=IpProtocol.IP4,
        proxy=Proxy("socks5", "proxy.test.example", 1080),
        ca_file="/etc/ca.pem",
        client_certificate=ClientCertificate("/etc/own.pem", "/etc/own.key"),
        labels={"team": "secret-team"},
        connections_per_host=2,
        connection_gap_seconds=0.5,
        timeout_seconds=7.0,
        http=HttpOptions("/x?y", "other.test.example", "agent", 8080),
        scan_interval=timedelta(hours=1),
        scan_timeout=timedelta(seconds=90),
        vulnerability_interval=None,
        max_age=timedelta(hours=3),
        mail_domain="test.example",
        distribution="debian 12",
        questions=frozenset({DnsQuestion.TLSA}),
        clients=("firefox",),
    )
    known: dict[str | None, Facts] = {"192.0.2.1": EVERYTHING, "192.0.2.2": Facts()}
    document = task_of(target, known)
    assert "secret-" not in document
    after, same = target_and_known(document)
    assert after == replace(target, policies=(), labels={}, distribution=None, clients=())
    assert same == known


PROXY = Proxy("http", "proxy.test.example", 3128, "u53r", "p455")


def test_the_credentials_of_a_proxy_stay_here_and_are_added_there() -> None:
    document = task_of(make_target(proxy=PROXY), {})
    assert "p455" not in document
    assert "u53r" not in document
    with pytest.raises(WireError, match=r"^there are no credentials for the proxy http://proxy.test.example:3128$"):
        target_and_known(document)
    there = target_and_known(document, lambda proxy: replace(proxy, user="u53r", password="p455"))[0]  # noqa: S106
    assert there.proxy == PROXY


def test_credentials_are_part_of_the_task_where_that_is_wanted() -> None:
    assert target_and_known(task_of(make_target(proxy=PROXY), {}, secrets=True))[0].proxy == PROXY


def changed(change: Callable[[dict[str, Any]], object], **changes: Any) -> str:  # noqa: ANN401 - any field
    """A document of results with a change."""
    document = json.loads(results_document([scanned(**changes)]))
    change(document)
    return json.dumps(document)


def first(**changes: object) -> Callable[[dict[str, Any]], object]:
    """Change fields of the first result."""
    return lambda document: document["results"][0].update(changes)


FORGED = {
    "not JSON": ("{", r"^the document is not JSON: "),
    "no object": ("[]", r"valid dictionary|object"),
    "NaN": ('{"version": NaN}', r"too large"),
    "deep": ("[" * 100_000, r"nested too deeply"),
    "long": (" " * (MOST_CHARACTERS + 1), r"more than 8388608 characters"),
    "many values": ("[" + "0," * (MOST_COMMAS + 1) + "0]", r"more than 100000 values"),
    "great number": ('{"version": 1' + "0" * 4000 + "}", r"too large"),
    "great exponent": ('{"version": 1e999}', r"too large"),
    "version": (changed(lambda document: document.update(version=2)), r"^version: "),
    "unknown key": (changed(lambda document: document.update(more=1)), r"^more: "),
    "no result": (changed(lambda document: document.update(results=[])), r"^results: "),
    "many results": (changed(lambda document: document.update(results=document["results"] * 17)), r"^results: "),
    "twice": (changed(lambda document: document.update(results=document["results"] * 2)), r"several results of one"),
    "address": (changed(first(address="192.0.2.1")), r"^the target is not scanned at 192\.0\.2\.1$"),
    "negative": (changed(first(connections=-1)), r"connections"),
    "end": (changed(first(ended_at="2026-11-22T11:59:59Z")), r"^a scan ended before it started$"),
    "naive time": (changed(first(started_at="2026-11-22T12:00:00")), r"started_at"),
    "probe": (changed(first(probes={"a\x1b[31m": True})), r"^there is no probe a\\u001b\[31m for this target$"),
    "false success": (changed(first(success=False)), r"^success is not what the probes say$"),
    "success of none": (changed(first(probes={}, facts={})), r"^success is not what the probes say$"),
    "facts without a probe": (
        changed(lambda document: document["results"][0]["probes"].pop("dns")),
        r"facts of the probe dns, which did not run",
    ),
    "unknown facts": (changed(lambda document: document["results"][0]["facts"].update(more={})), r"facts\.more"),
    "reason": (
        changed(first(failures=[{"probe": "http", "reason": "lazy", "detail": ""}])),
        r"^results\.0\.failures\.0\.reason: ",
    ),
}


@pytest.mark.parametrize("case", FORGED)
def test_what_no_scan_of_the_target_can_give_is_refused(case: str) -> None:
    document, message = FORGED[case]
    with pytest.raises(WireError, match=message) as caught:
        results_of(document, ALL)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_servers_that_accept_everything_at_sixteen_addresses_are_not_too_much() -> None:
    names = tuple(map(suite_name, CLASSIC_SUITES))
    everything = replace(handshake(), cipher_suites=dict.fromkeys(Protocol, names))
    known, everywhere = EVERYTHING.with_part(everything, NOW), replace(ALL, addresses=Addresses.ALL)
    found = [scanned(known, target=everywhere, address=f"127.0.0.{number}") for number in range(1, 1 + MOST_ADDRESSES)]
    assert len(results_of(results_document(found), everywhere)) == MOST_ADDRESSES


def test_facts_that_cannot_be_shown_are_refused() -> None:
    document = changed(lambda one: one["results"][0]["facts"]["handshake"]["value"]["protocols"].update(SSLv9=True))
    with pytest.raises(WireError, match="protocols"):
        results_of(document, ALL)


def test_times_in_facts_have_an_offset() -> None:
    document = results_document([scanned()]).replace('+00:00"', '"')
    document = document.replace('"2026-11-22T12:00:00Z"', '"2026-11-22T12:00:00Z"')
    broken = json.loads(document)
    broken["results"][0]["facts"]["vulnerabilities"]["value"]["attacks_tried"]["robot"]["at"] = "2026-11-22T12:00:00"
    with pytest.raises(WireError, match="a time of the probe vulnerabilities has no offset"):
        results_of(json.dumps(broken), ALL)


@pytest.mark.parametrize("seconds", [-61, 61])
def test_a_scan_of_another_time_is_refused(seconds: int) -> None:
    """The clock of the other machine is off, or the result is of an earlier task."""
    at = NOW + timedelta(seconds=seconds)
    with pytest.raises(WireError, match="clocks may differ"):
        check_times([scanned(facts(handshake(), at=at))], NOW - timedelta(minutes=1), NOW + timedelta(minutes=1))
    check_times([scanned()], NOW - timedelta(minutes=1), NOW + timedelta(minutes=1))


@pytest.mark.parametrize(
    "change",
    [
        lambda task: task["target"].update(port=0),
        lambda task: task["target"].update(connections_per_host=10**6),
        lambda task: task["target"].update(labels={}),
        lambda task: task.update(version=0),
        lambda task: task.update(known=[{"address": None, "facts": {}}] * 17),
        lambda task: task.update(proxy={"scheme": "file", "host": "x", "port": 1, "authenticated": False}),
    ],
)
def test_a_task_that_is_not_one_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    task = json.loads(task_of(ALL, {None: EVERYTHING}))
    change(task)
    with pytest.raises(WireError):
        target_and_known(json.dumps(task))
