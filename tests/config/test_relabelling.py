"""Rules of `relabel_configs`: what is wrong with them, and where. tests/real puts the same rules to promtool."""

import pytest

from exporter.config.relabelling import RelabelAction, RelabelSettings
from exporter.errors import ConfigError
from tests.support.relabelling import is_accepted, read_rules


def problems(text: str) -> list[str]:
    """What is wrong with one rule, given as lines of YAML, each with its line."""
    lines = "\n".join(f"    {line}" for line in text.splitlines())
    with pytest.raises(ConfigError) as caught:
        read_rules(f"relabel_configs:\n  -\n{lines}\n")
    return [
        f"{one.line - 2} {one.path.removeprefix('relabel_configs.0')}: {one.message}" for one in caught.value.problems
    ]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("regex: a", ["1 : action replace needs target_label"]),
        ("action: hashmod\ntarget_label: r", ["1 : action hashmod needs a modulus of at least 1"]),
        ("action: lowercase", ["1 : action lowercase needs target_label"]),
        (
            "action: remove",
            [f"1 .action: 'remove' is not one of {', '.join(RelabelAction)}"],
        ),
        ("target_label: a-b", ["1 .target_label: 'a-b' is not a label name"]),
        ("target_label: $1-b", ["1 .target_label: '$1-b' is not a label name with variables such as $1"]),
        ("target_label: ${1", ["1 .target_label: '${1' is not a label name with variables such as $1"]),
        ("action: uppercase\ntarget_label: $1", ["2 .target_label: '$1' is not a label name"]),
        (
            "action: labelmap\nreplacement: x-$1",
            ["2 .replacement: 'x-$1' is not a label name with variables such as $1"],
        ),
        ("target_label: r\nsource_labels: [a, b-c]", ["2 .source_labels.1: 'b-c' is not a label name"]),
        ("target_label: r\nsource_labels: a", ["2 .source_labels: is not a list"]),
        ("target_label: r\nmodulus: x", ["2 .modulus: is not a whole number"]),
        ("target_label: r\nmodulus: true", ["2 .modulus: is not a whole number"]),
        ("target_label: r\nmodulus: -1", ["2 .modulus: -1 is less than 0"]),
        ("target_label: r\nregex: 1.10", ["2 .regex: 1.1 is not text; put it in quotes"]),
        ("target_label: r\nregex: [a]", ["2 .regex: is not text"]),
        (
            "target_label: r\nregex: a**",
            ["2 .regex: 'a**' is not usable: bad repetition operator: **"],
        ),
        ("target_label: r\nregx: a", ["2 .regx: unknown key; did you mean regex?"]),
        (
            "action: LabelDrop\nregex: (a\nreplacement: x\nseparator: ''\nmodulus: 5\nsource_labels: [a]",
            [
                "2 .regex: '(a' is not usable: missing ): (a",
                "3 .replacement: is not for action labeldrop",
                "4 .separator: is not for action labeldrop",
                "5 .modulus: is not for action labeldrop",
                "6 .source_labels: is not for action labeldrop",
            ],
        ),
        (
            "action: keepequal\ntarget_label: r\nregex: (.*)\nreplacement: x",
            ["3 .regex: is not for action keepequal", "4 .replacement: is not for action keepequal"],
        ),
        (
            "action: uppercase\ntarget_label: r\nreplacement: x",
            ["3 .replacement: is not for action uppercase"],
        ),
    ],
)
def test_mistakes(rule: str, expected: list[str]) -> None:
    assert problems(rule) == expected


def test_defaults_are_those_of_prometheus() -> None:
    rule = RelabelSettings(target_label="r")
    assert (rule.action, rule.separator, rule.regex, rule.replacement) == (RelabelAction.REPLACE, ";", "(.*)", "$1")
    assert (rule.source_labels, rule.modulus) == ([], 0)


def test_every_action_is_accepted_in_any_case() -> None:
    for action in RelabelAction:
        rule = {"action": action.title()}
        if action not in {RelabelAction.LABELDROP, RelabelAction.LABELKEEP}:
            rule["target_label"] = "r"
        assert is_accepted([{**rule, "modulus": 5} if action is RelabelAction.HASHMOD else rule])


def test_numbers_and_booleans_are_text_as_in_prometheus() -> None:
    (rule,) = read_rules("relabel_configs: [{target_label: r, regex: true, replacement: 443, separator: 0}]")
    assert (rule.regex.source, rule.replacement.text, rule.separator) == ("true", "443", "0")


def test_keys_without_a_value_have_their_defaults() -> None:
    (rule,) = read_rules("relabel_configs: [{target_label: r, regex: , replacement: null}]")
    assert (rule.regex.source, rule.replacement.text) == ("(.*)", "$1")


def test_a_secret_in_a_pattern_is_not_quoted() -> None:
    assert "hunter2" not in problems("target_label: r\nregex: 'https://user:hunter2@example.com/**'")[0]
