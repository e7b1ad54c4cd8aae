from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from exporter.case import Neighbours
from exporter.checks.dane import DaneDemand
from exporter.checks.registry import CHECKS
from exporter.derived.keys import served_keys
from exporter.derived.vulnerabilities import Vulnerabilities
from exporter.facts.certificate import CertificateFacts
from exporter.facts.dns import DnsFacts
from exporter.facts.handshake import HandshakeFacts, ServedChain
from exporter.facts.http import HttpFacts
from exporter.facts.vulnerabilities import VulnerabilityFacts
from exporter.judge import Judge
from exporter.judging.check import Outcome
from exporter.model import (
    Addresses,
    DnsQuestion,
    Facts,
    Failure,
    Protocol,
    Reason,
    Report,
    ScanResult,
    Severity,
    Verdict,
)
from exporter.policies import Policy
from tests.support.certificates import issue, rsa_key
from tests.support.facts import (
    CBC_RSA,
    GCM,
    GOOD_CAA,
    GOOD_HTTP,
    KOPANO,
    NONE_WORKS,
    certificate,
    facts,
    good_facts,
    handshake,
    http,
    report,
    result,
    tried,
    watched,
)
from tests.support.judging import judge_by, report_after, report_later
from tests.support.targets import NOW, make_target

TLS1_0, TLS1_1, TLS1_2 = Protocol.TLS1_0, Protocol.TLS1_1, Protocol.TLS1_2
HOUR = timedelta(hours=1)
MAX_AGE = timedelta(hours=18)
KINDS = (HandshakeFacts, CertificateFacts, HttpFacts, DnsFacts)
UNREACHED = Failure("handshake", Reason.CONNECT_TIMEOUT, "no answer")


def known(judged: Report) -> Facts:
    """Facts that every scan reads again."""
    return Facts({kind: (judged.facts.get(kind), at) for kind in KINDS if (at := judged.facts.seen_at(kind))})


def verdicts(judged: Report) -> dict[str, Verdict]:
    return {finding.check: finding.verdict for finding in judged.findings}


def failed_scan(at: timedelta, previous: Report) -> Report:
    """A scan that reached nobody, this long after the first one."""
    later = NOW + at
    return report_after(
        result(Facts(), ended_at=later, failures=(UNREACHED,), success=False), [KOPANO], later, previous
    )


def test_a_server_that_does_everything_complies() -> None:
    judged = report()
    assert set(verdicts(judged).values()) == {Verdict.PASS}
    assert judged.compliant is True
    assert (judged.policies, judged.last_success_at) == (("kopano-checklist",), NOW)


def test_findings_come_in_the_order_of_the_checks_with_the_severity_of_the_policy() -> None:
    found = [(finding.check, str(finding.severity)) for finding in report().findings]
    assert found == [
        ("protocols", "critical"),
        ("cipher_suites", "critical"),
        ("cipher_order", "warning"),
        ("compression", "critical"),
        ("vulnerabilities", "critical"),
        ("clients", "info"),
        ("certificate_valid", "critical"),
        ("hsts", "warning"),
        ("hsts_on_errors", "warning"),
        ("server_software", "warning"),
        ("caa", "warning"),
        ("grade", "warning"),
    ]


@pytest.mark.parametrize(
    ("seen", "compliant"),
    [
        (facts(handshake(), certificate(), GOOD_HTTP, GOOD_CAA, tried()), True),
        (facts(handshake(), certificate(), GOOD_HTTP, GOOD_CAA), None),
        (facts(handshake(), GOOD_HTTP, GOOD_CAA, tried()), None),
        (facts(handshake(), certificate(), GOOD_HTTP, tried()), None),
        (facts(handshake(), certificate(), GOOD_CAA, tried()), None),
        (facts(certificate(), GOOD_HTTP, GOOD_CAA, tried()), None),
        (facts(handshake(compression=None), certificate(), GOOD_HTTP, GOOD_CAA, tried()), None),
        (facts(handshake({Protocol.TLS1_2: (CBC_RSA,)}), GOOD_HTTP, GOOD_CAA), False),
        (facts(handshake(), http("max-age=0")), False),
        (facts(http()), False),
        (Facts(), None),
    ],
)
def test_compliance_is_false_with_one_failure_and_unknown_with_one_gap(seen: Facts, compliant: bool | None) -> None:
    assert report(seen).compliant is compliant


def test_nothing_seen_is_unknown_in_every_check() -> None:
    assert set(verdicts(report(Facts(), success=False)).values()) == {Verdict.UNKNOWN}


