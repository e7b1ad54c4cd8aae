"""The same rules put to a real Prometheus: it makes the same labels of the same targets, and refuses the same rules."""

import json
import re
import subprocess
import time
import urllib.error
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from exporter.targets.relabel import relabel
from tests.support.processes import find_program, free_port, running
from tests.support.prometheus import Prometheus
from tests.support.relabelling import is_accepted, rules

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

TARGETS: list[dict[str, str]] = [
    {"a": "one", "b": "two", "env": "Prod", "fqdn": "www.example.com", "__meta_x": "v1", "__meta_y": "v2"},
    {"b": "two", "env": "", "fqdn": "a.b.c.example.org", "__meta_kubernetes_service_label_app": "web"},
    {"a": "Straße ΑΣΣ İıſ ǅﬁŉᾳ \u212a", "b": "ÀÉ 😀", "env": "prod", "fqdn": "müller.example.com"},
    {"a": "first\nsecond", "b": "one;two", "env": "\n", "fqdn": "example.com\n"},
    {"a": "two", "b": "two", "env": "dev", "__meta_0": "zero", "__meta__": "underscores", "fqdn": "x--y.example.com"},
    {"a": "$1 ${1} $$", "b": "1", "env": "${env}", "fqdn": "10.0.0.1:8443", "__meta_service_port": "8443"},
    {"a": "443", "b": "0123456789", "env": "k", "fqdn": "mail.example.com;587;smtp", "x_a": "A", "y_a": "B"},
]
"""Labels of the targets that each job has; each has an address of its own."""


