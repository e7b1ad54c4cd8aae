from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from exporter.checks.grade import CHECK, GradeDemand
from exporter.grade import HstsRating, Material, evaluate
from exporter.judging.check import Outcome
from exporter.model import Protocol, Verdict
from tests.grade.test_rules import GOOD, accepting
from tests.support.facts import case, handshake
from tests.support.targets import NOW

UNTRUSTED: dict[str, Any] = {"trusted": False, "rc4": True}
UNKNOWN_TRUST = {"trusted": None}


def judge(material: Material | None, minimum: str, *, trust_ignored: bool = False) -> Outcome:
    demand = {"severity": "warning", "source": "test", "minimum": minimum, "trust_ignored": trust_ignored}
    one = case(handshake())
    if material is not None:
        one = replace(one, facts=one.facts.with_part(evaluate(material), NOW))
    return CHECK.judge(one, GradeDemand.model_validate(demand))


@pytest.mark.parametrize(
    ("changes", "minimum", "trust_ignored", "verdict", "summary"),
    [
        ({}, "A+", False, Verdict.PASS, "the grade is A+"),
        ({}, "E", True, Verdict.PASS, "the grade is A+ if trust is ignored"),
        ({"hsts": HstsRating.SHORT}, "A+", False, Verdict.FAIL, "the grade is A, worse than A+"),
        ({"hsts": HstsRating.SHORT}, "A", False, Verdict.PASS, "the grade is A"),
        ({"rc4": True}, "A-", False, Verdict.FAIL, "the grade is B, worse than A-"),
        ({"rc4": True}, "B", False, Verdict.PASS, "the grade is B"),
        (UNTRUSTED, "E", False, Verdict.FAIL, "the grade is T, worse than E"),
        (UNTRUSTED, "B", True, Verdict.PASS, "the grade is B if trust is ignored"),
        (UNTRUSTED, "A", True, Verdict.FAIL, "the grade is B if trust is ignored, worse than A"),
        ({"name_match": False}, "E", False, Verdict.FAIL, "the grade is M, worse than E"),
        (UNKNOWN_TRUST, "C", False, Verdict.UNKNOWN, "the grade depends on what is not known: not_trusted"),
        (UNKNOWN_TRUST, "C", True, Verdict.PASS, "the grade is A+ if trust is ignored"),
        ({"robot": None, "rc4": True}, "A", False, Verdict.FAIL, "the grade is B at best, worse than A"),
        ({"robot": None, "rc4": True}, "B", False, Verdict.UNKNOWN, "the grade depends on what is not known: robot"),
        ({"hsts": None}, "A-", False, Verdict.PASS, "the grade is A- or better"),
        ({"hsts": None}, "A", False, Verdict.UNKNOWN, "the grade depends on what is not known: bad_hsts, no_long_hsts"),
        ({"crime": None, "trusted": None}, "C", True, Verdict.PASS, "the grade is C or better if trust is ignored"),
    ],
)
def test_a_grade_is_held_against_the_minimum(
    changes: dict[str, Any], minimum: str, trust_ignored: bool, verdict: Verdict, summary: str
) -> None:
    outcome = judge(replace(GOOD, **changes), minimum, trust_ignored=trust_ignored)
    assert (outcome.verdict, outcome.summary) == (verdict, summary)


def test_evidence_names_what_caps_and_what_would_lift() -> None:
    weak = replace(GOOD, protocols=accepting(Protocol.TLS1_0, Protocol.TLS1_2), rc4=True)
    assert judge(weak, "A").evidence == {
        "caps": ("rc4", "tls10", "no_tls13"),
        "lifts": ("rc4: accept no suites with RC4", "tls10: refuse TLSv1.0"),
    }


def test_evidence_names_what_is_missing() -> None:
    assert judge(replace(GOOD, robot=None, crime=None), "B").evidence == {"missing": ("robot", "crime")}


def test_where_trust_is_ignored_nothing_of_it_is_asked_for() -> None:
    assert judge(replace(GOOD, **UNTRUSTED), "A", trust_ignored=True).evidence == {"caps": ("not_trusted", "rc4")}


def test_without_a_grade_it_is_unknown() -> None:
    outcome = judge(None, "E")
    assert (outcome.verdict, outcome.summary) == (Verdict.UNKNOWN, "no protocol is known to be accepted")


@pytest.mark.parametrize("minimum", ["F", "T", "M", "a", "", None, 3])
def test_a_minimum_is_a_letter_that_can_be_missed(minimum: object) -> None:
    with pytest.raises(ValidationError):
        GradeDemand.model_validate({"severity": "warning", "source": "test", "minimum": minimum})
