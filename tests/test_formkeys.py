"""Keys that are suggested for a wrong key come from the section that the key is in."""

from pathlib import Path

import pytest

from exporter.errors import ConfigError, Problem
from exporter.policies import load_policy, read_config
from exporter.web.access.file import read_web_config


def problems(text: str, folder: Path) -> list[Problem]:
    file = folder / "config.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_config(file)
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("target: [a.example]", "target", "; did you mean targets?"),
        ("globals: {}", "globals", "; did you mean global?"),
        ("global: {scaninterval: 6h}", "global.scaninterval", "; did you mean scan_interval?"),
        ("global: {resolver: {nameserver: [127.0.0.1]}}", "global.resolver.nameserver", "; did you mean nameservers?"),
        ("global: {http: {user-agent: x}}", "global.http.user-agent", "; did you mean user_agent?"),
        ("metrics: {detials: full}", "metrics.detials", "; did you mean detail?"),
        ("targets: [{host: a, prot: 1}]", "targets.0.prot", "; did you mean port?"),
        (
            "targets: [{host: a, tls_config: {certfile: x}}]",
            "targets.0.tls_config.certfile",
            "; did you mean cert_file?",
        ),
        (
            "targets: [{host: a, max_concurrent_scans: 2}]",
            "targets.0.max_concurrent_scans",
            " here; it is a key of global",
        ),
        ("scan_interval: 6h", "scan_interval", " here; it is a key of global"),
        ("targets: [{host: a, zzzzzzzz: 1}]", "targets.0.zzzzzzzz", ""),
        ("probe: {allow: [{cidr: [10.0.0.0/8]}]}", "probe.allow.0.cidr", "; did you mean cidrs?"),
        ("file_sd_configs: [{file: [a.yaml]}]", "file_sd_configs.0.file", "; did you mean files?"),
        ("dns_sd_configs: [{names: [a], typ: A}]", "dns_sd_configs.0.typ", "; did you mean type?"),
        (
            "kubernetes_sd_configs: [{role: ingress, namespace: {}}]",
            "kubernetes_sd_configs.0.namespace",
            "; did you mean namespaces?",
        ),
        (
            "http_sd_configs: [{url: 'http://h/', http_headers: {values: {file: [a]}}}]",
            "http_sd_configs.0.http_headers.values.file",
            "; did you mean files?",
        ),
        (
            "relabel_configs: [{source_label: [a], target_label: b}]",
            "relabel_configs.0.source_label",
            "; did you mean source_labels?",
        ),
    ],
)
def test_a_wrong_key_comes_with_the_key_that_its_section_has(tmp_path: Path, text: str, key: str, message: str) -> None:
    found = {problem.path: problem for problem in problems(text, tmp_path)}
    assert found[key].message == f"unknown key{message}"
    assert text[found[key].column - 1 :].startswith(key.rpartition(".")[2]), "its place is the key"


def test_a_wrong_key_of_a_web_configuration_and_of_a_policy_too(tmp_path: Path) -> None:
    web = tmp_path / "web.yml"
    web.write_text("tls_server_config: {certfile: a}\n")
    with pytest.raises(ConfigError, match=r"web.yml:1:21: tls_server_config.certfile: .*did you mean cert_file\?"):
        read_web_config(web)

    policy = tmp_path / "own.yaml"
    head = "{name: own, title: a, version: '1', source: a"
    policy.write_text(
        f"{head}, checks: {{hst: {{}}, protocols: {{severity: critical, source: a, alowed: [TLSv1.2]}}}}}}"
    )
    with pytest.raises(ConfigError) as caught:
        load_policy(str(policy))
    assert [problem.message for problem in caught.value.problems] == [
        "unknown key; did you mean hsts?",
        "unknown key; did you mean allowed?",
    ]


def test_many_different_wrong_keys_are_looked_up(tmp_path: Path) -> None:
    text = "targets:\n" + "".join(f"- {{host: h{at}, p{at}rot: 1}}\n" for at in range(300))
    assert len(problems(text, tmp_path)) == 300
