"""Discovery against a real API server of Kubernetes, with Prometheus' own next to it. `make kubernetes` runs this.

With `KUBERNETES_RECORD=1` it writes the answers that `tests/targets` replays.
"""

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter import threads
from exporter.config import Config
from exporter.config.kubernetes import KubernetesSource
from exporter.targets.groups import ADDRESS
from exporter.targets.kubernetes import make_source
from exporter.targets.kubernetes.access import connect, own_namespace
from exporter.targets.kubernetes.api import AnswerLimits
from exporter.targets.kubernetes.collection import Pacing
from exporter.targets.kubernetes.source import KubernetesTargets
from tests.kubernetes.cluster import ADMIN, HERE, Cluster, api_server, build, compact, etcd, gateway_definitions
from tests.support.kubernetes import RECORDED, ListSink, running_source, source_settings
from tests.support.processes import wait_for

pytestmark = [pytest.mark.real, pytest.mark.timeout(3_600)]

DOCUMENT = HERE.parent.parent / "docs" / "discovery-kubernetes.md"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ROLE = f"{RBAC}/clusterroles/tls-posture-exporter"
INGRESSES = "/apis/networking.k8s.io/v1/namespaces/shop/ingresses"
COLLECTIONS = {
    "ClusterRole": f"{RBAC}/clusterroles",
    "ClusterRoleBinding": f"{RBAC}/clusterrolebindings",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{}/ingresses",
    "Service": "/api/v1/namespaces/{}/services",
    "Gateway": "/apis/gateway.networking.k8s.io/v1/namespaces/{}/gateways",
    "HTTPRoute": "/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes",
}


@dataclass(eq=False)
class Setting:
    """The cluster, and files as a pod has them."""

    cluster: Cluster
    pod: Path
    restart: Callable[[], None]
    compact: Callable[[], None]

    def settings(self, role: str, **more: Any) -> KubernetesSource:  # noqa: ANN401 - any key
        return source_settings(
            role,
            **{
                "api_server": self.cluster.url,
                "authorization": {"credentials_file": str(self.pod / "token")},
                "tls_config": {"ca_file": str(self.pod / "ca.crt")},
                **more,
            },
        )

    def new_token(self) -> None:
        token = self.cluster.token("monitoring", "tls-posture-exporter")
        replacement = self.pod / "token.new"
        replacement.write_text(token)
        replacement.rename(self.pod / "token")


def documented() -> list[dict[str, Any]]:
    """The objects of the documentation."""
    block = next(
        text for text in re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL) if "ClusterRole" in text
    )
    return list(yaml.safe_load_all(block))


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    folder = tmp_path_factory.mktemp("kubernetes")
    with etcd(folder) as port, ExitStack() as server:
        cluster = server.enter_context(api_server(folder, port))

        def restart() -> None:
            server.close()
            server.enter_context(api_server(folder, port, int(cluster.url.rpartition(":")[2])))

        for name in ("monitoring", "shop", "mail"):
            cluster.create({"metadata": {"name": name}}, "/api/v1/namespaces")
        for definition in gateway_definitions():
            cluster.create(definition, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
        kinds = "/apis/gateway.networking.k8s.io/v1"
        wait_for("the Gateway API", 60, lambda: cluster.call("GET", f"{kinds}/httproutes").status_code == 200)
        wait_for("the Gateway API", 60, lambda: cluster.call("GET", f"{kinds}/gateways").status_code == 200)
        for thing in [*documented(), *yaml.safe_load((HERE / "objects.yaml").read_text())]:
            path = COLLECTIONS[thing["kind"]].format(thing["metadata"].get("namespace"))
            cluster.create(thing, path)
            if "status" in thing:
                cluster.change(f"{path}/{thing['metadata']['name']}/status", {"status": thing["status"]})
        pod = folder / "pod"
        pod.mkdir()
        (pod / "ca.crt").write_bytes(cluster.ca_file.read_bytes())
        (pod / "namespace").write_text("shop")
        made = Setting(cluster, pod, restart, partial(compact, port))
        made.new_token()
        yield made


def run(
    setting: Setting,
    settings: KubernetesSource,
    check: Callable[[ListSink], Coroutine[Any, Any, None]],
    **more: Any,  # noqa: ANN401 - of the source
) -> ListSink:
    """Run a source until the check has passed; pauses are short."""

    async def pause(seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.2))

    async def main() -> ListSink:
        connecting = partial(connect, settings, setting.pod)
        source = KubernetesTargets(
            settings,
            lambda: threads.FILES.run(connecting, setting),
            lambda: threads.FILES.run(partial(own_namespace, setting.pod), setting),
            pacing=Pacing(pause),
            **more,
        )
        async with running_source(source) as sink:
            await check(sink)
            return sink

    return asyncio.run(main())


