"""The chart by Helm, a real API server that accepts what it renders, and pods that scan. `make chart` runs this."""

import json
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import bcrypt
import httpx2
import jsonschema_rs
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter import __version__
from exporter.demo.certificates import Authority
from tests.kubernetes.chart import (
    CHART,
    COMMANDS,
    DOCUMENTED,
    NAMESPACE,
    PLAIN,
    RELEASE,
    RENDERED,
    ROOT,
    SETS,
    helm,
    plain,
    render,
    values,
)
from tests.kubernetes.cluster import ADMIN, Cluster, api_server, etcd, module_folder
from tests.support.pods import Document, Machine, Pod, basic, documents, edited, only, workload
from tests.support.processes import find_program, free_port, running, wait_for
from tests.support.servers import SEED_NGINX, make_pki, nginx

pytestmark = [pytest.mark.real, pytest.mark.timeout(3_600)]

RULES: dict[str, Any] = yaml.safe_load((ROOT / "prometheus" / "tls-posture.rules.yaml").read_text(encoding="utf-8"))
NAMESPACE_OF_RELEASE = "installed"
COMPOSE_GO = "github.com/compose-spec/compose-go/v2"
OPERATOR = "github.com/prometheus-operator/prometheus-operator"
COLLECTIONS = {
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Service": "/api/v1/namespaces/{}/services",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "ServiceMonitor": "/apis/monitoring.coreos.com/v1/namespaces/{}/servicemonitors",
    "PrometheusRule": "/apis/monitoring.coreos.com/v1/namespaces/{}/prometheusrules",
}


@pytest.fixture(scope="module")
def manifests() -> dict[str, list[Document]]:
    return {name: documents(render([values(name)])) for name in SETS}


# --- What Helm says ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETS)
def test_helm_finds_nothing_to_say(name: str) -> None:
    done = helm("lint", "--strict", str(CHART), f"--values={values(name)}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 chart(s) linted, 0 chart(s) failed" in done.stdout
    assert "[WARNING]" not in done.stdout


def test_a_package_has_no_values_of_tests(tmp_path: Path) -> None:
    done = helm("package", str(CHART), f"--destination={tmp_path}")
    assert done.returncode == 0, done.stderr
    package = tmp_path / f"tls-posture-exporter-{__version__}.tgz"
    names = subprocess.run(["tar", "tf", str(package)], check=True, capture_output=True, text=True).stdout.split()
    assert not [name for name in names if "/ci/" in name]
    # Helm keeps a release in a Secret, which has at most 1 MiB, with the templates and what was rendered of them.
    assert package.stat().st_size < 200 * 1024


@pytest.mark.parametrize("name", RENDERED)
def test_plain_manifests_are_what_helm_renders(name: str) -> None:
    assert (PLAIN / name).read_text(encoding="utf-8") == plain(name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set=shard=3"], "additional properties 'shard' not allowed"),
        (["--set-string=config=a: ["], "config is not YAML"),
        (
            ["--set=prometheusRule.enabled=true,prometheusRule.alerts.TLSPostureNope.enabled=false"],
            "prometheusRule.alerts: there is no alert TLSPostureNope",
        ),
        (
            ["--set=prometheusRule.enabled=true,prometheusRule.thresholds.scan_lag_second=1"],
            "prometheusRule.thresholds: there is no scan_lag_second, only scan_age_factor, ",
        ),
    ],
    ids=["name", "config", "alert", "threshold"],
)
def test_mistakes_are_named(options: list[str], message: str) -> None:
    done = helm("template", "release", str(CHART), *options)
    assert done.returncode != 0
    assert message in done.stderr


def test_the_compose_file_has_the_form_that_is_published() -> None:
    schema = json.loads((module_folder(COMPOSE_GO) / "schema" / "compose-spec.json").read_text(encoding="utf-8"))
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    validator = jsonschema_rs.Draft202012Validator(schema)
    validator.validate(compose)
    compose["services"]["exporter"]["readonly"] = True
    assert not validator.is_valid(compose)


# --- Rules and dashboards ---------------------------------------------------------------------------------------------


