"""The view of a target: what is known, what is not, and why."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from exporter.derived.verdicts import Attack
from exporter.facts.certificate import CertificateFacts
from exporter.facts.handshake import Listing
from exporter.html.target import AddressView, address_view, shown_history, target_view, view_of_reports, worst_first
from exporter.html.target.attacks import attack_rows
from exporter.html.target.certificates import shown_chains
from exporter.html.target.findings import shared_sentences
from exporter.html.target.protocols import ProtocolGrid, protocol_grid
from exporter.model import (
    Acceptance,
    Facts,
    Failure,
    Finding,
    Protocol,
    Reason,
    Verdict,
)
from exporter.policies import load_policy
from exporter.policies.steps import STEPS
from exporter.store.history import StateChange, StateKey, What
from tests.support.facts import (
    CBC_RSA,
    GCM,
    KOPANO,
    RC4,
    certificate,
    deployment,
    facts,
    good_facts,
    handshake,
    issuer,
    report,
    tried,
    watched,
)
from tests.support.target_pages import bad_facts, failed
from tests.support.targets import NOW

INTERMEDIATE, OLD = map(load_policy, ("mozilla-intermediate", "mozilla-old"))
TODAY = date(2026, 11, 22)
GROUPS = [*(f"Step {number}: {text}" for number, text in STEPS.items()), "Other checks"]


def view(seen: Facts | None = None, **changes: object) -> AddressView:
    return address_view(report(seen, **changes), (KOPANO,), 0, NOW)


# --- findings ---------------------------------------------------------------------------------------------------------


def test_what_fails_is_open_and_what_passes_is_folded() -> None:
    (policy,) = view(bad_facts()).policies
    assert (policy.mark, policy.met) == ("fail", False)
    assert [group.title for group in policy.groups] == GROUPS
    tls = policy.groups[1]
    assert [one.mark for one in tls.open] == ["fail"] * 4
    assert [one.finding.check for one in tls.closed] == ["compression"]


def test_an_accepted_failure_is_a_failure_with_a_mark_of_its_own() -> None:
    seen = report(bad_facts())
    accepted = Acceptance(date(2026, 12, 24), "old till", "Ada")
    findings = tuple(replace(one, accepted=accepted if one.verdict is Verdict.FAIL else None) for one in seen.findings)
    (policy,) = address_view(replace(seen, findings=findings), (KOPANO,), 0, NOW).policies
    assert (policy.mark, policy.met, policy.counts["accepted"]) == ("accepted", False, 9)
    whole = view_of_reports([replace(seen, findings=findings)], {"kopano-checklist": KOPANO}, NOW)
    assert whole.policies == {"kopano-checklist": "accepted"}


def test_where_nothing_is_known_unknown_verdicts_are_folded_and_nothing_passes() -> None:
    seen = view(Facts(), success=False, failures=failed(Reason.CONNECT_REFUSED))
    (policy,) = seen.policies
    assert (policy.mark, policy.met, seen.reachable) == ("unknown", None, False)
    assert [group.open for group in policy.groups] == [()] * len(GROUPS)
    assert {one.mark for group in policy.groups for one in group.closed} == {"unknown"}


def test_anchors_are_unique_over_policies_and_addresses() -> None:
    seen = report(bad_facts())
    twice = tuple(replace(one, policy="other") for one in seen.findings)
    several = replace(seen, policies=("kopano-checklist", "other"), findings=(*seen.findings, *twice))
    views = [address_view(several, (KOPANO,), place, NOW) for place in range(2)]
    anchors = [
        one.anchor
        for view in views
        for policy in view.policies
        for group in policy.groups
        for one in (*group.open, *group.closed)
    ]
    assert len(set(anchors)) == len(anchors)
    assert "check-hsts" in anchors


def test_sentences_that_all_servers_share_are_shown_once() -> None:
    assert (
        shared_sentences(["Accept TLSv1.2 only. In nginx.", "Accept TLSv1.2 only. In Apache."])
        == "Accept TLSv1.2 only."
    )
    assert shared_sentences(["One."]) == ""
    assert shared_sentences(["One", "Other"]) == ""


# --- protocols and suites ---------------------------------------------------------------------------------------------


def grid(seen: object = None, **changes: object) -> ProtocolGrid:
    return protocol_grid(seen or handshake(**changes), (KOPANO, INTERMEDIATE, OLD), TODAY)  # type: ignore[arg-type]


def verdicts(row: object) -> list[str | None]:
    return [one.verdict for one in row.judgements]  # type: ignore[attr-defined]


def test_each_policy_judges_each_protocol() -> None:
    rows = {
        row.protocol: row for row in grid(suites={Protocol.TLS1_0: (CBC_RSA,)}, open_protocols=[Protocol.SSL3]).rows
    }
    assert list(rows) == list(reversed(Protocol))
    assert verdicts(rows[Protocol.TLS1_0]) == [Verdict.FAIL, Verdict.FAIL, Verdict.PASS]
    assert verdicts(rows[Protocol.SSL3]) == [Verdict.UNKNOWN] * 3
    assert verdicts(rows[Protocol.SSL2]) == [Verdict.PASS] * 3
    assert verdicts(rows[Protocol.TLS1_2])[0] is Verdict.NOT_APPLICABLE


def test_each_policy_judges_each_suite_as_its_check_does() -> None:
    suites = {Protocol.TLS1_2: (GCM, CBC_RSA, RC4, "0xEEEE")}
    row = next(row for row in grid(suites=suites).rows if row.accepted)
    assert [one.name for one in row.suites] == [GCM, CBC_RSA, RC4, "0xEEEE"]
    judged = {one.name: [judgement.text for judgement in one.judgements] for one in row.suites}
    assert judged[GCM] == ["allowed"] * 3
    assert judged[CBC_RSA] == ["not allowed", "not allowed", "allowed"]
    assert judged[RC4] == ["not allowed"] * 3
    assert [one.forward_secrecy for one in row.suites] == [True, False, False, None]
    seen = report(facts(handshake(suites), certificate(), tried()))
    (finding,) = (one for one in seen.findings if one.check == "cipher_suites")
    refused = tuple(name for name, texts in judged.items() if texts[0] == "not allowed")
    assert finding.evidence["TLSv1.2"] == refused


def test_a_list_that_could_not_be_read_is_not_an_empty_list() -> None:
    rows = grid(suites={Protocol.TLS1_2: ()}, incomplete=[Protocol.TLS1_2]).rows
    row = next(row for row in rows if row.accepted)
    assert (row.suites, row.suites_complete, row.groups) == ((), False, None)


def test_post_quantum_groups_are_marked() -> None:
    groups = {Protocol.TLS1_3: Listing(("X25519MLKEM768", "X25519Kyber768Draft00", "x25519"), complete=False)}
    row = grid(groups=groups).rows[0]
    assert row.groups is not None
    assert [one.post_quantum for one in row.groups] == [True, False, False]
    assert [one.judgements[0].text for one in row.groups] == ["not judged"] * 3
    assert not row.groups_complete


def test_a_protocol_whose_suites_use_no_group_has_none() -> None:
    rows = [row for row in grid(suites={Protocol.TLS1_2: (CBC_RSA,)}, groups={}).rows if row.accepted]
    assert [(row.groups, row.groups_complete) for row in rows] == [(None, True)]
    rows = [row for row in grid(suites={Protocol.TLS1_2: (GCM,)}, groups={}).rows if row.accepted]
    assert [(row.groups, row.groups_complete) for row in rows] == [(None, False)]


# --- attacks ----------------------------------------------------------------------------------------------------------


def test_attacks_say_how_they_were_decided() -> None:
    rows = attack_rows(report(bad_facts()).facts)
    assert rows is not None
    by_name = {row.attack: row for row in rows}
    assert len(by_name) == len(Attack)
    assert rows[0].verdict.vulnerable is True
    assert rows[-1].verdict.vulnerable is False
    assert (by_name[Attack.HEARTBLEED].decided, by_name[Attack.HEARTBLEED].tried_at) == ("tried", NOW)
    assert (by_name[Attack.RC4].decided, by_name[Attack.RC4].tried_at) == ("from handshakes", None)
    assert by_name[Attack.CLIENT_RENEGOTIATION].decided == "not tried"
    assert by_name[Attack.CLIENT_RENEGOTIATION].verdict.vulnerable is None
    assert "other targets" in by_name[Attack.DROWN].decided


def test_an_attack_that_cannot_work_was_not_tried() -> None:
    rows = {row.attack: row for row in attack_rows(report(good_facts()).facts) or ()}
    assert rows[Attack.HEARTBLEED].decided == "from handshakes"


def test_without_handshakes_no_attack_has_a_verdict() -> None:
    assert attack_rows(facts(certificate())) is None


# --- certificates -----------------------------------------------------------------------------------------------------


def test_a_chain_is_drawn_from_the_leaf_up() -> None:
    root = issuer(subject="CN=Test Root,O=Test", issuer="CN=Test Root,O=Test", self_signed=True)
    (chain,) = shown_chains(certificate_of(issuer(), root), NOW)
    assert [link.role for link in chain.links] == ["leaf", "intermediate", "root"]
    assert (chain.above, chain.others) == ("nothing", ())


def certificate_of(*issuers: object, **changes: object) -> CertificateFacts:
    return CertificateFacts((deployment(*issuers, **changes),), deployments_complete=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(("complete", "above"), [(True, "anchor"), (False, "missing"), (None, "unknown")])
def test_what_is_above_the_last_certificate(complete: bool | None, above: str) -> None:
    (chain,) = shown_chains(certificate_of(complete=complete), NOW)
    assert (chain.above, chain.issuer) == (above, "CN=Test Root,O=Test")


def test_certificates_that_no_path_needs() -> None:
    (chain,) = shown_chains(certificate_of(issuer(), issuer(), path=(0, 1), surplus=(2,)), NOW)
    assert [(one.place, one.role) for one in chain.others] == [(3, "not needed")]


@pytest.mark.parametrize(
    ("now", "share", "state"),
    [
        (datetime(2026, 9, 1, tzinfo=UTC), 0, "not yet valid"),
        (datetime(2026, 10, 16, tzinfo=UTC), 50, "valid"),
        (datetime(2027, 1, 1, tzinfo=UTC), 100, "ended"),
    ],
)
def test_share_of_the_lifetime(now: datetime, share: float, state: str) -> None:
    seen = certificate_of(not_before=datetime(2026, 10, 1, tzinfo=UTC), not_after=datetime(2026, 10, 31, tzinfo=UTC))
    leaf = shown_chains(seen, now)[0].links[0]
    assert (leaf.elapsed_percent, leaf.state) == (share, state)


def test_a_lifetime_that_ends_before_it_begins() -> None:
    seen = certificate_of(not_before=NOW, not_after=NOW - timedelta(days=1))
    assert shown_chains(seen, NOW)[0].links[0].elapsed_percent == 100


# --- what is not known, and why ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failures", "probe", "why"),
    [
        (failed(Reason.CONNECT_REFUSED, "port 443"), "handshake", "connect_refused: port 443"),
        (failed(Reason.CONNECT_REFUSED), "certificate", "not asked, because handshake failed (connect_refused)"),
        ((Failure("http", Reason.HTTP_TIMEOUT, ""),), "http", "http_timeout"),
        ((), "tlsa", "not looked for, because no policy of the target asks for it"),
        ((), "dns", "the last scan did not look for it"),
    ],
)
def test_why_nothing_is_known(failures: tuple[Failure, ...], probe: str, why: str) -> None:
    seen = view(Facts(), success=False, failures=failures)
    assert (seen.ages[probe].seen_at, seen.ages[probe].why) == (None, why)


def test_facts_that_no_longer_count() -> None:
    seen = view(Facts(), probes={"handshake": True, "certificate": True})
    assert seen.ages["certificate"].why == "what was seen last is too old, or a date in it has passed"


def test_facts_of_an_earlier_scan() -> None:
    seen = view(good_facts(NOW - timedelta(hours=1)), probes={"handshake": True})
    assert seen.ages["handshake"].in_last_scan == "not due: the facts still count"


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (Reason.NOT_TLS, "The server answers, but not with TLS."),
        (Reason.DNS_NXDOMAIN, "The name of the host cannot be resolved."),
        (Reason.CONNECT_TIMEOUT, "The server cannot be reached."),
        (Reason.DEADLINE_EXCEEDED, "The last scan ended before all was known."),
        (Reason.INTERNAL, "The last scan could not ask the server by TLS."),
    ],
)
def test_the_headline_of_a_scan_without_success(reason: Reason, said: str) -> None:
    assert view(Facts(), success=False, failures=failed(reason)).headline == said


def test_a_successful_scan_has_no_headline() -> None:
    assert view().headline == ""


# --- the target -------------------------------------------------------------------------------------------------------


def test_a_target_that_was_never_scanned() -> None:
    whole = target_view(watched(), (KOPANO,), (), now=NOW)
    assert whole.policies == {"kopano-checklist": "unknown"}
    assert (whole.grade, whole.scanned_at, whole.success) == (None, None, None)


def test_the_worst_address_comes_first_and_counts() -> None:
    good, bad = report(), report(bad_facts())
    nothing = report(Facts(), success=False, failures=failed(Reason.CONNECT_REFUSED))
    assert worst_first([good, nothing, bad]) == [bad, nothing, good]
    policies = {"kopano-checklist": KOPANO}
    assert view_of_reports([good, bad], policies, NOW).policies == {"kopano-checklist": "fail"}
    whole = view_of_reports([good, nothing], policies, NOW)
    assert (whole.policies, whole.grade) == ({"kopano-checklist": "unknown"}, None)
    assert view_of_reports([good], policies, NOW).policies == {"kopano-checklist": "pass"}


def test_nothing_that_applies_is_not_a_pass() -> None:
    seen = report()
    none = tuple(replace(one, verdict=Verdict.NOT_APPLICABLE) for one in seen.findings)
    assert view_of_reports([replace(seen, findings=none)], {"kopano-checklist": KOPANO}, NOW).policies == {
        "kopano-checklist": "unknown"
    }


def test_a_grade_that_is_not_known() -> None:
    grade = view(facts(handshake(open_protocols=[Protocol.SSL2]))).grade
    assert grade is not None
    assert grade.grade.letter is None
    assert "not_trusted" in [one.name for one in grade.missing]


# --- history ----------------------------------------------------------------------------------------------------------


def change(what: What, subject: str, before: object, after: object, at: datetime = NOW) -> StateChange:
    return StateChange("test", None, StateKey(what, subject), before, after, at)


@pytest.mark.parametrize(
    ("what", "subject", "before", "after", "shown"),
    [
        (What.VERDICT, "p/hsts", "pass", "fail", ("hsts (p)", "passes", "fails")),
        (What.VERDICT, "p/hsts", None, "new_verdict", ("hsts (p)", "not known", "new_verdict")),
        (What.GRADE, "", "A", None, ("Grade", "A", "not known")),
        (What.PROTOCOL, "TLSv1.0", False, None, ("TLSv1.0", "refused", "not known")),
        (What.SUITES, "TLSv1.2", None, [], ("Cipher suites of TLSv1.2", "not known", "none")),
    ],
)
def test_changes_in_words(what: What, subject: str, before: object, after: object, shown: tuple[str, ...]) -> None:
    ((moment,), known_since) = (
        (seen := shown_history([change(what, subject, before, after)], NOW, more=False)).moments,
        seen.known_since,
    )
    (one,) = moment.changes
    assert ((one.subject, one.before, one.after), known_since) == (shown, NOW)


def test_changed_lists_name_what_came_and_what_went() -> None:
    before = {"subject": "CN=a", "issuer": "CN=b", "not_after": "2026-12-01T00:00:00+00:00", "fingerprint_sha256": "ab"}
    changes = [
        change(What.SUITES, "TLSv1.2", ["A", "B"], ["B", *map(str, range(10))]),
        change(What.CERTIFICATE, "", [before], []),
        change(What.VERDICT, "p/c", "fail", "pass"),
    ]
    (moment,) = shown_history(changes, NOW, more=False).moments
    verdict, leaves, suites = moment.changes
    assert verdict.after == "passes"
    assert leaves.more == ("gone: CN=a, from CN=b, until 2026-12-01 (SHA-256 ab)",)
    assert suites.more[-2:] == ("new: 2 more", "gone: A")


def test_findings_say_since_when() -> None:
    at = NOW - timedelta(days=3)
    seen = address_view(report(bad_facts()), (KOPANO,), 0, NOW, {("kopano-checklist", "hsts"): at})
    found = {one.finding.check: one.since for group in seen.policies[0].groups for one in (*group.open, *group.closed)}
    assert (found["hsts"], found["caa"]) == (at, None)


def test_a_finding_of_an_unknown_check_is_shown_too() -> None:
    seen = report()
    more = Finding("new_check", Verdict.FAIL, seen.findings[0].severity, "is new", policy="kopano-checklist")
    groups = address_view(replace(seen, findings=(*seen.findings, more)), (KOPANO,), 0, NOW).policies[0].groups
    assert groups[-1].title == "Other checks"
