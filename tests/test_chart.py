"""The chart and the plain manifests, without Helm. `make chart` renders the chart and tries all sets of values."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from lightkube import codecs
from lightkube.core.exceptions import LoadResourceError
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.cli.parser import make_parser
from tests.kubernetes.chart import CHART, DOCUMENTED, PLAIN, RENDERED, SCRAPES, SETS, digest, values
from tests.support.pods import Document, Machine, container, documents, edited, only, workload, write_volume
from tests.support.processes import find_program, wait_for
from tests.support.servers import HOST, SEED_NGINX, make_pki, nginx
from tools.write_chart import ROOT, written

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
MANIFEST = documents((PLAIN / "exporter.yaml").read_text(encoding="utf-8"))
OPERATOR = "monitoring.coreos.com/v1"


def accepted(given: Mapping[str, Any]) -> bool:
    return jsonschema_rs.Draft7Validator(SCHEMA).is_valid(given)


@pytest.mark.parametrize("file", sorted(written()), ids=str)
def test_copies_of_rules_and_dashboards_and_versions_are_current(file: Path) -> None:
    assert (ROOT / file).read_text(encoding="utf-8") == written()[file], "run make generate"


def test_the_chart_has_no_other_copies() -> None:
    copies = {file.relative_to(ROOT) for file in (CHART / "files").rglob("*") if file.is_file()}
    assert copies <= written().keys()


def test_a_dashboard_is_small_enough_for_kubectl_apply() -> None:
    """Kubectl keeps the object in an annotation, which has at most 256 KiB."""
    for file, text in written().items():
        if file.suffix == ".json":
            assert len(json.dumps(text).encode()) < 256 * 1024 - 2048


@pytest.mark.parametrize("name", RENDERED)
def test_plain_manifests_were_rendered_from_this_chart(name: str) -> None:
    head = f"# SHA-256 of templates and values: {digest()}\n"
    assert head in (PLAIN / name).read_text(encoding="utf-8"), "run make chart"


@pytest.mark.parametrize("file", [CHART / "values.yaml", *(values(name) for name in SETS)], ids=lambda file: file.name)
def test_values_are_those_of_the_schema(file: Path) -> None:
    jsonschema_rs.Draft7Validator(SCHEMA).validate(yaml.safe_load(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize("block", DOCUMENTED, ids=lambda block: block.splitlines()[0])
def test_values_of_the_documentation_are_those_of_the_schema(block: str) -> None:
    jsonschema_rs.Draft7Validator(SCHEMA).validate(yaml.safe_load(block))


def paths(schema: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """Each name that the schema has, with those around it."""
    for name, inner in schema.get("properties", {}).items():
        yield f"{at}{name}"
        yield from paths(inner, f"{at}{name}.")


def at(tree: Mapping[str, Any], path: str) -> object:
    found: Any = tree
    for name in path.split("."):
        found = found[name]
    return found


def test_each_value_of_the_schema_has_a_default() -> None:
    for path in paths(SCHEMA):
        if path not in {"global", "resources.claims"}:
            at(DEFAULTS, path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"shard": 3},
        {"shards": 0},
        {"shards": "3"},
        {"image": {"repo": "example.com/exporter"}},
        {"image": {"digest": "sha256:short"}},
        {"reloadInterval": 30},
        {"files": {"policies/own.yaml": ""}},
        {"files": {"config.yaml": ""}},
        {"config": []},
        {"web": {"scheme": "https"}},
        {"prometheusRule": {"alerts": {"TLSPostureCAAMissing": {"severity": "page"}}}},
        {"prometheusRule": {"alerts": {"TLSPostureCAAMissing": {"disabled": True}}}},
        {"prometheusRule": {"alerts": {"CAAMissing": {"enabled": False}}}},
        {"probes": {"httpHeaders": [{"name": "Authorization"}]}},
    ],
    ids=str,
)
def test_wrong_values_are_refused(wrong: dict[str, Any]) -> None:
    assert accepted({})
    assert not accepted(wrong)


@pytest.mark.parametrize("document", MANIFEST, ids=lambda document: str(document["kind"]))
def test_objects_have_fields_that_kubernetes_has(document: Document) -> None:
    """Fields that the models of Kubernetes do not have are lost in them."""
    assert _loaded(document) == document


def test_a_field_that_kubernetes_does_not_have_is_found() -> None:
    (changed,) = documents(yaml.safe_dump(only(MANIFEST, "StatefulSet")))
    changed["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["path"] = "/"
    assert _loaded(changed) != changed


def _loaded(document: Document) -> Document:
    (loaded,) = codecs.load_all_yaml(yaml.safe_dump(document))
    return dict(loaded.to_dict())  # type: ignore[no-untyped-call]


def test_kinds_of_the_operator_are_apart() -> None:
    for name in ("servicemonitor.yaml", "prometheusrule.yaml"):
        (document,) = documents((PLAIN / name).read_text(encoding="utf-8"))
        assert document["apiVersion"] == OPERATOR
        with pytest.raises(LoadResourceError):
            _loaded(document)


def test_the_service_monitor_and_the_service_select_what_is_there() -> None:
    (monitor,) = documents((PLAIN / "servicemonitor.yaml").read_text(encoding="utf-8"))
    service, pod = only(MANIFEST, "Service"), workload(MANIFEST)["spec"]["template"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    assert service["spec"]["ports"][0]["targetPort"] in {one["name"] for one in container(MANIFEST)["ports"]}


def test_an_instance_is_that_of_one_exporter_in_the_cluster() -> None:
    """The rules match by job and instance. Releases in two namespaces may have the same job, and the same pods."""
    (monitor,) = documents((PLAIN / "servicemonitor.yaml").read_text(encoding="utf-8"))
    (rule,) = monitor["spec"]["endpoints"][0]["relabelings"]
    assert rule == {
        "sourceLabels": ["__meta_kubernetes_namespace", "__meta_kubernetes_pod_name"],
        "separator": "/",
        "targetLabel": "instance",
    }


@pytest.mark.real
def test_prometheus_takes_the_documented_job(tmp_path: Path) -> None:
    """Debian's Prometheus has no discovery in Kubernetes; make kubernetes compares ours with that of another."""
    (block,) = SCRAPES
    config = yaml.safe_load(block)
    discovery = config["scrape_configs"][0].pop("kubernetes_sd_configs")
    assert discovery == [{"role": "endpoints", "namespaces": {"names": ["monitoring"]}}]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [find_program("promtool"), "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_plain_rules_are_those_of_prometheus() -> None:
    (document,) = documents((PLAIN / "prometheusrule.yaml").read_text(encoding="utf-8"))
    rules = yaml.safe_load((ROOT / "prometheus" / "tls-posture.rules.yaml").read_text(encoding="utf-8"))
    assert document["spec"] == rules


def test_the_pod_meets_the_restricted_profile() -> None:
    """Pod Security Standards of Kubernetes, profile Restricted; and nothing writes to the image."""
    pod, described = workload(MANIFEST)["spec"]["template"]["spec"], container(MANIFEST)
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert described["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert {key for volume in pod["volumes"] for key in volume} <= {"name", "configMap", "emptyDir", "secret"}
    assert pod["automountServiceAccountToken"] is False


def test_the_image_is_that_of_the_docker_file() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    context = workload(MANIFEST)["spec"]["template"]["spec"]["securityContext"]
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}\n" in dockerfile
    assert f"EXPOSE {container(MANIFEST)['ports'][0]['containerPort']}\n" in dockerfile
    assert 'ENTRYPOINT ["tls-posture-exporter"]\n' in dockerfile
    make_parser().parse_args(container(MANIFEST)["args"])


@pytest.mark.real
def test_a_pod_of_the_plain_manifests_scans_and_reads_a_changed_configuration(tmp_path: Path) -> None:
    pki = make_pki(tmp_path)
    with nginx(tmp_path, SEED_NGINX, [pki.ecdsa]) as port:
        target = (
            f"{{name: shop, host: {HOST}, connect_address: 127.0.0.1, port: {port}, vulnerability_interval: never}}"
        )
        # Half a minute between two looks is long for a test. Everything else is as rendered.
        manifest = documents(
            yaml.safe_dump_all(MANIFEST).replace("auto-reload-interval=30s", "auto-reload-interval=1s")
        )
        manifest = edited(manifest, {"targets: []": f"targets: [{target}]"})
        with Machine(tmp_path).running(manifest) as pod:
            pod.probe("livenessProbe")
            wait_for("a scan", 60, lambda: _samples(pod.get("/metrics"), "tls_posture_scan_success") == {"shop": 1.0})
            assert _samples(pod.get("/metrics"), "tls_posture_protocol_accepted")["shop"] in {0.0, 1.0}

            changed = only(edited(manifest, {"name: shop": "name: renamed"}), "ConfigMap")["data"]
            write_volume(pod.volumes["/etc/tls-posture-exporter"], changed)
            wait_for("the change", 60, lambda: "renamed" in _samples(pod.get("/metrics"), "tls_posture_target_info"))
            assert pod.process.poll() is None
        assert list(pod.volumes["/var/lib/tls-posture-exporter"].iterdir())


def _samples(page: str, name: str) -> dict[str, float]:
    """The value of the metric by its target."""
    return {
        one.labels["target"]: one.value for family in parse_text(page) for one in family.samples if one.name == name
    }