def test_rules_without_changes_are_those_of_prometheus() -> None:
    (rule,) = documents(render([], "--set=prometheusRule.enabled=true", "--show-only=templates/prometheusrule.yaml"))
    assert rule["spec"] == RULES


def expected_rules() -> list[dict[str, Any]]:
    """The rules with the changes of the set `operator`, made here by themselves."""
    groups = yaml.safe_load(yaml.safe_dump(RULES))["groups"]
    thresholds = {
        ("tls_posture:threshold:certificate_left_seconds", "warning"): "vector(14 * 24 * 3600)",
        ("tls_posture:threshold:scan_lag_seconds", None): "vector(1e+06)",
    }
    for rule in groups[0]["rules"]:
        rule["expr"] = thresholds.get((rule["record"], rule.get("labels", {}).get("severity")), rule["expr"])
    for group in groups:
        for rule in [rule for rule in group["rules"] if "alert" in rule]:
            name, labels = rule["alert"], rule["labels"]
            if name == "TLSPostureCAAMissing" or (name, labels["severity"]) == ("TLSPostureVulnerable", "warning"):
                group["rules"].remove(rule)
            if (name, labels["severity"]) == ("TLSPostureCertificateExpiring", "critical"):
                rule["for"] = "1h"
            labels["component"] = "certificates" if name == "TLSPostureCertificateExpiring" else "tls"
            if name == "TLSPostureHSTSShort":
                rule["for"] = "1h"
                labels |= {"severity": "info", "team": "web"}
            annotations = rule["annotations"]
            annotations["runbook_url"] = f"https://wiki.example.org/tls/{name}.md"
    return list(groups)


