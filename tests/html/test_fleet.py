"""What the fleet page shows of counts and targets, in words and links."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from exporter.grade import Letter
from exporter.html.fleet import fleet_form, fleet_view
from exporter.html.links import QueryLinks
from exporter.html.rows import FleetRow, mark_of, row_of
from exporter.html.words import REASONS, STATES
from exporter.model import Reason, Severity, Verdict
from exporter.overview import CheckCount, FleetOrder, FleetQuery, Overview
from exporter.policies import load_policy
from exporter.policies.steps import CHECKLIST, STEPS, steps
from exporter.summaries import (
    AddressSummary,
    FailedProbe,
    FindingInWords,
    LatestVerdicts,
    Summary,
    TargetState,
    VerdictOf,
)
from tests.support.targets import NOW, make_target

WORST = FindingInWords(CHECKLIST, "protocols", Severity.CRITICAL, "accepts TLSv1.0")
UNKNOWN = FindingInWords(CHECKLIST, "caa", Severity.WARNING, "the DNS did not answer")
ADDRESS = AddressSummary(None, True, Letter.B, NOW, NOW, certificate_ends_at=NOW + timedelta(days=9))


def row(judged: LatestVerdicts | None, policies: tuple[str, ...] = (CHECKLIST,), **target: Any) -> FleetRow:  # noqa: ANN401
    summary = Summary(make_target(policies=policies, **target), policies, judged)
    return row_of(summary, (), NOW, NOW + timedelta(hours=1), ())


def latest(*verdicts: VerdictOf, **changes: Any) -> LatestVerdicts:  # noqa: ANN401 - of LatestVerdicts
    return replace(LatestVerdicts((ADDRESS,), {CHECKLIST: True}, verdicts), **changes)


def said(check: str, verdict: Verdict, *, accepted: bool = False, policy: str = CHECKLIST) -> VerdictOf:
    return VerdictOf(policy, check, verdict, Severity.CRITICAL, accepted)


def test_there_are_words_for_every_state_and_reason() -> None:
    assert STATES.keys() == {*TargetState}
    assert REASONS.keys() == {*Reason}


def test_each_check_of_the_checklist_is_in_one_step() -> None:
    """Apart from what it says about old clients after its steps."""
    assert steps().keys() == STEPS.keys()
    every = [check for checks in steps().values() for check in checks]
    assert sorted(every) == sorted(load_policy(CHECKLIST).demands.keys() - {"clients"})
    assert all(steps().values())


@pytest.mark.parametrize(
    ("verdicts", "mark"),
    [
        ([], "unknown"),
        ([said("caa", Verdict.PASS)], "pass"),
        ([said("caa", Verdict.NOT_APPLICABLE)], "not_applicable"),
        ([said("caa", Verdict.PASS), said("hsts", Verdict.NOT_APPLICABLE)], "pass"),
        ([said("caa", Verdict.PASS), said("hsts", Verdict.UNKNOWN)], "unknown"),
        ([said("caa", Verdict.FAIL), said("hsts", Verdict.UNKNOWN)], "fail"),
        ([said("caa", Verdict.FAIL, accepted=True), said("hsts", Verdict.UNKNOWN)], "accepted"),
        ([said("caa", Verdict.FAIL, accepted=True), said("hsts", Verdict.FAIL)], "fail"),
    ],
)
def test_the_mark_of_several_verdicts_is_the_worst(verdicts: list[VerdictOf], mark: str) -> None:
    assert mark_of(verdicts) == mark


def test_steps_are_marked_by_their_own_checks_and_by_the_checklist_alone() -> None:
    verdicts = (
        said("server_software", Verdict.UNKNOWN),
        said("protocols", Verdict.FAIL),
        said("hsts", Verdict.PASS),
        said("hsts", Verdict.FAIL, policy="other"),
        said("caa", Verdict.FAIL, accepted=True),
        said("grade", Verdict.PASS),
    )
    shown = row(latest(*verdicts))
    assert [one.mark for one in shown.steps] == ["unknown", "fail", "pass", "accepted", "pass"]
    assert shown.steps[3].text == "step 4 fails, accepted"
    assert shown.policies == ()


def test_other_policies_are_marked_by_their_verdict() -> None:
    verdicts = (said("hsts", Verdict.FAIL, policy="other"), said("caa", Verdict.PASS, policy="third"))
    shown = row(latest(*verdicts, compliant={"other": False, "third": True}), ("other", "third", "new"))
    assert shown.steps == ()
    assert [(policy, one.mark) for policy, one in shown.policies] == [
        *(("other", "fail"), ("third", "pass"), ("new", "unknown"))
    ]


def test_the_worst_finding_is_in_words() -> None:
    (finding,) = row(latest(worst=WORST, unknown=UNKNOWN)).findings
    assert (finding.kind, finding.check, finding.severity, finding.words) == (
        *("fail", "protocols", Severity.CRITICAL, "accepts TLSv1.0"),
    )


def test_next_to_an_accepted_failure_there_is_what_is_unknown() -> None:
    findings = row(latest(worst=WORST._replace(accepted=True), unknown=UNKNOWN)).findings
    assert [(one.kind, one.check) for one in findings] == [("accepted", "protocols"), ("unknown", "caa")]


def test_a_finding_of_a_policy_that_is_gone_is_not_shown() -> None:
    assert row(latest(worst=WORST), ("other",)).findings == ()


def test_why_something_is_not_known() -> None:
    unreached = replace(
        ADDRESS,
        success=False,
        failures=(FailedProbe("handshake", Reason.CONNECT_REFUSED),),
        unreached=Reason.CONNECT_REFUSED,
    )
    assert row(latest(addresses=(unreached,), unknown=UNKNOWN)).why == ("unreachable: the connection was refused",)
    assert row(latest(addresses=(unreached,), unknown=UNKNOWN)).findings == ()
    assert row(latest(addresses=(ADDRESS, unreached))).why == (
        "unreachable: 1 of 2 addresses, the connection was refused",
    )
    probes = tuple(FailedProbe(probe, Reason.DNS_ERROR) for probe in ("caa", "tlsa", "mta_sts"))
    assert row(latest(addresses=(replace(ADDRESS, failures=probes),))).why == (
        "probe caa: the name could not be resolved",
        "probe tlsa: the name could not be resolved",
        "1 more probes failed",
    )


def test_before_the_first_scan_nothing_is_known() -> None:
    shown = row(None)
    assert (shown.state, shown.grade, shown.scanned_at, shown.certificate_ends_at) == (
        *(TargetState.NEVER_SCANNED, None, None, None),
    )
    assert {one.mark for one in shown.steps} == {"unknown"}


@pytest.mark.parametrize(
    ("target", "where"),
    [
        ({"name": "www.test.example:443"}, "https"),
        ({"name": "shop"}, "https at www.test.example:443"),
        ({"name": "[::1]:443", "host": "::1"}, "https"),
        ({"name": "mail", "protocol": "smtp", "starttls": "smtp"}, "smtp with STARTTLS at www.test.example:443"),
    ],
)
def test_a_row_says_which_service_it_is(target: dict[str, Any], where: str) -> None:
    assert row(None, **target).where == where


LINKS = QueryLinks((("state", "fail"), ("grade", "A"), ("page", "3"), ("sort", "-name"), ("limit", "100")))
FOUND = Overview(
    *(9, 205, (), 2, 3, {TargetState.FAIL: 3, TargetState.PASS: 1}, {Letter.A: 4, None: 1}),
    (CheckCount("hsts", 2, 1), CheckCount("caa", 1, 0)),
)


def view(query: FleetQuery, links: QueryLinks = LINKS) -> Any:  # noqa: ANN401 - a view
    return fleet_view(FOUND, query, links, NOW, lambda _: None)


def test_filters_add_up_and_begin_at_the_first_page() -> None:
    shown = view(FleetQuery())
    states = {one.text: one for one in shown.states}
    assert states["passes"].href == "?grade=A&sort=-name&limit=100&state=pass"
    assert (states["fails"].current, states["fails"].href) == (True, "?grade=A&sort=-name&limit=100")
    assert [(one.text, one.count, one.href) for one in shown.grades] == [
        ("A", 4, "?state=fail&sort=-name&limit=100"),
        ("not known", 1, "?state=fail&sort=-name&limit=100&grade=unknown"),
    ]
    assert shown.checks[0].href == "?state=fail&grade=A&sort=-name&limit=100&check=hsts&verdict=fail"
    assert shown.checks[0].note == "1 accepted"
    assert shown.clear == "?sort=-name&limit=100"


def test_shares_of_states_are_of_all_of_them() -> None:
    states = {one.text: one for one in view(FleetQuery()).states}
    assert (states["fails"].start, states["fails"].share) == (0, 75)
    assert (states["passes"].start, states["passes"].share) == (75, 25)
    assert "fails, accepted" not in states


def test_a_click_on_the_sorted_column_turns_the_order() -> None:
    headings = {one.text: one for one in view(FleetQuery(order=FleetOrder.NAME), QueryLinks(())).headings}
    assert (headings["Target"].sorted, headings["Target"].href) == ("ascending", "?sort=-name")
    assert (headings["Grade"].sorted, headings["Grade"].href) == ("", "?sort=grade")
    assert (headings["Worst finding"].sorted, headings["Worst finding"].href) == ("", "")
    back = view(FleetQuery(order=FleetOrder.NAME, backwards=True), QueryLinks(())).headings[0]
    assert (back.sorted, back.href) == ("descending", "?sort=name")


def test_the_pager_keeps_the_filters() -> None:
    pager = view(FleetQuery(page=2, limit=100)).pager
    assert pager.previous == "?state=fail&grade=A&sort=-name&limit=100"
    assert pager.next == "?state=fail&grade=A&sort=-name&limit=100&page=3"
    assert [(number, current) for number, _, current in pager.limits] == [(50, False), (100, True), (200, False)]
    assert pager.limits[0][1] == "?state=fail&grade=A&sort=-name&limit=50"


def test_the_form_is_filled_with_the_query_even_if_it_is_wrong() -> None:
    links = QueryLinks((("search", "a b"), ("match[]", "{"), ("check", "nonsense"), ("grade", "A"), ("grade", "B")))
    form = fleet_form(links, ["own"])
    fields = {field.name: field for field in form.fields}
    assert (form.search, form.labels) == ("a b", ("{",))
    assert not any(one.chosen for one in fields["check"].choices)
    assert [one.value for one in fields["grade"].choices if one.chosen] == ["A"]
    assert fields["grade"].more == ("B",)
    assert [one.value for one in fields["policy"].choices] == ["own"]
    assert [one.value for one in fields["sort"].choices][:3] == ["verdict", "-verdict", "name"]
    assert form.chips[-1] == ("grade", "B", "?search=a+b&match%5B%5D=%7B&check=nonsense&grade=A")


def test_labels_lead_to_the_targets_that_have_them() -> None:
    target = make_target(labels={"team": 'a"b\\', "city": "Zürich"})
    found = replace(FOUND, summaries=(Summary(target, (CHECKLIST,), None),))
    (shown,) = fleet_view(found, FleetQuery(), QueryLinks(()), NOW, lambda _: None).rows
    assert [href for _, _, href in shown.labels] == [
        "?match%5B%5D=%7Bteam%3D%22a%5C%22b%5C%5C%22%7D",
        "?match%5B%5D=%7Bcity%3D%22Z%C3%BCrich%22%7D",
    ]