def test_a_policy_judges_only_what_it_demands() -> None:
    only = replace(KOPANO, name="only-caa", demands={"caa": KOPANO.demands["caa"]})
    judged = report_after(result(), [only], NOW)
    assert (judged.policies, list(verdicts(judged))) == (("only-caa",), ["caa"])


def test_a_policy_that_demands_nothing_makes_nobody_compliant() -> None:
    assert report_after(result(), [replace(KOPANO, demands={})], NOW).compliant is None


def test_a_failed_scan_keeps_older_facts_with_the_time_they_were_seen_at() -> None:
    kept = failed_scan(HOUR, report())
    assert [kept.facts.seen_at(kind) for kind in KINDS] == [NOW] * 4
    assert kept.compliant is True
    assert kept.result.success is False
    assert kept.result.failures == (UNREACHED,)
    assert kept.last_success_at == NOW


@pytest.mark.parametrize(
    ("age", "kept"),
    [(MAX_AGE - HOUR, True), (MAX_AGE, True), (MAX_AGE + timedelta(microseconds=1), False), (2 * MAX_AGE, False)],
)
def test_older_facts_stay_until_max_age_and_then_go(age: timedelta, kept: bool) -> None:
    later = failed_scan(age, report())
    assert (len(known(later)), later.compliant) == ((4, True) if kept else (0, None))


def test_a_row_of_failures_does_not_make_facts_younger() -> None:
    judged = report()
    for hours in range(1, 19):
        judged = failed_scan(hours * HOUR, judged)
        assert judged.compliant is True
    judged = failed_scan(19 * HOUR, judged)
    assert judged.compliant is None
    assert judged.last_success_at == NOW


def test_a_successful_scan_replaces_what_was_known() -> None:
    later = NOW + HOUR
    seen = facts(handshake({Protocol.TLS1_0: (CBC_RSA,)}), certificate(subject="CN=new"), http(), GOOD_CAA, at=later)
    judged = report_after(result(seen, ended_at=later), [KOPANO], later, report())
    assert known(judged) == seen
    assert judged.compliant is False
    assert judged.last_success_at == later


def test_what_one_probe_could_not_tell_is_taken_from_the_previous_report_alone() -> None:
    later = NOW + HOUR
    seen = facts(handshake(), certificate(subject="CN=new"), http("max-age=0"), at=later)
    judged = report_after(result(seen, ended_at=later), [KOPANO], later, report())
    assert judged.facts.get(DnsFacts) == GOOD_CAA
    assert judged.facts.seen_at(DnsFacts) == NOW
    assert [judged.facts.seen_at(kind) for kind in KINDS[:3]] == [later] * 3


def test_a_first_scan_that_fails_has_no_success_to_name() -> None:
    judged = report_after(result(Facts(), success=False), [KOPANO], NOW)
    assert judged.last_success_at is None
    assert judged.compliant is None


def test_facts_that_no_longer_apply_to_the_target_go() -> None:
    """A target that is no longer https would otherwise show its last HSTS header until `max_age`."""
    target = watched(protocol="tls")
    later = NOW + HOUR
    seen = facts(handshake(), certificate(), GOOD_CAA, at=later)
    judged = report_after(result(seen, target=target, ended_at=later), [KOPANO], later, report())
    assert known(judged) == seen
    assert report_later(report(), target, [KOPANO], NOW).facts.get(HttpFacts) is None
    assert verdicts(report_later(report(), target, [KOPANO], NOW))["hsts"] is Verdict.NOT_APPLICABLE


def test_judging_again_judges_the_same_facts_by_another_policy() -> None:
    demands = {"hsts": (KOPANO.demands["hsts"][0].model_copy(update={"min_max_age_seconds": 63072000}),)}
    stricter: Policy = replace(KOPANO, name="stricter", demands=demands)
    before = report()
    after = report_later(before, before.target, [stricter], NOW + HOUR)
    assert known(after) == known(before)
    assert (after.policies, verdicts(after)) == (("stricter",), {"hsts": Verdict.FAIL})
    assert after.last_success_at == before.last_success_at
    assert after.result == replace(before.result, target=after.target)


def test_judging_again_takes_the_target_as_it_is_configured_now() -> None:
    target = watched(labels={"team": "web"}, max_age=HOUR)
    after = report_later(report(), target, [KOPANO], NOW)
    assert after.target is target
    assert len(known(after)) == 4


@pytest.mark.parametrize(("age", "left"), [(MAX_AGE, 4), (MAX_AGE + timedelta(seconds=1), 0)])
def test_judging_again_lets_go_of_facts_past_max_age(age: timedelta, left: int) -> None:
    before = report()
    after = report_later(before, before.target, [KOPANO], NOW + age)
    assert len(known(after)) == left
    assert after.compliant is (True if left else None)
    assert after.last_success_at == NOW


