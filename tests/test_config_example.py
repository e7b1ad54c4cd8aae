"""The example shows every option, and works without changes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from exporter.config import Config
from exporter.config.sections import GlobalSettings, TargetSettings
from exporter.policies import read_config, shipped
from exporter.targets import static_targets
from tests.support.certificates import issue, pem_file

EXAMPLE = Path(__file__).parent.parent / "config.example.yaml"
SOURCE = EXAMPLE.read_text(encoding="utf-8")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - any annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _options(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Name of the model and of the option, for the model and all below it."""
    for name, field in model.model_fields.items():
        yield model.__name__, field.alias or name
        for below in _models(field.annotation):
            yield from _options(below)


def _section(start: str, end: str | None) -> str:
    return SOURCE.split(f"\n{start}:", 1)[1].split(f"\n{end}:" if end else "\0", 1)[0]


PLACES = {
    "Config": SOURCE,
    "GlobalSettings": _section("global", "# celery"),
    "ResolverSettings": _section("global", "# celery").split("resolver:", 1)[1],
    "ExceptionSettings": _section("# exceptions", "allow_empty"),
    **dict.fromkeys(("CelerySettings", "BrokerTls", "ZoneSettings"), _section("# celery", "metrics")),
    "MetricsSettings": _section("metrics", "software"),
    "SoftwareSettings": _section("software", "targets"),
    "TargetSettings": _section("targets", None),
    "HttpSettings": _section("global", "# celery").split("http:\n", 1)[1],
    "TlsSettings": SOURCE.split("tls_config:", 1)[1],
    "FileSource": _section("# file_sd_configs", "# http_sd_configs"),
    **dict.fromkeys(
        ("HttpSource", "BasicAuth", "Authorization", "HttpHeader", "HttpTlsSettings"),
        _section("# http_sd_configs", "# dns_sd_configs"),
    ),
    "DnsSource": _section("# dns_sd_configs", "# kubernetes_sd_configs"),
    "RelabelSettings": _section("# relabel_configs", "# probe"),
    "ProbeSettings": _section("# probe", None),
    "ProbeRule": _section("# probe", None),
    "KubernetesSource": _section("# kubernetes_sd_configs", "# relabel_configs"),
    "KubernetesNamespaces": _section("# kubernetes_sd_configs", "# relabel_configs").split("namespaces:", 1)[1],
    "KubernetesSelector": _section("# kubernetes_sd_configs", "# relabel_configs").split("selectors:", 1)[1],
    "BearerFile": _section("# kubernetes_sd_configs", "# relabel_configs").split("authorization:", 1)[1],
    "KubernetesTls": _section("# kubernetes_sd_configs", "# relabel_configs").split("tls_config:", 1)[1],
}


def _uncommented() -> str:
    """Every option in use; where one is shown in two ways, the commented one."""
    chosen = re.sub(r"^( *)([a-z_]+): .*\n\1# \2: ", r"\1# \2: ", SOURCE, flags=re.MULTILINE)
    return re.sub(r"^( *)# ( *(?:- )?[a-z_]+:(?: .*)?)$", r"\1\2", chosen, flags=re.MULTILINE)


@pytest.mark.parametrize(("model", "option"), sorted(set(_options(Config))))
def test_every_option_is_shown_in_its_section(model: str, option: str) -> None:
    assert re.search(rf"^[ #-]*{option}:", PLACES[model], re.MULTILINE), f"{option} of {model} is not in the example"


def test_it_loads_as_it_stands() -> None:
    config = read_config(EXAMPLE)
    assert len(static_targets(config)) == len(config.targets) > 1


def test_it_states_the_defaults_of_the_exporter() -> None:
    shown, defaults = read_config(EXAMPLE).global_, GlobalSettings()
    different = {name for name in GlobalSettings.model_fields if getattr(shown, name) != getattr(defaults, name)}
    # None there, and the same in effect: 2 minutes, 3 intervals, a day, the system's
    assert different == {"scan_timeout", "max_age", "vulnerability_interval", "trust_store"}
    bare = static_targets(Config(targets=[TargetSettings(host="www.example.com")]))[0]
    assert static_targets(read_config(EXAMPLE))[0] == bare


def test_its_commented_options_load_once_their_files_are_there(tmp_path: Path) -> None:
    (tmp_path / "certificates").mkdir()
    (tmp_path / "certificates" / "own-ca.pem").touch()
    client = issue("client")
    for name in ("scanner", "shop"):
        pem_file(tmp_path / "certificates" / f"{name}.pem", client)
        (tmp_path / "certificates" / f"{name}.key").write_bytes(client.key_pem())
    pem_file(tmp_path / "certificates" / "inventory-ca.pem", client)
    (tmp_path / "secrets").mkdir()
    for name in ("user", "password", "key", "token"):
        (tmp_path / "secrets" / f"inventory-{name}").touch()
    for name in ("broker-password", "zone-office.key", "zone-dmz.key"):
        (tmp_path / "secrets" / name).write_text("k" * 32)
    (tmp_path / "policies").mkdir()
    own_policy = tmp_path / "policies" / "own.yaml"
    checklist = shipped()["kopano-checklist"].read_text(encoding="utf-8")
    own_policy.write_text(checklist.replace("name: kopano-checklist\n", "name: own\n"), encoding="utf-8")
    (tmp_path / "kubernetes").mkdir()
    for name in ("kubeconfig", "token", "ca.pem", "client.pem", "client.key"):
        (tmp_path / "kubernetes" / name).write_text("")
    (tmp_path / "endoflife").mkdir()
    releases = [{"cycle": "1.30", "eol": False}]
    (tmp_path / "endoflife" / "nginx.json").write_text(json.dumps(releases))
    everything = {"result": [{"name": "php", "releases": []}]}
    (tmp_path / "endoflife" / "products.json").write_text(json.dumps(everything))
    file = tmp_path / "config.yaml"
    file.write_text(re.sub(r"^ *(trust_store|policy): .*\n", "", _uncommented(), flags=re.MULTILINE), encoding="utf-8")

    config = read_config(file)

    assert config.global_.policies == ["kopano-checklist", str(own_policy)]
    assert config.global_.ca_file == str(tmp_path / "certificates" / "own-ca.pem")
    assert config.global_.resolver is not None
    assert config.software.eol_files == [str(tmp_path / "endoflife" / name) for name in ("products.json", "nginx.json")]
    set_somewhere = {name for target in config.targets for name in target.model_fields_set}
    in_use = {"trust_store", "policy"}  # exclude ca_file and policies
    assert set_somewhere == set(TargetSettings.model_fields) - in_use
    assert config.global_.model_fields_set == set(GlobalSettings.model_fields) - in_use

    file.write_text(
        re.sub(r"^ *(trust_store|policies): .*\n", "", _uncommented(), flags=re.MULTILINE), encoding="utf-8"
    )
    assert read_config(file).global_.policy == str(own_policy)


def test_no_comment_is_left_that_looks_like_an_option() -> None:
    assert not re.findall(r"^ *# *[a-z_]+:(?: .*)?$", _uncommented(), re.MULTILINE)