def test_changes_of_alerts(manifests: Mapping[str, list[Document]], tmp_path: Path) -> None:
    found = only(manifests["operator"], "PrometheusRule")["spec"]
    assert found["groups"] == expected_rules()
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(found))
    done = subprocess.run(
        [find_program("promtool"), "check", "rules", str(tmp_path / "rules.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_dashboards_are_those_of_grafana(manifests: Mapping[str, list[Document]]) -> None:
    maps = [one for one in manifests["operator"] if one["metadata"].get("namespace") == "grafana"]
    found = {name: json.loads(text) for one in maps for name, text in one["data"].items()}
    files = (ROOT / "grafana").glob("*.json")
    assert found == {f"tls-posture-{file.name}": json.loads(file.read_text(encoding="utf-8")) for file in files}
    assert {json.dumps(one["metadata"]["labels"]["grafana_dashboard"]) for one in maps} == {'"1"'}


def test_a_worker_starts_again_when_its_configuration_changes(manifests: Mapping[str, list[Document]]) -> None:
    changed = documents(render([values("worker")], "--set=config.celery.start_within=1m"))
    first, second = (workload(one)["spec"]["template"]["metadata"] for one in (manifests["worker"], changed))
    assert first["annotations"] != second["annotations"]
    # An exporter reads it without a restart.
    changed = documents(render([values("default")], "--set=config.global.scan_interval=1h"))
    assert workload(manifests["default"])["spec"] == workload(changed)["spec"]


# --- A real API server ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    with etcd(folder) as port, api_server(folder, port) as found:
        definitions = module_folder(OPERATOR) / "example" / "prometheus-operator-crd"
        for kind in ("servicemonitors", "prometheusrules"):
            definition = yaml.safe_load((definitions / f"monitoring.coreos.com_{kind}.yaml").read_text())
            found.create(definition, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
            wait_for(f"the kind {kind}", 60, partial(_serves, found, f"/apis/monitoring.coreos.com/v1/{kind}"))
        for name in ("shop", "grafana"):
            found.create({"metadata": {"name": name}}, "/api/v1/namespaces")
        yield found


def _serves(cluster: Cluster, path: str) -> bool:
    return cluster.call("GET", path).status_code == 200


def namespace(cluster: Cluster, name: str) -> None:
    """A namespace that accepts only pods of the restricted profile, and warns about others."""
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    cluster.create({"metadata": {"name": name, "labels": levels}}, "/api/v1/namespaces")


def apply(cluster: Cluster, document: Document, name: str) -> httpx2.Response:
    """The answer of the API server, which refuses fields that it does not know."""
    path = COLLECTIONS[document["kind"]].format(document["metadata"].get("namespace", name))
    return cluster.call("POST", path, document, fieldValidation="Strict")


@pytest.mark.parametrize("name", SETS)
def test_kubernetes_accepts_every_object_without_a_warning(name: str, cluster: Cluster) -> None:
    own = f"set-{name}"
    namespace(cluster, own)
    manifest = documents(render([values(name)], f"--namespace={own}"))
    for document in manifest:
        answer = apply(cluster, document, own)
        assert answer.status_code == 201, (document["kind"], answer.text)
        assert "warning" not in answer.headers, (document["kind"], answer.headers["warning"])
    pod = workload(manifest)["spec"]["template"]
    created = {"apiVersion": "v1", "kind": "Pod", **pod, "metadata": {**pod["metadata"], "name": "pod"}}
    del created["spec"]["priorityClassName" if "priorityClassName" in created["spec"] else "serviceAccountName"]
    declared = {one["metadata"]["name"] for one in workload(manifest)["spec"].get("volumeClaimTemplates", [])}
    created["spec"]["volumes"] += [{"name": one, "emptyDir": {}} for one in declared]
    answer = cluster.call("POST", f"/api/v1/namespaces/{own}/pods", created, fieldValidation="Strict")
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("number", range(len(DOCUMENTED)))
def test_kubernetes_accepts_what_the_documentation_shows(number: int, cluster: Cluster, tmp_path: Path) -> None:
    own = f"documented-{number}"
    namespace(cluster, own)
    (tmp_path / "values.yaml").write_text(DOCUMENTED[number])
    for name in ("mail", "grafana"):
        cluster.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    for document in documents(render([tmp_path / "values.yaml"], f"--namespace={own}")):
        answer = apply(cluster, document, own)
        # Dashboards are those of another set already.
        assert answer.status_code == 201 or document["metadata"].get("namespace") == "grafana", answer.text


def test_the_documented_commands_install_and_upgrade(cluster: Cluster, tmp_path: Path) -> None:
    """An upgrade that changes the configuration starts no pod again; one that changes a flag does."""
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig(cluster)))
    file = tmp_path / "values.yaml"
    # With all that makes a release large.
    operator = yaml.safe_load(values("operator").read_text(encoding="utf-8"))
    given = {**operator, **yaml.safe_load(DOCUMENTED[0]), "dashboards": {"enabled": True}}
    install, upgrade, again = (command.replace("values.yaml", str(file)).split() for command in COMMANDS)
    assert again == upgrade
    settings = {"KUBECONFIG": str(tmp_path / "kubeconfig"), "HELM_CACHE_HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"}

    def run(arguments: list[str], **more: Any) -> list[Document]:  # noqa: ANN401 - values
        given.update(more)
        file.write_text(yaml.safe_dump(given))
        done = helm(*(NAMESPACE_OF_RELEASE if word == NAMESPACE else word for word in arguments), **settings)
        assert done.returncode == 0, done.stdout + done.stderr
        return [
            cluster.call("GET", f"{COLLECTIONS[kind].format(NAMESPACE_OF_RELEASE)}/{RELEASE}").json()
            for kind in ("ConfigMap", "StatefulSet")
        ]

    config, first = run(install)
    assert "mail.example.com" in config["data"]["config.yaml"]
    config, second = run(upgrade, config={"targets": ["shop.example.com"]})
    assert "shop.example.com" in config["data"]["config.yaml"]
    assert second["spec"] == first["spec"]
    _, third = run(upgrade, scanProcesses=1)
    assert "--scan.processes=1" in third["spec"]["template"]["spec"]["containers"][0]["args"]


def kubeconfig(cluster: Cluster) -> Document:
    """How Helm reaches the API server as its administrator."""
    reached = {"server": cluster.url, "certificate-authority": str(cluster.ca_file)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": reached}],
        "users": [{"name": "admin", "user": {"token": ADMIN}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }


def test_kubernetes_would_refuse_mistakes(manifests: Mapping[str, list[Document]], cluster: Cluster) -> None:
    namespace(cluster, "mistakes")
    (broken,) = documents(yaml.safe_dump(workload(manifests["default"])))
    broken["spec"]["template"]["spec"]["containers"][0]["imagePullSecret"] = "x"
    assert "unknown field" in apply(cluster, broken, "mistakes").text
    (weak,) = documents(yaml.safe_dump(workload(manifests["default"])))
    del weak["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"]
    assert "restricted" in apply(cluster, weak, "mistakes").headers["warning"]
    (monitor,) = documents((PLAIN / "servicemonitor.yaml").read_text(encoding="utf-8"))
    monitor["spec"]["endpoints"][0]["intervall"] = "1m"
    assert "unknown field" in apply(cluster, monitor, "mistakes").text


@pytest.mark.parametrize("name", sorted(file.name for file in PLAIN.glob("*.yaml")))
def test_kubernetes_accepts_the_plain_manifests(name: str, cluster: Cluster) -> None:
    own = f"plain-{name.removesuffix('.yaml')}"
    namespace(cluster, own)
    for document in documents((PLAIN / name).read_text(encoding="utf-8")):
        answer = apply(cluster, document, own)
        assert answer.status_code == 201, answer.text


# --- Pods that scan ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("target")
    with nginx(folder, SEED_NGINX, [make_pki(folder).ecdsa]) as port:
        yield port


def scanned(pod: Pod, headers: Mapping[str, str] | None = None) -> dict[str, float]:
    """Which targets were scanned successfully, by what a scrape shows."""
    page = parse_text(pod.get("/metrics", headers))
    return {
        one.labels["target"]: one.value
        for family in page
        for one in family.samples
        if one.name == "tls_posture_scan_success"
    }


@pytest.mark.parametrize("name", ["default", "operator"])
def test_a_pod_scans(name: str, manifests: Mapping[str, list[Document]], target: int, tmp_path: Path) -> None:
    manifest = edited(manifests[name], {"port: 443": f"port: {target}"})
    with Machine(tmp_path).running(manifest) as pod:
        pod.probe("livenessProbe")
        wait_for("a scan", 60, lambda: scanned(pod) == {"shop": 1.0})


def test_shards_divide_the_targets(manifests: Mapping[str, list[Document]], target: int, tmp_path: Path) -> None:
    manifest = edited(manifests["sharded"], {"port: 443": f"port: {target}"})
    machine = Machine(tmp_path)
    with ExitStack() as stack:
        pods = [stack.enter_context(machine.running(manifest, index)) for index in range(3)]
        names = {"shop", "mail", "wiki", "chat"}
        wait_for("all scans", 120, lambda: {name for pod in pods for name in scanned(pod)} == names)
        assert sum(len(scanned(pod)) for pod in pods) == len(names)
        for index, pod in enumerate(pods):
            page = pod.get("/metrics")
            assert f'tls_posture_exporter_shard_info{{index="{index}",total="3"}} 1' in page
            assert f'external_url="https://tls-posture-exporter-{index}.tls.example.com"' in page


def test_a_pod_with_tls_and_a_password(manifests: Mapping[str, list[Document]], target: int, tmp_path: Path) -> None:
    pki = Authority(tmp_path, datetime.now(UTC))

    pem = pki.issue("localhost", ec.generate_private_key(ec.SECP256R1()), "server.pem").read_text()
    digest = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4)).decode()
    web = {
        "tls_server_config": {"cert_file": "server.pem", "key_file": "server.pem"},
        "basic_auth_users": {"prometheus": digest},
    }
    secrets = {"tls-posture-web": {"web.yml": yaml.safe_dump(web), "server.pem": pem}}
    manifest = edited(manifests["secured"], {"port: 443": f"port: {target}"})
    machine = Machine(tmp_path, secrets, ssl.create_default_context(cafile=str(pki.bundle)))
    password = {"Authorization": basic("prometheus", "correct horse")}
    with machine.running(manifest) as pod:
        wait_for("a scan", 60, lambda: scanned(pod, password) == {"shop": 1.0})
        assert 'policy="own"' in pod.get("/metrics", password)
        with pytest.raises(OSError, match="401"):
            pod.get("/metrics")


def test_exporter_and_worker_of_a_zone(manifests: Mapping[str, list[Document]], target: int, tmp_path: Path) -> None:
    port = free_port()
    broker = {"redis://127.0.0.1:6379": f"redis://127.0.0.1:{port}"}
    secrets = {"tls-posture-keys": {"dmz.key": "k" * 64}}
    redis = [
        find_program("redis-server"),
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(tmp_path),
    ]
    exporter = edited(manifests["zone"], {"port: 443": f"port: {target}", **broker})
    with ExitStack() as stack:
        stack.enter_context(running(redis, tmp_path / "redis.log", port=port))
        (tmp_path / "worker").mkdir()
        worker = stack.enter_context(Machine(tmp_path / "worker", secrets).running(edited(manifests["worker"], broker)))
        pod = stack.enter_context(Machine(tmp_path, secrets).running(exporter))
        wait_for("a scan", 120, lambda: scanned(pod) == {"shop": 1.0})
        assert 'tls_posture_worker_scans_total{outcome="success"} 1' in worker.get("/metrics")


INGRESS = {
    "metadata": {"name": "shop"},
    "spec": {
        "tls": [{"hosts": ["www.shop.example"]}],
        "rules": [{"host": "www.shop.example"}],
    },
}
SERVICE = {"metadata": {"name": "mail"}, "spec": {"ports": [{"name": "https", "port": 443}]}}
IN_A_POD = """
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/secrets/kubernetes.io
cp -r "$1" /run/secrets/kubernetes.io/serviceaccount
mount --bind "$1/hosts" /etc/hosts
mount --bind "$1/resolv.conf" /etc/resolv.conf
shift
exec "$@"
"""
"""Gives a command what Kubernetes mounts into each pod, and no name server."""


def test_the_account_of_the_pod_has_the_rights_that_discovery_needs(
    manifests: Mapping[str, list[Document]], cluster: Cluster, target: int, tmp_path: Path
) -> None:
    manifest = manifests["discovery"]
    assert workload(manifest)["spec"]["template"]["spec"]["automountServiceAccountToken"] is True
    namespace(cluster, NAMESPACE)
    for document in manifest:
        if document["kind"].endswith(("Account", "Role", "Binding")):
            assert apply(cluster, document, NAMESPACE).status_code == 201
    cluster.create(INGRESS, "/apis/networking.k8s.io/v1/namespaces/shop/ingresses")
    cluster.create(SERVICE, "/api/v1/namespaces/shop/services")
    cluster.create(SERVICE, "/api/v1/namespaces/grafana/services")
    account = tmp_path / "account"
    account.mkdir()
    token = cluster.token(NAMESPACE, workload(manifest)["spec"]["template"]["spec"]["serviceAccountName"])
    hosts = "127.0.0.1 localhost www.shop.example mail.shop.svc\n"
    given = {"token": token, "ca.crt": cluster.ca_file.read_text(), "namespace": NAMESPACE, "hosts": hosts}
    for name, text in {**given, "resolv.conf": "nameserver 127.0.0.1\n"}.items():
        (account / name).write_text(text)

    # The third source is of another cluster, which does not exist.
    manifest = edited(manifest, {"port: 443": f"port: {target}", "https://other.example.com": "https://127.0.0.1:1"})
    address = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": cluster.url.rpartition(":")[2]}
    prefix = [
        "env",
        *(f"{name}={value}" for name, value in address.items()),
        "unshare",
        "--mount",
        "sh",
        "-c",
        IN_A_POD,
    ]
    with Machine(tmp_path).running(manifest, prefix=[*prefix, "pod", str(account)]) as pod:
        expected = {"fixed", "www.shop.example:443", "mail.shop.svc:443"}
        wait_for("the targets", 60, lambda: set(scanned(pod)) == expected)
        wait_for("a scan", 60, lambda: scanned(pod)["fixed"] == 1.0)

    for path, allowed in {
        "/apis/networking.k8s.io/v1/ingresses": True,
        "/api/v1/namespaces/shop/services": True,
        f"/api/v1/namespaces/{NAMESPACE}/services": True,
        "/api/v1/namespaces/grafana/services": False,
        "/api/v1/namespaces/shop/secrets": False,
        f"/api/v1/namespaces/{NAMESPACE}/configmaps": False,
        "/apis/gateway.networking.k8s.io/v1/httproutes": False,
    }.items():
        assert cluster.call("GET", path, token=token).status_code == (200 if allowed else 403), path