def test_judging_again_lets_go_of_each_part_at_its_own_time() -> None:
    seen = facts(handshake(), certificate(), at=NOW).with_part(GOOD_CAA, NOW - HOUR)
    after = report_later(report(seen), watched(), [KOPANO], NOW + MAX_AGE)
    assert after.facts.get(DnsFacts) is None
    assert len(known(after)) == 2


# --- facts of their own age -------------------------------------------------------------------------------------------


def test_attacks_that_were_not_due_keep_their_answers_and_their_time() -> None:
    later = NOW + 6 * HOUR
    seen = facts(handshake(), certificate(), GOOD_HTTP, GOOD_CAA, at=later)
    judged = report_after(result(seen, ended_at=later), [KOPANO], later, report())
    assert judged.compliant is True
    assert (judged.facts.seen_at(VulnerabilityFacts), judged.facts.seen_at(HandshakeFacts)) == (NOW, later)


@pytest.mark.parametrize(("hours", "verdict"), [(36, Verdict.PASS), (37, Verdict.UNKNOWN)])
def test_an_answer_holds_longer_than_what_every_scan_looks_at(hours: int, verdict: Verdict) -> None:
    later = NOW + hours * HOUR
    seen = facts(handshake(), certificate(), GOOD_HTTP, GOOD_CAA, at=later)
    judged = report_after(result(seen, ended_at=later), [KOPANO], later, report())
    assert verdicts(judged)["vulnerabilities"] is verdict
    assert judged.facts.get(Vulnerabilities) is not None


def test_what_was_tried_is_judged_anew_with_what_the_server_accepts_now() -> None:
    """ROBOT needs RSA key exchange: once that is off, yesterday's answer is of a server that is no more."""
    old = handshake({Protocol.TLS1_2: (GCM, CBC_RSA)})
    before = report(facts(old, certificate(), GOOD_HTTP, GOOD_CAA, tried({"robot": True, **NONE_WORKS})))
    assert verdicts(before)["vulnerabilities"] is Verdict.FAIL
    later = NOW + 6 * HOUR
    judged = report_after(result(facts(handshake(), certificate(), at=later), ended_at=later), [KOPANO], later, before)
    assert verdicts(judged)["vulnerabilities"] is Verdict.PASS


def test_a_target_that_is_not_to_be_tried_any_more_has_no_answers() -> None:
    after = report_later(report(), watched(vulnerability_interval=None), [KOPANO], NOW)
    assert after.facts.get(VulnerabilityFacts) is None
    assert verdicts(after)["vulnerabilities"] is Verdict.UNKNOWN


def test_a_neighbour_with_the_same_key_and_ssl_2_counts() -> None:
    """DROWN: what this server refuses another one does with its key."""
    chain = ServedChain("RSA", (Protocol.TLS1_2,), (issue("www.test.example", key=rsa_key(2048)).der(),))
    seen = good_facts().with_part(handshake(plain_chains=(chain,)), NOW)
    (key,) = served_keys(facts(handshake(plain_chains=(chain,))))
    before = report(seen)
    assert before.compliant is True
    judge = replace(judge_by(KOPANO), neighbours=lambda _name: Neighbours(ssl2_keys={key: ("mail",)}))
    (after,) = judge.reports([before], before.target, NOW)
    assert verdicts(after)["vulnerabilities"] is Verdict.FAIL
    assert report_later(after, after.target, [KOPANO], NOW).compliant is True


# --- several addresses ------------------------------------------------------------------------------------------------


EVERYWHERE = watched(addresses=Addresses.ALL)
NO_NAME = Failure("handshake", Reason.DNS_NXDOMAIN, "no such name")


def at_addresses(
    seen: Mapping[str | None, Facts], hours: int = 0, failures: tuple[Failure, ...] = ()
) -> list[ScanResult]:
    """A scan, this long after the first one, that saw these facts."""
    return [
        replace(
            result(parts, target=EVERYWHERE, ended_at=NOW + hours * HOUR, success=bool(len(parts)), failures=failures),
            address=address,
        )
        for address, parts in seen.items()
    ]


def judged_at(results: Sequence[ScanResult], previous: Sequence[Report] = ()) -> dict[str | None, Report]:
    reports = judge_by(KOPANO).after_scan(results, results[0].ended_at, previous)
    return {one.address: one for one in reports}


