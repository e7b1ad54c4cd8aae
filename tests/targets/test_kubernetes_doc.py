"""The examples of docs/discovery-kubernetes.md, with the answers of a real API server."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.config.relabelling import RelabelSettings
from exporter.policies import read_config
from exporter.targets.discovery import KINDS
from exporter.targets.groups import ADDRESS
from exporter.targets.relabel import compile_rules, relabel
from tests.support.kubernetes import RECORDED, recorded, running_source, scripted

TEXT = (Path(__file__).parent.parent.parent / "docs" / "discovery-kubernetes.md").read_text(encoding="utf-8")
EXAMPLES = [list(yaml.safe_load_all(block)) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
RULES = [example[0]["relabel_configs"] for example in EXAMPLES if "relabel_configs" in example[0]]
SOURCES = [example[0] for example in EXAMPLES if "kubernetes_sd_configs" in example[0]]


def _found(role: str, plural: str, rules: list[dict[str, Any]], folder: Path) -> list[dict[str, str]]:
    """The labels of targets after relabelling, from the configuration to the answer of the server."""

    async def main() -> list[dict[str, str]]:
        async with scripted() as api:
            entry = {"role": role, "api_server": api.url, "relabel_configs": rules}
            file = folder / "config.yaml"
            file.write_text(yaml.safe_dump({"kubernetes_sd_configs": [entry]}))
            config = read_config(file)
            source = dict(KINDS)["kubernetes_sd_configs"](config.kubernetes_sd_configs[0], config)
            async with running_source(source) as sink:
                name = plural if (RECORDED / f"{plural}.json").exists() else "ingresses_page_2"
                await (await api.next(plural=plural)).reply(recorded(name))
                await sink.until(lambda sink: sink.lists)
                compiled = compile_rules(RelabelSettings.model_validate(rule) for rule in rules)
                return [kept for labels in sink.targets if (kept := relabel(labels, compiled)) is not None]

    return asyncio.run(main())


def test_the_rule_for_services_keeps_those_with_tls(tmp_path: Path) -> None:
    addresses = {labels[ADDRESS] for labels in _found("service", "services", RULES[1], tmp_path)}
    assert addresses == {"kubernetes.default.svc:443", "shop.shop.svc:443"}


def test_the_rule_for_the_load_balancer_takes_its_first_address(tmp_path: Path) -> None:
    found = _found("ingress", "ingresses", RULES[0], tmp_path)
    assert {labels["__connect_address__"] for labels in found} == {"192.0.2.10"}


@pytest.mark.parametrize("number", range(len(SOURCES)))
def test_each_example_of_a_source_loads(number: int, tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text("")
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(SOURCES[number]).replace("/etc/tls-posture-exporter/", ""))
    assert read_config(file).kubernetes_sd_configs
