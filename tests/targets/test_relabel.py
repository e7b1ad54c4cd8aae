"""Relabelling. tests/real/test_relabel_prometheus.py puts many more rules to a real Prometheus."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.relabelling import RelabelAction
from exporter.targets.relabel import MAX_VALUE, RelabelError, relabel
from tests.support.relabelling import is_accepted, rules

LABELS = {"__address__": "www.example.com:8443", "__meta_team": "web", "a": "One", "b": "two", "env": "prod"}


def changes(*those: dict[str, Any]) -> dict[str, str | None] | None:
    """What the rules change: new values, None for labels that they delete; None if they drop the target."""
    after = relabel(LABELS, rules(*those))
    if after is None:
        return None
    return {name: after.get(name) for name in (*LABELS, *after) if after.get(name) != LABELS.get(name)}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"source_labels": ["a"], "target_label": "r"}, {"r": "One"}),
        ({"source_labels": ["a", "none", "b"], "target_label": "r"}, {"r": "One;;two"}),
        ({"source_labels": ["a", "b"], "separator": "", "target_label": "r"}, {"r": "Onetwo"}),
        ({"target_label": "r", "replacement": "x"}, {"r": "x"}),
        ({"target_label": "a", "replacement": ""}, {"a": None}),
        ({"source_labels": ["none"], "target_label": "a"}, {"a": None}),
        ({"source_labels": ["a"], "regex": "on", "target_label": "r"}, {}),
        (
            {"source_labels": ["b"], "regex": "(?P<x>t)w(o)", "target_label": "${x}_$2", "replacement": "$2$$${x}1"},
            {"t_o": "o$t1"},
        ),
        ({"source_labels": ["b"], "regex": "t(.*)", "target_label": "${2}", "replacement": "x"}, {}),
        (
            {
                "source_labels": ["__address__"],
                "regex": "([^:]+):(.*)",
                "target_label": "__port__",
                "replacement": "$2",
            },
            {"__port__": "8443"},
        ),
        ({"action": "keep", "source_labels": ["env"], "regex": "prod|dev"}, {}),
        ({"action": "keep", "source_labels": ["env"], "regex": "pro"}, None),
        ({"action": "drop", "source_labels": ["env"], "regex": "prod"}, None),
        ({"action": "drop", "source_labels": ["env"], "regex": "dev"}, {}),
        ({"action": "keepequal", "source_labels": ["a"], "target_label": "b"}, None),
        ({"action": "keepequal", "source_labels": ["none"], "target_label": "other"}, {}),
        ({"action": "dropequal", "source_labels": ["b"], "target_label": "b"}, None),
        ({"action": "dropequal", "source_labels": ["a"], "target_label": "b"}, {}),
        ({"action": "lowercase", "source_labels": ["a"], "target_label": "a"}, {"a": "one"}),
        ({"action": "uppercase", "source_labels": ["none"], "target_label": "a"}, {"a": None}),
        ({"action": "hashmod", "source_labels": ["b"], "modulus": 1000, "target_label": "r"}, {"r": "777"}),
        ({"action": "labelmap", "regex": "__meta_(.+)"}, {"team": "web"}),
        ({"action": "labelmap", "regex": "[ab]", "replacement": "r"}, {"r": "two"}),
        ({"action": "labelmap", "regex": "(x?)a", "replacement": "${1}"}, {}),
        ({"action": "labeldrop", "regex": "a|b|c"}, {"a": None, "b": None}),
        ({"action": "labelkeep", "regex": "__.*|a"}, {"b": None, "env": None}),
    ],
    ids=json.dumps,
)
def test_one_rule(rule: dict[str, Any], expected: dict[str, str | None] | None) -> None:
    assert changes(rule) == expected


def test_rules_are_applied_in_order_and_end_where_one_drops() -> None:
    first = {"source_labels": ["a"], "target_label": "r", "replacement": "<$1>"}
    second = {"source_labels": ["r"], "target_label": "r", "replacement": "[$1]"}
    assert changes(first, second) == {"r": "[<One>]"}
    assert changes(first, {"action": "drop"}, second) is None


def test_an_empty_label_is_a_missing_one() -> None:
    assert relabel({"a": "", "b": "x"}, ()) == {"b": "x"}


def test_the_labels_that_were_given_stay_as_they_are() -> None:
    labels = {"a": "x"}
    assert relabel(labels, rules({"target_label": "a", "replacement": "y"})) == {"a": "y"}
    assert labels == {"a": "x"}


def test_names_that_no_label_can_have_are_left_out() -> None:
    assert relabel({"__meta_0": "x"}, rules({"action": "labelmap", "regex": "__meta_(.*)"})) == {"__meta_0": "x"}


@pytest.mark.parametrize(
    ("action", "value", "expected"),
    [
        ("lowercase", "ΑΣΣ İ Σ", "ασσ i σ"),
        ("uppercase", "straße ŉ ﬁ ᾳ ǆ ı", "STRAßE ŉ ﬁ ᾼ Ǆ I"),
        ("lowercase", "ǅ \u212a", "ǆ k"),
    ],
)
def test_case_is_changed_character_by_character(action: str, value: str, expected: str) -> None:
    rule = {"action": action, "source_labels": ["a"], "target_label": "a"}
    assert relabel({"a": value}, rules(rule)) == {"a": expected}


def test_a_long_value_that_no_rule_reads_is_no_error() -> None:
    labels = {"a": "x" * (MAX_VALUE + 1), "b": "y"}
    assert relabel(labels, rules({"action": "keep", "source_labels": ["b"], "regex": "(x|y)*"})) == labels


@pytest.mark.parametrize("doubling", ["replace", "lowercase"])
def test_rules_cannot_fill_the_memory(doubling: str) -> None:
    rule = {"action": doubling, "source_labels": ["a", "a"], "target_label": "a"}
    with pytest.raises(RelabelError, match="cannot be relabelled: "):
        relabel({"a": "x"}, rules(*[rule] * 60))


NAMES = st.from_regex(r"[a-c_][a-c0-1_]{0,3}", fullmatch=True)
LABEL_SETS = st.dictionaries(NAMES, st.text(max_size=20), max_size=6)
RULES = st.fixed_dictionaries(
    {"action": st.sampled_from([*map(str, RelabelAction)])},
    optional={
        "source_labels": st.lists(NAMES, max_size=3),
        "target_label": st.one_of(NAMES, st.sampled_from(["$1", "a_${1}", "$x"])),
        "regex": st.sampled_from(
            ["", "(.*)", "a(.*)", "(?P<x>.)(.*)", "[ab]+", "(a|b)*", "(.)(.)?", "(?i)A.*", "_+(.+)"]
        ),
        "replacement": st.sampled_from(["", "$1", "${1}x", "$x", "$$", "b", "${2}$1"]),
        "separator": st.sampled_from(["", ";", "-"]),
        "modulus": st.integers(0, 2**63),
    },
)


@given(LABEL_SETS, st.lists(RULES.filter(lambda rule: is_accepted([rule])), max_size=5))
def test_results_are_labels(labels: dict[str, str], those: list[dict[str, Any]]) -> None:
    result = relabel(labels, rules(*those))
    assert result is None or all(result.values())


@given(LABEL_SETS, st.lists(st.sampled_from(["replace", "drop", "labelmap", "labeldrop"]), max_size=5))
def test_rules_that_match_nothing_change_nothing(labels: dict[str, str], actions: list[str]) -> None:
    """No name or value of a label is this long."""
    never = r"\x00{30}"
    those = [
        {"action": action, "regex": never}
        | ({"target_label": "a", "source_labels": ["b"]} if action == "replace" else {})
        for action in actions
    ]
    assert relabel(labels, rules(*those)) == {name: value for name, value in labels.items() if value}


def test_a_lone_surrogate_is_a_character_like_any_other() -> None:
    rule = {"action": "hashmod", "source_labels": ["a"], "modulus": 5, "target_label": "r"}
    result = relabel({"a": "\ud800"}, rules(rule, {"action": "keep", "source_labels": ["a"], "regex": "."}))
    assert result is not None
    assert int(result["r"]) < 5