def replace(regex: str, replacement: str = "$1", target: str = "r", source: str = "a", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """A rule of the action replace."""
    given = {"source_labels": [source], "regex": regex, "replacement": replacement, "target_label": target}
    return given | more


HOST = {"source_labels": ["fqdn"], "target_label": "r"}

SETS: dict[str, list[dict[str, Any]]] = {
    # replace
    "copy": [{"source_labels": ["a"], "target_label": "r"}],
    "constant": [{"target_label": "r", "replacement": "x"}],
    "constant of a missing label": [{"source_labels": ["none"], "target_label": "r", "replacement": "x"}],
    "empty deletes": [{"target_label": "b", "replacement": ""}],
    "copy of a missing label deletes": [{"source_labels": ["none"], "target_label": "b"}],
    "no match leaves the label": [replace("nothing", "x", "b")],
    "empty regex": [replace("", "was empty", "r", "env")],
    "two labels": [{"source_labels": ["a", "b"], "target_label": "r"}],
    "own separator": [{"source_labels": ["a", "none", "b"], "separator": "--", "target_label": "r"}],
    "no separator": [{"source_labels": ["a", "b"], "separator": "", "target_label": "r"}],
    "separator in the value": [{"source_labels": ["b", "a"], "regex": "([^;]*);(.*)", "target_label": "r"}],
    "the same label twice": [{"source_labels": ["b", "b"], "target_label": "b"}],
    "group 0": [replace("(.)(.*)", "[$0]")],
    "groups in another order": [replace("(.)(.*)", "$2$1")],
    "braces": [replace("(.)(.*)", "${1}x${2}")],
    "longest name": [replace("(.)(.*)", "$1x-$2")],
    "a group that is missing": [replace("(.*)", "<$7>")],
    "a group that took no part": [replace("(one)?(.*)", "<$1><$2>")],
    "leading zero": [replace("(.*)", "<$01>")],
    "names": [replace("(?P<first>.)(?P<rest>.*)", "$rest-${first}")],
    "names that are longer": [replace("(?P<first>.)(?P<rest>.*)", "$first_-$rest")],
    "unknown name": [replace("(.*)", "<$name>")],
    "dollars": [replace("(.*)", "$$1 $$$1 $")],
    "broken variables": [replace("(.*)", "${1 $- ${} ${a-b} $")],
    "letters of other scripts": [replace("(.*)", "$1é ${1}é")],
    "dollars in the value": [replace("(.*)", "$1$1")],
    "target from a group": [replace("([a-z]+).*", "x", "${1}_made")],
    "target that is no name": [replace("(.*)", "x", "${1}")],
    "target that is empty": [replace("(.*)", "x", "${2}")],
    "target of two groups": [replace("(.*);(.*)", "x", "r_${1}_$2", "a", source_labels=["a", "b"])],
    "several rules": [replace("(.*)", "<$1>"), replace("<(.*)>", "[$1]", "s", "r")],
    "the address": [replace(r"([^:]+)(?::\d+)?", "$1:9115", "r", "__address__")],
    "the usual host and port": [
        {"source_labels": ["fqdn", "__meta_service_port"], "regex": r"([^:]+)(?::\d+)?;(\d+)", "target_label": "r"}
        | {"replacement": "$1:$2"}
    ],
    "hidden labels": [replace("(.*)", "$1", "__tmp"), replace("(.*)", "$1", "r", "__tmp")],
    # patterns
    "anchored": [replace("n", "x")],
    "anchored with branches": [replace("on|one|t", "x")],
    "first branch": [replace("(o|on|one)(.*)", "$1-$2")],
    "lazy": [replace("(.*?)(e*)", "$1|$2")],
    "greedy": [replace("(.*)(e*)", "$1|$2")],
    "swapped greediness": [replace("(?U)(.*)(e*)", "$1|$2")],
    "empty loops": [replace("(|o)*(.*)", "<$1>$2")],
    "loop of a loop": [replace("(o*)*(.*)", "<$1>$2")],
    "loop that can be empty": [replace("(?:(o)|(n)|)+(.*)", "<$1><$2>$3")],
    "last round of a loop": [replace("(?:(o)|(n)|(e))*", "$1$2$3")],
    "counts": [replace("([a-z]{1,2})([a-z]{0})([a-z]+)", "<$1><$2><$3>")],
    "count of groups": [replace("(?:(.)(.)){2,}.*", "<$1><$2>", "r", "b")],
    "dots of names": [{**HOST, "regex": r"(?:[a-z0-9-]+\.)+([a-z]+)"}],
    "ignoring case": [replace("(?i)PROD|K", "x", "r", "env")],
    "ignoring case of all": [replace("(?i)strasse .*|STRAßE ασς i.*", "x")],
    "ignoring case of a group": [replace("(?i:P)rod", "x", "r", "env")],
    "flags in the middle": [replace("p(?i)ROD|D(?-i)ev", "x", "r", "env")],
    "flags of a class": [replace("(?i)[^P]rod|[j-l]", "x", "r", "env")],
    "dot without newline": [replace("(?-s)(.*)", "x")],
    "dot with newline": [replace("(?s)(.*)", "<$1>")],
    "lines": [replace("(?sm)(.*)$.^(.*)", "$1|$2")],
    "end of text": [replace(r"(?s)([^\n]*)$.*", "<$1>", "r", "fqdn"), replace(r"[a-z.]+\n\z", "x", "s", "fqdn")],
    "word boundaries": [replace(r".*\b(two|É).*", "<$1>", "r", "b")],
    "no word boundary": [replace(r"\B.\B(.*)", "<$1>")],
    "empty text without boundary": [replace(r"\B", "x", "r", "none")],
    "classes are ASCII": [replace(r"(\w+)(.*)", "$1|$2"), replace(r"(\w+)\W(.*)", "$1|$2", "s")],
    "digits and blanks": [replace(r"(\d+)(\D*)", "$1", "r", "b"), replace(r"(?s)(\S+)(\s)(.*)", "<$2>", "s")],
    "POSIX classes": [replace("([[:alpha:]]+)([[:^alpha:]]*)(.*)", "$1|$2|$3")],
    "classes with brackets": [replace("([]a-z[]+)[^]a]*", "$1")],
    "class with hyphens": [{**HOST, "regex": "([a-z-]+)[.].*"}],
    "class with escapes": [replace(r"[\x61-\x{7a}\141\n]+", "x")],
    "Unicode categories": [replace(r"(\pL+)(\PL+)(.*)", "$1|$2|$3"), replace(r"(\p{Lu}).*", "$1", "s", "b")],
    "negated categories": [replace(r"([^\p{L}]+)|(\p{^L}*).*", "<$1><$2>")],
    "literal text": [replace(r"\Q$1 ${1} $$\E", "x"), replace(r"\Q443\E|\Qon\Ee", "y")],
    "literal brace": [replace(r"(\$)\{env}|{", "x", "r", "env")],
    "escapes of punctuation": [replace(r"www\.example\.com|10\.0\.0\.1\:8443", "x", "r", "fqdn")],
    "characters outside the BMP": [replace(r"(.*) (.)", "$2", "r", "b"), replace(r".*\x{1F600}", "x", "s", "b")],
    # the other actions
    "keep": [{"action": "keep", "source_labels": ["env"], "regex": "prod|dev"}],
    "keep with everything": [{"action": "keep", "source_labels": ["env"]}],
    "keep of missing labels": [{"action": "keep", "source_labels": ["a"], "regex": ".+"}],
    "keep of a number": [{"action": "keep", "source_labels": ["a"], "regex": 443}],
    "keep of two": [{"action": "Keep", "source_labels": ["a", "b"], "regex": "(one|two);two"}],
    "drop": [{"action": "drop", "source_labels": ["b"], "regex": "two"}],
    "drop of missing labels": [{"action": "DROP", "source_labels": ["none", "none"], "regex": ";"}],
    "drop after a change": [replace("one", "x"), {"action": "drop", "source_labels": ["r"], "regex": "x"}],
    "keepequal": [{"action": "keepequal", "source_labels": ["a"], "target_label": "b"}],
    "keepequal of missing labels": [{"action": "keepequal", "source_labels": ["none"], "target_label": "missing"}],
    "dropequal": [{"action": "dropequal", "source_labels": ["a"], "target_label": "b"}],
    "hashmod": [{"action": "hashmod", "source_labels": ["a"], "modulus": 1000, "target_label": "r"}],
    "hashmod of two": [{"action": "hashmod", "source_labels": ["a", "b"], "modulus": 7, "target_label": "r"}],
    "hashmod of all bits": [{"action": "hashmod", "source_labels": ["b"], "modulus": 10**17, "target_label": "r"}],
    "hashmod of the address": [
        {"action": "hashmod", "source_labels": ["__address__"], "modulus": 2**32} | {"target_label": "r"}
    ],
    "shard": [
        {"action": "hashmod", "source_labels": ["fqdn"], "modulus": 3, "target_label": "__tmp_hash"},
        {"action": "keep", "source_labels": ["__tmp_hash"], "regex": "1"},
    ],
    "labelmap": [{"action": "labelmap", "regex": "__meta_([a-z].*)"}],
    "labelmap of Kubernetes": [{"action": "labelmap", "regex": "__meta_kubernetes_service_label_(.+)"}],
    "labelmap with a prefix": [{"action": "labelmap", "regex": "(a|b)", "replacement": "copy_of_$1"}],
    "labelmap onto one": [{"action": "labelmap", "regex": "(a|b|env)", "replacement": "r"}],
    "labelmap by names": [{"action": "labelmap", "regex": "(?P<x>[xy])_a", "replacement": "${x}_b"}],
    "labelmap that collides": [{"action": "labelmap", "regex": "[xy]_(a)"}],
    "labelmap that collides with new ones": [
        {"target_label": "w_b", "replacement": "new"},
        {"action": "labelmap", "regex": "[wxy]_(a|b)", "replacement": "r"},
    ],
    "labeldrop": [{"action": "labeldrop", "regex": "a|env|x_.*"}],
    "labeldrop of nothing": [{"action": "labeldrop", "regex": "A"}],
    "labelkeep": [{"action": "labelkeep", "regex": "__.*|job|a"}],
    "lowercase": [{"action": "lowercase", "source_labels": ["a"], "target_label": "r"}],
    "lowercase of two": [{"action": "lowercase", "source_labels": ["env", "b"], "target_label": "r"}],
    "uppercase": [{"action": "uppercase", "source_labels": ["a"], "target_label": "r"}],
    "uppercase of a missing label": [{"action": "uppercase", "source_labels": ["none"], "target_label": "b"}],
    "no rules": [],
}


def written(data: object) -> str:
    """The data as JSON that is YAML: without pairs of surrogates."""
    return json.dumps(data, ensure_ascii=False)


def scrape_config(name: str, those: list[dict[str, Any]], file: Path) -> dict[str, Any]:
    """A job with these rules for the targets of the file."""
    return {"job_name": name, "file_sd_configs": [{"files": [str(file)]}], "relabel_configs": those}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Any]]:
    """Prometheus' major version, and its targets when it has read all."""
    folder = tmp_path_factory.mktemp("relabel")
    groups = [{"targets": [f"127.0.0.1:{at + 1}"], "labels": labels} for at, labels in enumerate(TARGETS)]
    targets, config, port = folder / "targets.json", folder / "prometheus.yml", free_port()
    targets.write_text(written(groups))
    jobs = [scrape_config(name, those, targets) for name, those in SETS.items()]
    config.write_text(written({"global": {"scrape_interval": "10d"}, "scrape_configs": jobs}))
    command = [find_program("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder}/data"]
    command.append(f"--web.listen-address=127.0.0.1:{port}")
    with running(command, folder / "prometheus.log", port=port):
        server = Prometheus(f"127.0.0.1:{port}")
        yield int(wait_for(server, "status/buildinfo")["version"].split(".")[0]), every_target(server)


def wait_for(server: Prometheus, path: str) -> Any:  # noqa: ANN401 - the `data` of any answer
    """What the API has there, when the server answers."""
    for _ in range(600):
        try:
            return server.get(path)
        except urllib.error.URLError:
            time.sleep(0.1)
    pytest.fail("Prometheus does not answer")


def every_target(server: Prometheus) -> Any:  # noqa: ANN401 - the `data` of an answer
    """All targets. Prometheus reads files of targets some seconds after its start."""
    found: Any = None
    for _ in range(600):
        found = wait_for(server, "targets")
        if sum(map(len, (found["activeTargets"], found["droppedTargets"]))) >= len(SETS) * len(TARGETS):
            return found
        time.sleep(0.1)
    pytest.fail(f"{len(found['activeTargets'])} and {len(found['droppedTargets'])} targets are not all")


def of_version(rule: Mapping[str, Any], major: int) -> Mapping[str, Any]:
    """The rule as this version reads it: up to version 2, `.` does not match a newline."""
    if major > 2 or rule.get("action", "").endswith("equal"):
        return rule
    return {**rule, "regex": f"(?-s:{rule.get('regex', '(.*)')})"}


def shown(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels of a target as Prometheus shows them."""
    with_instance = {"instance": labels["__address__"], **labels}
    return {name: value for name, value in with_instance.items() if not name.startswith("__")}


def test_there_are_many_sets_of_rules() -> None:
    assert len(SETS) >= 60


@pytest.mark.parametrize("name", SETS)
def test_prometheus_makes_the_same_labels(answers: tuple[int, Any], name: str) -> None:
    """Labels before relabelling are those of the job without rules: for other jobs version 2.42 shows changed ones."""
    major, found = answers
    active = [one for one in found["activeTargets"] if one["scrapePool"] == name]
    theirs = {one["discoveredLabels"]["__address__"]: one["labels"] for one in active}
    before = [one["discoveredLabels"] for one in found["activeTargets"] if one["scrapePool"] == "no rules"]
    assert len(before) == len(TARGETS)
    compiled = rules(*(of_version(rule, major) for rule in SETS[name]))
    ours = {labels["__address__"]: relabel(labels | {"job": name}, compiled) for labels in before}
    assert {address: shown(labels) for address, labels in ours.items() if labels is not None} == theirs


def regex(pattern: object) -> dict[str, Any]:
    """A rule that is correct if the pattern is."""
    return {"regex": pattern, "target_label": "r"}


PATTERNS = [
    *("", "a", "(.*)", "a|b", "|", "(|a)", "()", "(?:)", "(?i)", "(?)", "(?i:a)", "(?i-s:a)", "(?-s)a", "(?sU-im)a"),
    *("(?-)", "(?i-)a", "(?--i)", "(?x)a", "(?i", "(?", "(?:", "(", ")", "(a", "a)", "(?P<n>a)", "(?P<1>a)", "(?P<>a)"),
    *("(?P<n-m>a)", "(?P<n", "(?P<n>a)(?P<n>b)", "(?P=n)", "(?P>n)", "(?'n'a)", "(?=a)", "(?!a)", "(?<=a)"),
    *(
        "(?<!a)",
        "(?>a)",
        "(?#a)",
        "(?(1)a|b)",
        "(a)(?1)",
        "(?R)",
        "a*",
        "a+?",
        "a??",
        "a**",
        "a*+",
        "a++",
        "a?*",
        "a{2}{3}",
    ),
    *("*", "+a", "?", "|*", "(*)", "(?i)*", "a(?i)*", "^*", "$+", r"\b*", r"\b+?", "a{2}", "a{,2}", "a{2,}", "a{2,1}"),
    *(
        "a{0}",
        "a{1000}",
        "a{1001}",
        "a{0,1001}",
        "(a{100}){10}",
        "(a{100}){11}",
        "((a{10}){10}){11}",
        "a{01}",
        "a{",
        "a{1",
    ),
    *("{", "{2}", "}", "a{-1}", "a{1,2", "[a]", "[]a]", "[^]a]", "[a", "[]", "[^]", "[a-]"),
    *(
        "[-a]",
        "[a-z-9]",
        "[z-a]",
        r"[a-\d]",
        r"[\d-z]",
        r"[\b]",
        "[[:alpha:]]",
        "[[:^alpha:]]",
        "[[:foo:]]",
        "[[:alpha]",
    ),
    *(
        "[:alpha:]",
        "[[=a=]]",
        "[[.a.]]",
        "[a&&b]",
        r"\d\D\s\S\w\W",
        r"\b\B\A\z",
        r"\Z",
        r"\G",
        r"\C",
        r"\R",
        r"\X",
        r"\h",
    ),
    *(
        r"\1",
        r"(a)\1",
        r"\10",
        r"\01",
        r"\0",
        r"\8",
        r"\18",
        r"\x41",
        r"\x4",
        r"\xg0",
        r"\x{41}",
        r"\x{}",
        r"\x{110000}",
    ),
    *(r"\x{10FFFF}", r"\x{zz}", r"\x{41", r"\u0041", r"\cA", r"\e", r"\a\f\n\r\t\v", r"\_", r"\-", r"\é", r"\y", "\\"),
    *(r"a\\", r"\Qa\E", r"\Q(\E", r"\Qab\E*", r"\E", r"\Q\E*", r"\pL", r"\p{L}", r"\p{^L}", r"\PL", r"\p{Lu}"),
    *(
        r"\p{Lx}",
        r"\p",
        r"\p{",
        r"\p{}",
        r"\p{Any}",
        r"\p{Foo}",
        r"[\pL\d]",
        r"[^\PL]",
        r"\pX",
        r"\N{SPACE}",
        "(?i)é",
        "😀+",
    ),
    *(r"\.", "^a$", "^^$$", "a^b", "(?m)^a$", "(?:a|b)??", "((((a))))", "a" * 500, "x\ny", "(?i)(?-i)(?s)(?-s)a"),
]
OTHER_KEYS: list[dict[str, Any]] = [
    *({}, {"regex": "a"}, {"source_labels": ["a"]}, {"source_labels": []}, {"target_label": "r"}, {"modulus": 3}),
    *({"separator": "-"}, {"separator": ";"}, {"replacement": "x"}, {"replacement": "$1"}),
]
RULES: list[dict[str, Any]] = [
    *({}, {"target_label": ""}, {"target_label": "r"}, {"target_label": "1"}, {"target_label": "a-b"}),
    *({"target_label": "é"}, {"target_label": "${1}"}, {"target_label": "$1_x"}, {"target_label": "x$"}),
    *({"target_label": "$1-x"}, {"target_label": "${1"}, {"target_label": "1$1"}, {"target_label": "$$"}),
    *({"target_label": "r", "foo": "x"}, {"target_label": "r", "modulus": 5}, {"target_label": "r", "modulus": -1}),
    *({"target_label": "r", "source_labels": []}, {"target_label": "r", "source_labels": ["a-b"]}),
    *({"target_label": "r", "source_labels": [""]}, {"target_label": "r", "source_labels": "a"}),
    *({"target_label": "r", "source_labels": ["__x", "y"]}, {"target_label": "r", "source_labels": ["é"]}),
    *({"target_label": "r", "regex": True}, {"target_label": "r", "regex": 443}, {"target_label": "r", "regex": ["a"]}),
    *({"target_label": "r", "replacement": 443}, {"target_label": "r", "replacement": False}),
    *({"target_label": 1}, {"target_label": True}, {"target_label": "r", "separator": 0}),
    *({"action": "replace"}, {"action": "REPLACE", "target_label": "r"}, {"action": ""}, {"action": "remove"}),
    *({"action": "keep"}, {"action": "Keep", "target_label": "a-b"}, {"action": "drop", "replacement": "x"}),
    *({"action": action, "source_labels": ["a"]} for action in ("keepequal", "dropequal", "lowercase", "uppercase")),
    *(
        {"action": action, "source_labels": ["a"], "target_label": "r"} | more
        for action in ("keepequal", "DropEqual", "lowercase", "UpperCase")
        for more in (
            *({}, {"regex": "a"}, {"regex": "(.*)"}, {"separator": "-"}, {"separator": ";"}, {"modulus": 3}),
            *({"modulus": 0}, {"replacement": "x"}, {"replacement": "$1"}),
        )
    ),
    *({"action": "hashmod", "modulus": 5}, {"action": "hashmod", "target_label": "r"}),
    *(
        {"action": "hashmod", "target_label": "r", "modulus": 0},
        {"action": "hashmod", "target_label": "r", "modulus": 1},
    ),
    *(
        {"action": "hashmod", "target_label": "$1", "modulus": 5},
        {"action": "hashmod", "target_label": "r", "modulus": "5"},
    ),
    *({"action": "labelmap"}, {"action": "labelmap", "replacement": "a-b"}, {"action": "labelmap", "replacement": ""}),
    *({"action": "labelmap", "replacement": "x_$1"}, {"action": "labelmap", "target_label": "a-b"}),
    *({"action": action} | more for action in ("labeldrop", "LabelKeep") for more in OTHER_KEYS),
]
CHECKED = [*(regex(pattern) for pattern in PATTERNS), *RULES]

ONLY_PROMETHEUS = [
    *(regex("a)|(b"),),
    *(regex(1.5), {"action": "hashmod", "target_label": "r", "modulus": 2**64 - 1}),
    *({"action": action, "target_label": "$1"} for action in ("keepequal", "dropequal", "lowercase", "uppercase")),
]
"""What we refuse and Prometheus does not; docs/relabelling.md says so."""


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> list[bool]:
    """Whether promtool refuses each of the rules of both lists."""
    folder = tmp_path_factory.mktemp("promtool")
    files = []
    for at, rule in enumerate([*CHECKED, *ONLY_PROMETHEUS]):
        files.append(folder / f"{at}.yml")
        files[-1].write_text(written({"scrape_configs": [{"job_name": "x", "relabel_configs": [rule]}]}))
    command = [find_program("promtool"), "check", "config", "--syntax-only", *map(str, files)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    failed = set(re.findall(r"parsing YAML file (\S+?):", run.stderr + run.stdout))
    return [str(file) in failed for file in files]


def test_promtool_refuses_some_and_accepts_some(refused: list[bool]) -> None:
    assert len(refused) >= 100
    assert 40 < sum(refused) < len(refused) - 40


def test_we_refuse_the_rules_that_prometheus_refuses(refused: list[bool]) -> None:
    differing = [
        (rule, "refused by Prometheus" if theirs else "accepted by Prometheus")
        for rule, theirs in zip(CHECKED, refused, strict=False)
        if is_accepted([rule]) == theirs
    ]
    assert differing == []


def test_what_only_prometheus_refuses() -> None:
    """RE2 itself reads these, and Go does not; docs/relabelling.md says so."""
    assert all(is_accepted([regex(one)]) for one in ("(?P<é>a)", "a{99999999999999999999}", r"\Qa"))


def test_what_only_we_refuse(refused: list[bool]) -> None:
    assert refused[len(CHECKED) :] == [False] * len(ONLY_PROMETHEUS)
    assert [is_accepted([rule]) for rule in ONLY_PROMETHEUS] == [False] * len(ONLY_PROMETHEUS)