async def listed(sink: ListSink) -> None:
    await sink.until(lambda sink: sink.lists)
    assert not sink.errors


@pytest.mark.parametrize(
    ("role", "addresses"),
    [
        ("ingress", {"www.shop.example:443", "a.assets.shop.example:443"}),
        ("httproute", {"api.shop.example:443", "mail.example.com:8443"}),
        (
            "service",
            {
                *("kubernetes.default.svc:443", "shop.shop.svc:80", "shop.shop.svc:443", "headless.shop.svc:8443"),
                *("resolver.mail.svc:53", "resolver.mail.svc:853", "outside.mail.svc:25", "balanced.mail.svc:993"),
            },
        ),
    ],
)
def test_the_documented_rights_are_enough(setting: Setting, role: str, addresses: set[str]) -> None:
    sink = run(setting, setting.settings(role), listed)
    assert {labels[ADDRESS] for labels in sink.targets} == addresses


@pytest.mark.parametrize("verb", ["list", "watch"])
@pytest.mark.parametrize(
    ("role", "resource"),
    [("ingress", "ingresses"), ("httproute", "httproutes"), ("httproute", "gateways"), ("service", "services")],
)
def test_each_documented_right_is_needed(setting: Setting, role: str, resource: str, verb: str) -> None:
    rules = documented()[0]["rules"]
    allowed = [
        {**rule, "resources": [name], "verbs": [one for one in rule["verbs"] if (name, one) != (resource, verb)]}
        for rule in rules
        for name in rule["resources"]
    ]

    async def refused(sink: ListSink) -> None:
        await sink.until(lambda sink: sink.errors)
        text = str(sink.errors[-1])
        assert re.match(rf"{verb} of {resource}[a-z0-9.]* in all namespaces \(403\): ", text)
        assert f'cannot {verb} resource "{resource}"' in text
        setting.cluster.change(ROLE, {"rules": rules})
        seen = len(sink.lists), len(sink.errors)
        await sink.until(lambda sink: len(sink.lists) > seen[0])

    setting.cluster.change(ROLE, {"rules": allowed})
    review = {
        "spec": {
            "resourceAttributes": {
                "verb": verb,
                "resource": resource,
                "group": next(r["apiGroups"][0] for r in rules if resource in r["resources"]),
            }
        }
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    token = (setting.pod / "token").read_text()
    wait_for("the rule", 30, lambda: not setting.cluster.call("POST", path, review, token).json()["status"]["allowed"])
    run(setting, setting.settings(role), refused)


def test_rights_in_one_namespace_are_enough_for_it(setting: Setting) -> None:
    setting.cluster.create({"metadata": {"name": "limited"}}, "/api/v1/namespaces/shop/serviceaccounts")
    binding = {
        "metadata": {"name": "limited"},
        "roleRef": documented()[2]["roleRef"],
        "subjects": [{"kind": "ServiceAccount", "name": "limited", "namespace": "shop"}],
    }
    setting.cluster.create(binding, f"{RBAC}/namespaces/shop/rolebindings")
    file = setting.pod / "limited"
    file.write_text(setting.cluster.token("shop", "limited"))

    def settings(*names: str) -> KubernetesSource:
        authorization = {"credentials_file": str(file)}
        return setting.settings("ingress", namespaces={"names": list(names)}, authorization=authorization)

    async def refused(sink: ListSink) -> None:
        await sink.until(lambda sink: sink.errors)
        assert "in namespace mail (403)" in str(sink.errors[0])
        assert not sink.lists

    async def found(sink: ListSink) -> None:  # the binding may not be in effect at once
        await sink.until(lambda sink: sink.lists)

    sink = run(setting, settings("shop"), found)
    assert {labels["__meta_kubernetes_namespace"] for labels in sink.targets} == {"shop"}
    run(setting, settings("shop", "mail"), refused)


def test_selectors_are_applied_by_the_server(setting: Setting) -> None:
    chosen = [{"role": "service", "label": "team in (web)", "field": "metadata.namespace=shop"}]
    sink = run(setting, setting.settings("service", selectors=chosen), listed)
    assert sink.names == ["svc/shop/shop"]

    async def refused(sink: ListSink) -> None:
        await sink.until(lambda sink: sink.errors)
        assert "(400)" in str(sink.errors[0])

    wrong = [{"role": "service", "field": "spec.nonsense=1"}]
    run(setting, setting.settings("service", selectors=wrong), refused)


def test_a_pod_and_a_kubeconfig_file_reach_it(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, port = setting.cluster.url.removeprefix("https://").split(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    sink = run(setting, source_settings("service", namespaces={"own_namespace": True}), listed)
    assert sink.names == ["svc/shop/headless", "svc/shop/shop"]
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "current-context": "it",
                "contexts": [{"name": "it", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [
                    {
                        "name": "c",
                        "cluster": {
                            "server": setting.cluster.url,
                            "certificate-authority": str(setting.pod / "ca.crt"),
                        },
                    }
                ],
                "users": [{"name": "u", "user": {"tokenFile": str(setting.pod / "token")}}],
            }
        )
    )
    assert run(setting, source_settings("ingress", kubeconfig_file=str(kubeconfig)), listed).targets


def test_changes_arrive_and_pages_are_complete(setting: Setting) -> None:
    def extra(number: int) -> dict[str, Any]:
        host = f"h{number}.many.example"
        return {
            "metadata": {"name": f"extra-{number}", "namespace": "mail"},
            "spec": {"tls": [{"hosts": [host]}], "rules": [{"host": host}]},
        }

    path = INGRESSES.replace("shop", "mail")
    for number in range(25):
        setting.cluster.create(extra(number), path)

    async def check(sink: ListSink) -> None:
        await sink.until(lambda sink: sink.lists)
        assert len(sink.targets) == 27
        await asyncio.to_thread(setting.cluster.create, extra(25), path)
        await sink.until(lambda sink: len(sink.targets) == 28)
        patch = {"spec": {"tls": [{"hosts": ["changed.example"]}], "rules": [{"host": "changed.example"}]}}
        await asyncio.to_thread(setting.cluster.change, f"{path}/extra-25", patch)
        await sink.until(lambda sink: any(labels[ADDRESS] == "changed.example:443" for labels in sink.targets))
        await asyncio.to_thread(setting.cluster.delete, f"{path}/extra-25")
        await sink.until(lambda sink: len(sink.targets) == 27)
        assert not sink.errors

    try:
        run(setting, setting.settings("ingress"), check, limits=AnswerLimits(page=10))
    finally:
        for number in range(25):
            setting.cluster.delete(f"{path}/extra-{number}")


def test_it_goes_on_after_a_restart_of_the_server(setting: Setting) -> None:
    path = "/api/v1/namespaces/shop/services"

    async def check(sink: ListSink) -> None:
        await sink.until(lambda sink: sink.lists)
        before = sink.lists[-1]
        await asyncio.to_thread(setting.restart)
        assert sink.lists[-1] == before
        await asyncio.to_thread(
            setting.cluster.create, {"metadata": {"name": "late"}, "spec": {"ports": [{"port": 443}]}}, path
        )
        await sink.until(lambda sink: "svc/shop/late" in sink.names)
        await asyncio.to_thread(setting.cluster.delete, f"{path}/late")
        await sink.until(lambda sink: "svc/shop/late" not in sink.names)

    run(setting, setting.settings("service"), check)


def test_a_new_token_is_used(setting: Setting) -> None:
    accounts = "/api/v1/namespaces/monitoring/serviceaccounts"

    async def check(sink: ListSink) -> None:
        await sink.until(lambda sink: sink.lists)
        # The token ends with its account. The list of the next second has no watch to resume.
        setting.cluster.delete(f"{accounts}/tls-posture-exporter")
        setting.cluster.create(documented()[1], accounts)
        await sink.until(lambda sink: sink.errors)
        assert "(401)" in str(sink.errors[-1])
        setting.new_token()
        count = len(sink.lists)
        await sink.until(lambda sink: len(sink.lists) > count)

    run(setting, setting.settings("ingress", refresh_interval="1s"), check)


def _discovered(setting: Setting, role: str, folder: Path) -> list[dict[str, str]]:
    """What Prometheus discovers: the labels of its targets before relabelling."""
    settings = {
        "role": role,
        "api_server": setting.cluster.url,
        "authorization": {"credentials_file": str(setting.pod / "token")},
        "tls_config": {"ca_file": str(setting.pod / "ca.crt")},
    }
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    command = [str(build("prometheus")), str(folder / "settings.yaml")]
    said = subprocess.run(command, check=True, timeout=120, capture_output=True, text=True).stdout
    # Prometheus takes a label with an empty value for a missing one.
    return [
        {name: value for name, value in labels.items() if value}
        for targets in json.loads(said).values()
        for labels in targets
    ]


def _sorted(targets: list[dict[str, str]]) -> list[list[tuple[str, str]]]:
    return sorted(sorted(labels.items()) for labels in targets)


def test_services_are_those_of_prometheus(setting: Setting, tmp_path: Path) -> None:
    theirs = _discovered(setting, "service", tmp_path)
    ours = run(setting, setting.settings("service"), listed).targets
    assert len(ours) > 5
    assert _sorted(ours) == _sorted(theirs)


def test_ingresses_with_tls_are_those_of_prometheus(setting: Setting, tmp_path: Path) -> None:
    """Without the path of a target: Prometheus has one target a path. Its address has no port."""
    theirs = [
        one for one in _discovered(setting, "ingress", tmp_path) if one["__meta_kubernetes_ingress_scheme"] == "https"
    ]
    ours = run(setting, setting.settings("ingress"), listed).targets
    assert len(ours) >= 2
    for labels in ours:
        labels[ADDRESS] = labels[ADDRESS].removesuffix(":443")
        for name in ("ip", "hostname"):
            labels.pop(f"__meta_kubernetes_ingress_loadbalancer_{name}", None)
    assert _sorted(ours) == _sorted(theirs)


@pytest.mark.skipif("KUBERNETES_RECORD" not in os.environ, reason="records only if asked to")
def test_record(setting: Setting) -> None:
    """Writes the answers that other tests replay."""
    token = (setting.pod / "token").read_text()
    gateway = "/apis/gateway.networking.k8s.io/v1"
    lists = "/apis/networking.k8s.io/v1/ingresses"

    def keep(name: str, path: str, as_: str = token, **query: str) -> Any:  # noqa: ANN401 - JSON
        answer = setting.cluster.call("GET", path, None, as_, **query)
        document = {"request": path, "query": query, "status": answer.status_code, "body": answer.text}
        RECORDED.mkdir(exist_ok=True)
        (RECORDED / f"{name}.json").write_text(json.dumps(document, indent=2, ensure_ascii=True) + "\n")
        return answer

    first = keep("ingresses_page_1", lists, limit="1").json()["metadata"]
    keep("ingresses_page_2", lists, limit="1", **{"continue": first["continue"]})
    keep("services", "/api/v1/services", limit="100")
    keep("httproutes", f"{gateway}/httproutes", limit="100")
    keep("gateways", f"{gateway}/gateways", limit="100")
    keep("forbidden_list", "/api/v1/secrets", limit="100")
    keep("forbidden_watch", "/api/v1/secrets", watch="true")
    keep("unauthorized", lists, "not-a-token", limit="100")
    keep("not_found", f"{gateway}/tlsroutes", ADMIN, limit="100")
    keep("gone", lists, watch="true", resourceVersion="1", timeoutSeconds="2")
    host = {"tls": [{"hosts": ["new.shop.example"]}], "rules": [{"host": "new.shop.example"}]}
    setting.cluster.create({"metadata": {"name": "new"}, "spec": host}, INGRESSES)
    setting.cluster.change(f"{INGRESSES}/new", {"metadata": {"labels": {"changed": "yes"}}})
    setting.cluster.delete(f"{INGRESSES}/new")
    watch = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": "3"}
    keep("watch", lists, **watch, resourceVersion=first["resourceVersion"])
    # The other bookmarks come after a minute, if there were changes elsewhere. This one ends the initial events.
    initial = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    assert "BOOKMARK" in keep("bookmark", lists, **watch, **initial).text
    setting.compact()
    expired = keep("expired_page", lists, limit="1", **{"continue": first["continue"]})
    assert expired.status_code == 410


def test_make_source_makes_such_a_source(setting: Setting) -> None:
    async def main() -> None:
        async with running_source(make_source(setting.settings("ingress"), Config())) as sink:
            await listed(sink)

    asyncio.run(main())
