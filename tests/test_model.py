from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import Facts, Finding, Report, Severity, Verdict, is_ip
from tests.support.facts import report, result
from tests.support.targets import NOW, make_target

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Sky:
    colour: str


@dataclass(frozen=True)
class Sea:
    depth: int


def test_facts_are_found_by_their_class_with_the_time_they_were_seen_at() -> None:
    facts = Facts().with_part(Sky("blue"), NOW).with_part(Sea(3), NOW - HOUR)
    assert facts.get(Sky) == Sky("blue")
    assert facts.seen_at(Sky) == NOW
    assert facts.seen_at(Sea) == NOW - HOUR
    assert len(facts) == 2


def test_facts_that_nobody_saw_are_none() -> None:
    assert Facts().get(Sky) is None
    assert Facts().seen_at(Sky) is None
    assert len(Facts()) == 0


def test_a_later_part_replaces_the_earlier_one_of_its_class() -> None:
    facts = Facts().with_part(Sky("blue"), NOW - HOUR).with_part(Sky("grey"), NOW)
    assert facts == Facts({Sky: (Sky("grey"), NOW)})


def test_adding_a_part_leaves_the_facts_it_was_added_to_alone() -> None:
    before = Facts().with_part(Sky("blue"), NOW)
    before.with_part(Sea(3), NOW)
    assert before.get(Sea) is None


def test_older_facts_complete_newer_ones_and_keep_their_time() -> None:
    older = Facts().with_part(Sea(3), NOW - HOUR)
    facts = Facts().with_part(Sky("blue"), NOW).over(older)
    assert (facts.get(Sky), facts.seen_at(Sky)) == (Sky("blue"), NOW)
    assert (facts.get(Sea), facts.seen_at(Sea)) == (Sea(3), NOW - HOUR)


def test_newer_facts_win_over_older_ones() -> None:
    facts = Facts().with_part(Sky("grey"), NOW).over(Facts().with_part(Sky("blue"), NOW - HOUR))
    assert (facts.get(Sky), facts.seen_at(Sky)) == (Sky("grey"), NOW)


def test_classes_can_be_left_out() -> None:
    facts = Facts().with_part(Sky("blue"), NOW).with_part(Sea(3), NOW)
    assert facts.without([Sky]) == Facts().with_part(Sea(3), NOW)
    assert facts.without(iter(())) == facts


def test_facts_are_equal_by_value_and_time() -> None:
    facts = Facts().with_part(Sky("blue"), NOW)
    assert facts == Facts().with_part(Sky("blue"), NOW)
    assert facts != Facts().with_part(Sky("grey"), NOW)
    assert facts != Facts().with_part(Sky("blue"), NOW - HOUR)
    assert facts != "facts"
    assert repr(facts) == "Facts(Sky)"


def judged(*verdicts: Verdict) -> Report:
    findings = tuple(
        Finding(f"check{n}", verdict, Severity.INFO, "why", policy="test") for n, verdict in enumerate(verdicts)
    )
    return Report(result(), Facts(), None, ("test",), findings, NOW.date())


@pytest.mark.parametrize(
    ("verdicts", "compliant"),
    [
        ([], None),
        ([Verdict.PASS], True),
        ([Verdict.PASS, Verdict.NOT_APPLICABLE], True),
        ([Verdict.NOT_APPLICABLE], None),
        ([Verdict.UNKNOWN], None),
        ([Verdict.PASS, Verdict.UNKNOWN], None),
        ([Verdict.NOT_APPLICABLE, Verdict.UNKNOWN], None),
        ([Verdict.FAIL], False),
        ([Verdict.PASS, Verdict.FAIL], False),
        ([Verdict.UNKNOWN, Verdict.FAIL], False),
        ([Verdict.PASS, Verdict.UNKNOWN, Verdict.NOT_APPLICABLE, Verdict.FAIL], False),
    ],
)
def test_compliance_needs_every_applicable_check_known_and_passed(
    verdicts: list[Verdict], compliant: bool | None
) -> None:
    assert judged(*verdicts).compliant is compliant


@pytest.mark.parametrize(
    ("strict", "lax", "compliant"),
    [
        (Verdict.PASS, Verdict.PASS, True),
        (Verdict.FAIL, Verdict.PASS, False),
        (Verdict.FAIL, Verdict.UNKNOWN, False),
        (Verdict.PASS, Verdict.UNKNOWN, None),
        (Verdict.PASS, Verdict.NOT_APPLICABLE, None),
    ],
)
def test_a_target_complies_when_it_meets_each_of_its_policies(
    strict: Verdict, lax: Verdict, compliant: bool | None
) -> None:
    met = {Verdict.PASS: True, Verdict.FAIL: False}
    findings = tuple(
        Finding("check", verdict, Severity.INFO, "why", policy=policy)
        for policy, verdict in (("strict", strict), ("lax", lax))
    )
    for order in (("strict", "lax"), ("lax", "strict")):
        one = Report(result(), Facts(), None, order, findings, NOW.date())
        assert one.compliant is compliant
        assert (one.compliant_with("strict"), one.compliant_with("lax")) == (met.get(strict), met.get(lax))


@pytest.mark.parametrize(
    ("host", "server_name", "verified", "is_address"),
    [
        ("a.example", "b.example", "b.example", False),
        ("a.example", None, "a.example", False),
        ("192.0.2.1", None, "192.0.2.1", True),
        ("2001:db8::1", None, "2001:db8::1", True),
        ("192.0.2.1", "b.example", "b.example", True),
    ],
)
def test_the_certificate_must_carry_the_server_name_or_else_the_host(
    host: str, server_name: str | None, verified: str, is_address: bool
) -> None:
    target = make_target(host=host, server_name=server_name)
    assert (target.verified_name, target.host_is_ip) == (verified, is_address)


def test_a_report_is_about_the_target_that_was_scanned() -> None:
    target = make_target(name="other")
    assert report(target=target).target is target
    assert report(target=target).result.duration_seconds == 1.5


def _is_read(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@given(
    st.ip_addresses().map(str)
    | st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,4}){2,4}", fullmatch=True)
    | st.text("0123456789.:/% \n\N{ARABIC-INDIC DIGIT ONE}a", max_size=12)
)
def test_literals_are_those_that_the_standard_library_reads(text: str) -> None:
    assert is_ip(text) == _is_read(text)
