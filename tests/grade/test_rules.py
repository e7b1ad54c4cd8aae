"""Each rule by itself, on a server to which no other rule applies, and several rules together."""

import re
import runpy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.grade import NOT_LOOKED_AT, RULES, HstsRating, Letter, Lift, Material, evaluate
from exporter.grade.material import Sizes
from exporter.model import Protocol

ROOT = Path(__file__).parents[2]
SSL2, SSL3, TLS10, TLS11, TLS12, TLS13 = Protocol
NAMES = [rule.name for rule in RULES]


def accepting(*protocols: Protocol) -> dict[Protocol, bool | None]:
    return {protocol: protocol in protocols for protocol in Protocol}


GOOD = Material(
    protocols=accepting(TLS12, TLS13),
    ciphers=Sizes((128, 256), whole=True),
    keys=Sizes((3072,), whole=True),
    primes=Sizes((), whole=True),
    anonymous=False,
    export=False,
    rc4=False,
    only_rc4=False,
    rc4_used=False,
    small_blocks_used=False,
    forward_secrecy_used=True,
    aead_used=True,
    md5_signature=False,
    sha1_signature=False,
    chain_complete=True,
    trusted=True,
    name_match=True,
    secure_renegotiation=True,
    hsts=HstsRating.LONG,
    heartbleed=False,
    ccs_injection=False,
    robot=False,
    drown=False,
    poodle=False,
    crime=False,
    insecure_renegotiation=False,
)

ALONE: Mapping[str, dict[str, Any]] = {
    "not_trusted": {"trusted": False},
    "name_mismatch": {"name_match": False},
    "ssl2": {"protocols": accepting(SSL2, TLS12, TLS13)},
    "insecure_renegotiation": {"insecure_renegotiation": True},
    "insecure_key": {"keys": Sizes((1023,), whole=True)},
    "md5_signature": {"md5_signature": True},
    "only_ssl3": {"protocols": accepting(SSL3)},
    "only_rc4": {"only_rc4": True},
    "drown": {"drown": True},
    "heartbleed": {"heartbleed": True},
    "ccs_injection": {"ccs_injection": True},
    "robot": {"robot": True},
    "export_suites": {"export": True},
    "anonymous_suites": {"anonymous": True},
    "weak_ciphers": {"ciphers": Sizes((111, 256), whole=True)},
    "poodle": {"poodle": True},
    "crime": {"crime": True},
    "no_tls12": {"protocols": accepting(TLS11)},
    "rc4_used": {"rc4_used": True},
    "small_blocks_used": {"small_blocks_used": True},
    "rc4": {"rc4": True},
    "ssl3": {"protocols": accepting(SSL3, TLS12, TLS13)},
    "tls10": {"protocols": accepting(TLS10, TLS12, TLS13)},
    "tls11": {"protocols": accepting(TLS11, TLS12, TLS13)},
    "weak_key": {"keys": Sizes((2047,), whole=True)},
    "weak_prime": {"primes": Sizes((2047,), whole=True)},
    "incomplete_chain": {"chain_complete": False},
    "no_forward_secrecy": {"forward_secrecy_used": False},
    "no_aead": {"aead_used": False},
    "no_secure_renegotiation": {"secure_renegotiation": False},
    "no_tls13": {"protocols": accepting(TLS12)},
    "bad_hsts": {"hsts": HstsRating.DISABLED},
    "sha1_signature": {"sha1_signature": True},
    "no_long_hsts": {"hsts": HstsRating.SHORT},
}
"""What is not as on the good server, so that the rule applies."""
AS_WELL = {
    "insecure_key": {"weak_key"},
    "only_ssl3": {"no_tls12", "ssl3", "no_tls13"},
    "no_tls12": {"tls11", "no_tls13"},
    "bad_hsts": {"no_long_hsts"},
}
"""Others that cannot but apply too."""


def test_the_good_server_has_an_a_plus() -> None:
    grade = evaluate(GOOD)
    assert (grade.letter, grade.trust_ignored, grade.score, grade.capped_by) == ("A+", "A+", 93, "")
    assert (grade.caps, grade.lifts, grade.lifted, grade.missing) == ((), (), None, ())


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_a_rule_has_its_effect(rule: Any) -> None:  # noqa: ANN401 - Rule
    grade = evaluate(replace(GOOD, **ALONE[rule.name]))
    assert (grade.letter, grade.capped_by) == (rule.effect, rule.name)
    assert set(grade.caps) == {rule.name} | AS_WELL.get(rule.name, set())
    assert grade.lifts[0] == Lift(rule.name, rule.remedy)