def test_each_address_has_facts_and_verdicts_of_its_own() -> None:
    found = judged_at(at_addresses({"192.0.2.1": good_facts(), "192.0.2.2": facts(handshake(), http("max-age=0"))}))
    assert {address: one.compliant for address, one in found.items()} == {"192.0.2.1": True, "192.0.2.2": False}
    assert {one.disagreements == found["192.0.2.1"].disagreements for one in found.values()} == {True}


def test_an_address_that_fails_keeps_its_own_older_facts_and_no_others() -> None:
    first = judged_at(at_addresses({"192.0.2.1": good_facts(), "192.0.2.2": facts(handshake())}))
    later = at_addresses({"192.0.2.1": Facts(), "192.0.2.2": Facts(), "192.0.2.3": Facts()}, hours=1)
    found = judged_at(later, list(first.values()))
    assert {address: len(known(one)) for address, one in found.items()} == {
        "192.0.2.1": 4,
        "192.0.2.2": 1,
        "192.0.2.3": 0,
    }
    assert found["192.0.2.3"].last_success_at is None
    assert found["192.0.2.1"].disagreements is None


def test_an_address_that_is_gone_has_no_report() -> None:
    first = judged_at(at_addresses({"192.0.2.1": good_facts(), "192.0.2.2": good_facts()}))
    assert set(judged_at(at_addresses({"192.0.2.2": good_facts()}, hours=1), list(first.values()))) == {"192.0.2.2"}


def test_while_the_name_does_not_resolve_known_addresses_stay_until_their_facts_go() -> None:
    first = judged_at(at_addresses({"192.0.2.1": good_facts(), "192.0.2.2": good_facts()}))
    gone = judged_at(at_addresses({None: Facts()}, 1, (NO_NAME,)), list(first.values()))
    assert set(gone) == {"192.0.2.1", "192.0.2.2"}
    for one in gone.values():
        assert (one.result.success, one.result.failures, len(known(one))) == (False, (NO_NAME,), 4)
        assert (one.disagreements, one.last_success_at) == (None, NOW)
    still_gone = judged_at(at_addresses({None: Facts()}, 18, (NO_NAME,)), list(gone.values()))
    assert set(still_gone) == {"192.0.2.1", "192.0.2.2"}
    forgotten = judged_at(at_addresses({None: Facts()}, 19, (NO_NAME,)), list(still_gone.values()))
    assert set(forgotten) == {None}
    back = judged_at(at_addresses({"192.0.2.1": good_facts()}, 20), list(forgotten.values()))
    assert set(back) == {"192.0.2.1"}


def test_a_name_that_never_resolved_has_one_report_without_address() -> None:
    found = judged_at(at_addresses({None: Facts()}, 0, (NO_NAME,)))
    assert set(found) == {None}
    assert set(judged_at(at_addresses({None: Facts()}, 1, (NO_NAME,)), list(found.values()))) == {None}


def test_what_addresses_disagreed_on_goes_with_the_facts_it_rests_on() -> None:
    first = judged_at(at_addresses({"192.0.2.1": good_facts(), "192.0.2.2": facts(handshake(compression=True))}))
    reports = list(first.values())
    assert [one.fact for one in reports[0].disagreements or ()] == ["compression", "vulnerabilities"]
    kept = judge_by(KOPANO).reports(reports, EVERYWHERE, NOW + 18 * HOUR)
    assert [one.disagreements for one in kept] == [one.disagreements for one in reports]
    assert [one.disagreements for one in judge_by(KOPANO).reports(reports, EVERYWHERE, NOW + 19 * HOUR)] == [None, None]


# --- several policies -------------------------------------------------------------------------------------------------


def policy(name: str, check: str, *demands: dict[str, object]) -> Policy:
    kind = KOPANO.demands[check][0]
    changed = tuple(kind.model_copy(update={"source": f"{name} 1", **demand}) for demand in demands)
    return replace(KOPANO, name=name, demands={check: changed})


STRICT = policy(
    "strict",
    *("hsts", {"min_max_age_seconds": 63072000, "severity": Severity.CRITICAL}),
    {"min_max_age_seconds": 1, "severity": Severity.INFO},
)
LAX = policy("lax", "hsts", {"min_max_age_seconds": 1})


def test_each_policy_judges_by_itself_and_each_demand_too() -> None:
    judged = report_after(result(), [STRICT, LAX], NOW)
    assert judged.policies == ("strict", "lax")
    assert [(one.policy, one.check, str(one.severity), one.verdict) for one in judged.findings] == [
        ("strict", "hsts", "critical", Verdict.FAIL),
        ("strict", "hsts", "info", Verdict.PASS),
        ("lax", "hsts", "warning", Verdict.PASS),
    ]
    assert (judged.compliant_with("strict"), judged.compliant_with("lax"), judged.compliant) == (False, True, False)


