import json
from pathlib import Path
from textwrap import dedent, indent

import pytest

from exporter.errors import ConfigError
from oracles import scanners, servers
from oracles.compare import Statement
from oracles.explanations import Explanation, debian_release, load, stale
from oracles.matrix import Comparison, compare, document, totals, used

WHY = "because it was looked at"
NAMES = ("one", "two", "two-more")


def explanation(**changes: object) -> Explanation:
    fields = {
        "servers": ["one"],
        "scanner": "sslscan",
        "fact": "groups",
        "what": "TLSv1.2 .*",
        "ours": "yes",
        "theirs": "no",
        "right": "ours",
        "why": WHY,
    }
    return Explanation.model_validate(fields | changes)


MISSING = Statement("groups", "TLSv1.2 x448", "yes", "no")


def test_the_file_names_what_there_is() -> None:
    assert load(servers.BY_NAME, scanners.BY_NAME)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("servers: [three]", "there is no server 'three'"),
        ("scanner: other", "'other' is not one of"),
        ("fact: weather", "'weather' is not one of"),
        ("right: theirs", "a defect to fix"),
        ("why: short", "why"),
    ],
)
def test_a_mistake_in_the_file_has_its_place(change: str, complaint: str, tmp_path: Path) -> None:
    fields = {
        "servers": "[one]",
        "scanner": "sslscan",
        "fact": "groups",
        "ours": '"yes"',
        "theirs": '"no"',
        "right": "ours",
        "why": WHY,
    }
    key, _, value = change.partition(": ")
    lines = "\n".join(f"{name}: {text}" for name, text in (fields | {key: value}).items())
    file = tmp_path / "file.yaml"
    file.write_text(f"explanations:\n  -\n{indent(dedent(lines), '    ')}\n")
    with pytest.raises(ConfigError) as caught:
        load(NAMES, ("sslscan",), file)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(("release", "found"), [(12, ["for all", "for 12"]), (13, ["for all"])])
def test_an_explanation_may_be_for_some_releases_of_debian(release: int, found: list[str], tmp_path: Path) -> None:
    same = {"servers": ["one"], "scanner": "sslscan", "fact": "groups", "ours": "yes", "theirs": "no", "right": "ours"}
    entries = [same | {"what": "for all", "why": WHY}, same | {"what": "for 12", "why": WHY, "debian": [12]}]
    file = tmp_path / "file.yaml"
    file.write_text(json.dumps({"explanations": entries}))  # which is YAML too
    assert [one.what for one in load(NAMES, ("sslscan",), file, release=release)] == found


@pytest.mark.parametrize(
    ("text", "release"),
    [('ID=debian\nVERSION_ID="13"\n', 13), ("ID=debian\n", None), ('ID=ubuntu\nVERSION_ID="24.04"\n', None)],
)
def test_the_release_is_the_one_of_this_machine(text: str, release: int | None, tmp_path: Path) -> None:
    file = tmp_path / "os-release"
    file.write_text(text)
    assert debian_release(file) == release


@pytest.mark.parametrize(
    ("changes", "covered"),
    [
        ({}, True),
        ({"servers": ["*"]}, True),
        ({"servers": ["two"]}, False),
        ({"scanner": "sslyze"}, False),
        ({"fact": "suites"}, False),
        ({"what": "TLSv1.2"}, False),
        ({"ours": "unknown"}, False),
        ({"theirs": "yes"}, False),
    ],
)
def test_an_explanation_covers_one_disagreement(changes: dict[str, object], covered: bool) -> None:
    assert explanation(**changes).covers("one", "sslscan", MISSING) is covered


def test_ours_may_be_ignorant_but_not_wrong() -> None:
    assert explanation(ours="unknown", right="theirs").right == "theirs"
    with pytest.raises(ValueError, match="a defect to fix"):
        explanation(right="theirs")


def test_an_explanation_that_finds_nothing_is_stale() -> None:
    everywhere, here = explanation(servers=["*"]), explanation(servers=["one", "two"])
    found = [compare("one", "sslscan", [MISSING], [here]), compare("two", "sslscan", [], [here])]
    places = {(comparison.server, comparison.scanner) for comparison in found}
    assert stale([here], NAMES, places, used(found)) == ["two, sslscan, groups, TLSv1.2 .*: not found any more"]
    assert stale([here], NAMES, {("one", "sslscan")}, used(found)) == []  # the other was not compared
    assert stale([everywhere], NAMES, places, set()) == []  # not every server was compared
    assert stale([everywhere], NAMES, {(name, "sslscan") for name in NAMES}, set())
    assert not stale([everywhere], NAMES, {(name, "sslscan") for name in NAMES}, {(everywhere, "two")})


def test_a_comparison_counts_and_names() -> None:
    other = Statement("suites", "TLSv1.2 a", "no", "yes")
    same = Statement("suites", "TLSv1.2 b", "yes", "yes")
    comparison = compare("one", "sslscan", [MISSING, other, same], [explanation()])
    assert comparison.unexplained == [other]
    assert totals([comparison]) == {"sslscan": {"same": 1, "explained": 1, "unexplained": 1}}
    (row,) = document([comparison])
    assert row["agreed"] == {"suites": 1}
    assert [(one["fact"], one["right"]) for one in row["differences"]] == [("groups", "ours"), ("suites", None)]
    assert used([comparison, Comparison("two", "sslscan", {}, {})]) == {(explanation(), "one")}