UNKNOWN: Mapping[str, dict[str, Any]] = {
    name: {
        key: Sizes((), whole=False)
        if isinstance(value, Sizes)
        else dict.fromkeys(Protocol)
        if isinstance(value, dict)
        else None
        for key, value in changes.items()
    }
    for name, changes in ALONE.items()
}


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_a_rule_that_may_apply_leaves_no_letter(rule: Any) -> None:  # noqa: ANN401 - Rule
    material = replace(GOOD, **UNKNOWN[rule.name])
    grade = evaluate(material)
    assert rule.applies(material) is None
    assert grade.letter is None
    assert rule.name in grade.missing
    assert (grade.trust_ignored is None) is rule.effect.on_scale


def test_the_table_names_each_rule_once_and_says_all_of_it() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for rule in RULES:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", rule.name)
        assert re.fullmatch(r"2009[a-r]?|\?", rule.revision)
        assert all((rule.source, rule.description, rule.remedy))
        assert rule.effect not in {Letter.A_PLUS, Letter.D, Letter.E}
    assert all(omission.effect in {Letter.F, Letter.T} for omission in NOT_LOOKED_AT)


def test_an_unknown_cap_that_changes_nothing_is_not_missed() -> None:
    grade = evaluate(replace(GOOD, heartbleed=True, rc4=None, crime=None, hsts=None))
    assert (grade.letter, grade.capped_by, grade.missing) == ("F", "heartbleed", ())


def test_an_unknown_f_is_missed_where_a_b_is_known() -> None:
    grade = evaluate(replace(GOOD, rc4=True, heartbleed=None, crime=None, hsts=None))
    assert (grade.letter, grade.at_best, grade.missing) == (None, "B", ("heartbleed", "crime"))


def test_all_that_holds_a_letter_has_to_go() -> None:
    grade = evaluate(replace(GOOD, protocols=accepting(TLS10, TLS11, TLS12), rc4=True, crime=True))
    assert grade.letter == "C"
    assert [lift.rule for lift in grade.lifts] == ["crime"]
    assert grade.lifted == "B"
    assert grade.caps == ("crime", "rc4", "tls10", "tls11", "no_tls13")
    better = evaluate(replace(GOOD, protocols=accepting(TLS10, TLS11, TLS12), rc4=True))
    assert [lift.rule for lift in better.lifts] == ["rc4", "tls10", "tls11"]
    assert better.lifted == "A-"


def test_without_trust_all_that_takes_it_has_to_go() -> None:
    grade = evaluate(replace(GOOD, trusted=False, name_match=False, chain_complete=False))
    assert (grade.letter, grade.trust_ignored, grade.capped_by) == ("T", "B", "not_trusted")
    assert [lift.rule for lift in grade.lifts] == ["not_trusted", "name_mismatch"]
    assert grade.lifted == "B"


def test_a_name_that_does_not_match_is_no_m_while_trust_is_not_known() -> None:
    grade = evaluate(replace(GOOD, trusted=None, name_match=False))
    assert (grade.letter, grade.trust_ignored, grade.missing) == (None, "A+", ("not_trusted",))


def test_a_score_that_is_too_low_is_named() -> None:
    weak = replace(GOOD, ciphers=Sizes((112,), whole=True), keys=Sizes((1024,), whole=True))
    grade = evaluate(weak)
    assert (grade.letter, grade.score, grade.capped_by) == ("C", 30 + 24 + 8, "")
    assert (grade.lifts, grade.lifted) == ((Lift("score", "raise the score, which is 62 at most"),), None)
    assert grade.categories == {"protocols": 100, "key_exchange": 80, "ciphers": 20}


def test_the_page_is_as_generated() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "grade_rules.py"))
    text = (ROOT / "docs" / "grade.md").read_text(encoding="utf-8")
    assert text == tool["page"](text)
    for rule in RULES:
        assert text.count(f"| `{rule.name}` | {rule.effect} |") == 1