def test_a_finding_says_what_was_asked_where_that_is_written_and_what_to_change() -> None:
    failing, passing, _ = report_after(result(), [STRICT, LAX], NOW).findings
    assert failing.asked == "an HSTS header with a max-age of 63072000 seconds or more"
    assert failing.sources == ("strict 1",)
    assert [str(remedy.server) for remedy in failing.remedy] == ["nginx"], "it says that it is one"
    assert passing.remedy == ()


def test_sources_of_what_a_demand_fails_by_stand_behind_its_own_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = Outcome(Verdict.FAIL, "no", sources=("strict 1", "annex", "annex"))
    check = replace(next(check for check in CHECKS if check.name == "hsts"), verdict=lambda _case, _demand: failed)
    monkeypatch.setattr("exporter.judge.CHECKS", (check,))
    assert [one.sources for one in report_after(result(), [STRICT], NOW).findings] == [("strict 1", "annex")] * 2


@pytest.mark.parametrize(("day", "verdict"), [(1, Verdict.NOT_APPLICABLE), (0, Verdict.PASS)])
def test_a_demand_that_is_not_in_force_does_not_apply(day: int, verdict: Verdict) -> None:
    begins = policy("later", "hsts", {"from_": NOW.date() + timedelta(days=day)})
    judged = report_after(result(), [begins], NOW)
    assert judged.findings[0].verdict is verdict
    assert NOW.date() <= judged.judged_on <= NOW.date()


def test_what_is_judged_again_and_says_nothing_new_is_equal() -> None:
    before = report()
    assert report_later(before, before.target, [KOPANO], NOW + HOUR) == before
    assert report_later(before, before.target, [KOPANO], NOW + 12 * HOUR) == before, "also on another day"
    assert report_later(before, before.target, [KOPANO], NOW + 24 * HOUR) != before, "the certificate has a day less"


CUT = Failure("handshake", Reason.DEADLINE_EXCEEDED, "not done in time")


@pytest.mark.parametrize(
    ("part", "kept"),
    [
        (handshake({TLS1_2: (GCM,)}, incomplete=[TLS1_2], open_protocols=[TLS1_0, TLS1_1]), True),
        (handshake({TLS1_2: (CBC_RSA,)}, incomplete=[TLS1_2], open_protocols=[TLS1_0, TLS1_1]), False),
        (handshake({TLS1_0: (CBC_RSA,)}, incomplete=[TLS1_0], open_protocols=[TLS1_2]), False),
    ],
    ids=["goes with it", "another suite", "another protocol"],
)
def test_hellos_that_ran_out_of_time_do_not_replace_a_whole_they_do_not_contradict(
    part: HandshakeFacts, kept: bool
) -> None:
    whole = handshake({TLS1_2: (GCM,)})
    before = report_after(result(Facts().with_part(whole, NOW)), [KOPANO], NOW)
    later = NOW + HOUR
    cut = result(Facts().with_part(part, later), ended_at=later, failures=(CUT,), success=False)
    after = report_after(cut, [KOPANO], later, before)
    assert after.facts.get(HandshakeFacts) == (whole if kept else part)
    assert after.facts.seen_at(HandshakeFacts) == (NOW if kept else later)


# --- what is asked for ------------------------------------------------------------------------------------------------


def test_the_dns_is_asked_for_what_the_policy_needs_and_no_more() -> None:
    target = make_target()
    assert judge_by(KOPANO).with_questions(target).questions == frozenset()
    demand = {"severity": "info", "source": "x", "required": True}
    dane = replace(KOPANO, demands={"dane": (DaneDemand.model_validate(demand),)})
    assert judge_by(dane).with_questions(target).questions == {DnsQuestion.TLSA}


def test_each_target_asks_what_its_own_policies_need() -> None:
    demand = DaneDemand.model_validate({"severity": "info", "source": "x", "required": True})
    judge = Judge({"plain": KOPANO, "dane": replace(KOPANO, demands={"dane": (demand,)})})
    targets = [replace(make_target(), policies=policies) for policies in (("plain",), ("dane",), ("plain", "dane"))]
    asking = list(judge.each_with_questions([*targets, *targets]))
    assert asking == [judge.with_questions(target) for target in [*targets, *targets]]
    assert [len(target.questions) for target in asking] == [0, 1, 1] * 2
    assert asking[0] is targets[0]
