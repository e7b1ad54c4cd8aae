"""Keys that begin with `x-` at the top of the file are for anchors, as in Compose files."""

from pathlib import Path

import pytest

from exporter.config import Config
from exporter.errors import ConfigError
from exporter.policies import read_config
from exporter.web.access.file import read_web_config

ANCHORS = """\
x-mail: &mail
  starttls: smtp
  labels: &labels {team: mail}
x-hosts:
  - &first {host: a.example, port: 25}
targets:
  - {<<: [*mail, *first]}
  - {<<: *mail, host: b.example, port: 587, labels: {<<: *labels, room: dmz}}
"""


def read(folder: Path, text: str) -> Config:
    file = folder / "config.yaml"
    file.write_text(text)
    return read_config(file)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    return [str(problem).removeprefix(f"{folder}/config.yaml:") for problem in caught.value.problems]


def test_targets_are_made_from_anchors(tmp_path: Path) -> None:
    first, second = read(tmp_path, ANCHORS).targets
    assert (first.host, first.port, first.starttls, first.labels) == ("a.example", 25, "smtp", {"team": "mail"})
    assert (second.host, second.port, second.labels) == ("b.example", 587, {"team": "mail", "room": "dmz"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            ANCHORS.replace("starttls: smtp", "startls: smtp"),
            [f"2:3: targets.{at}.startls: unknown key; did you mean starttls?" for at in (0, 1)],
        ),
        (ANCHORS.replace("port: 25", "port: 0"), ["5:36: targets.0.port: 0 is not a port (1 to 65535)"]),
        (ANCHORS.replace("port: 587", "port: x"), ["8:40: targets.1.port: 'x' is not a port (1 to 65535)"]),
        ("x-a: {b: 1, b: 2}\ntargets: []", ["1:13: x-a.b: duplicate key, first on line 1"]),
        ("global: {x-a: 1}", ["1:10: global.x-a: unknown key"]),
        ("targets: [{host: a.example, x-a: 1}]", ["1:29: targets.0.x-a: unknown key"]),
        ("X-a: 1", ["1:1: X-a: unknown key"]),
        ("x: 1", ["1:1: x: unknown key"]),
    ],
)
def test_mistakes_have_their_places_and_only_the_top_has_such_keys(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    assert problems(tmp_path, text) == expected


def test_what_no_alias_repeats_does_not_matter(tmp_path: Path) -> None:
    assert read(tmp_path, "x-a: {host: 'a b', a: '${B}'}\nx-b:\nx-: [1]\ntargets: [a.example]").targets


def test_anchors_that_multiply_are_refused(tmp_path: Path) -> None:
    lines = ["x-0: &a0 [a, a, a, a, a, a, a, a, a, a]"]
    lines += [f"x-{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]" for at in range(1, 9)]
    (problem,) = problems(tmp_path, "\n".join([*lines, "targets: []"]))
    assert "aliases make the file too large" in problem

    (problem,) = problems(tmp_path, "x-a: &a {<<: *a}\ntargets: [*a]")
    assert "nested deeper than" in problem


def test_a_web_configuration_has_no_such_keys(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    file.write_text("x-a: 1\n")
    with pytest.raises(ConfigError, match="x-a: unknown key"):
        read_web_config(file)
