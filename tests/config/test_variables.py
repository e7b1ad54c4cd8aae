"""`${NAME}` is replaced in few places, and is a mistake in others."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from exporter.config import Config, KnownNames, load_config
from exporter.errors import ConfigError
from exporter.policies import read_config

ENVIRONMENT = {"TEAM": "web", "USER": "scanner", "PASSWORD": "s%20cret", "EMPTY": "", "LOOP": "${LOOP}${LOOP}"}


def read(folder: Path, text: str, environment: Mapping[str, str] = ENVIRONMENT) -> Config:
    file = folder / "config.yaml"
    file.write_text(text)
    return load_config(file, KnownNames(lambda _policy: None, lambda policy: policy), environment)


def test_proxies_and_labels_have_variables_of_the_environment(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        "global: {proxy_url: 'http://${USER}:${PASSWORD}@proxy.example.com:3128'}\n"
        "targets:\n"
        "- {host: a.example, proxy_url: 'socks5://${USER}:x@p.example:1080',\n"
        "   labels: {team: '${TEAM}-${TEAM}', none: '${EMPTY}'}}\n"
        "http_sd_configs: [{url: 'http://lists.example/', proxy_url: 'http://${USER}@p.example:80'}]\n",
    )
    assert config.global_.proxy_url == "http://scanner:s%20cret@proxy.example.com:3128"
    assert config.targets[0].proxy_url == "socks5://scanner:x@p.example:1080"
    assert config.targets[0].labels == {"team": "web-web", "none": ""}
    assert config.http_sd_configs[0].proxy_url == "http://scanner@p.example:80"


def test_what_a_variable_has_is_not_replaced_again(tmp_path: Path) -> None:
    config = read(tmp_path, "targets: [{host: a.example, labels: {a: '${LOOP}', b: '$TEAM', c: '$', d: '${'}}]")
    assert config.targets[0].labels == {"a": "${LOOP}${LOOP}", "b": "$TEAM", "c": "$", "d": "${"}


def test_groups_of_regular_expressions_stay(tmp_path: Path) -> None:
    rule = "{source_labels: [a], target_label: '${1}_b', replacement: '${1}-${name}'}"
    config = read(
        tmp_path,
        f"relabel_configs: [{rule}]\nfile_sd_configs: [{{files: [a.yaml], relabel_configs: [{rule}]}}]\n",
    )
    for rules in (config.relabel_configs, config.file_sd_configs[0].relabel_configs):
        assert (rules[0].target_label, rules[0].replacement) == ("${1}_b", "${1}-${name}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${HOST}", ":1:1: ${HOST} is not replaced here"),
        ("targets: ['${HOST}']", ":1:11: targets.0: ${HOST} is not replaced here; variables of the environment"),
        ("targets: [{host: '${HOST}', port: 0}]", ":1:18: targets.0.host: ${HOST} is not replaced here"),
        ("global: {ca_file: '${DIR}/ca.pem'}", ":1:19: global.ca_file: ${DIR} is not replaced here"),
        (
            "http_sd_configs: [{url: 'http://h/', basic_auth: {username: '${USER}'}}]",
            "http_sd_configs.0.basic_auth.username: ${USER} is not replaced here",
        ),
        (
            "targets: [{host: a, labels: {a: '${NONE}'}}]",
            ":1:33: targets.0.labels.a: the environment has no variable NONE",
        ),
        ("global: {proxy_url: 'http://${NONE}'}", ":1:21: global.proxy_url: the environment has no variable NONE"),
        ("targets: [{host: a, labels: {a: '${}'}}]", "has ${...} with something else than the name of a variable"),
    ],
)
def test_elsewhere_it_is_a_mistake_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    (path,) = {
        problem.path for problem in caught.value.problems if "${" in problem.message or "NONE" in problem.message
    }
    assert sum(problem.path == path for problem in caught.value.problems) == 1, "nothing else about this value"


def test_no_message_has_the_value_of_a_variable_or_a_default(tmp_path: Path) -> None:
    text = "global: {proxy_url: '${PASSWORD:-hunter2}'}\ntargets: [{host: a, proxy_url: 'gopher://u:${PASSWORD}@p'}]"
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert len(caught.value.problems) == 2
    assert "hunter2" not in str(caught.value)
    assert "s%20cret" not in str(caught.value)


def test_the_program_reads_its_own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TLS_TEST_TEAM", "mail")
    file = tmp_path / "config.yaml"
    file.write_text("targets: [{host: a.example, labels: {team: '${TLS_TEST_TEAM}'}}]")
    assert read_config(file).targets[0].labels == {"team": "mail"}
