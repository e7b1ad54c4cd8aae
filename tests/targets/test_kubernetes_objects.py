"""Which targets and labels objects of Kubernetes become."""

import json
from typing import Any

import msgspec
import pytest

from exporter.targets.groups import ADDRESS
from exporter.targets.kubernetes.httproute import combine, intersection, read_gateway, read_route
from exporter.targets.kubernetes.ingress import read_ingress
from exporter.targets.kubernetes.objects import META, MOST_CHARACTERS, MOST_TARGETS
from exporter.targets.kubernetes.role import FoundObjects
from exporter.targets.kubernetes.service import read_service


def raw(thing: dict[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(thing).encode())


def labels_of(found: FoundObjects) -> list[dict[str, str]]:
    return [labels for group in found.groups for labels in group.label_sets()]


def addresses(found: FoundObjects) -> list[str]:
    return [labels[ADDRESS] for labels in labels_of(found)]


def metadata(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"name": "it", "namespace": "shop", **more}


@pytest.mark.parametrize(
    ("tls", "rules", "expected", "wildcards"),
    [
        ([["a.example"]], ["a.example"], ["a.example"], set()),
        ([["a.example"]], ["a.example", "plain.example"], ["a.example"], set()),
        ([["a.example", "b.example"]], [], ["a.example", "b.example"], set()),
        ([["*.a.example"]], ["x.a.example", "x.y.a.example"], ["x.a.example"], {"*.a.example"}),
        ([["*.a.example"]], ["*.a.example"], [], {"*.a.example"}),
        ([None], ["a.example", "b.example"], ["a.example", "b.example"], set()),
        ([[]], ["a.example"], ["a.example"], set()),
        ([None], [""], [], set()),
        ([["a.example"], ["a.example"]], ["a.example", "a.example"], ["a.example"], set()),
        ([], ["a.example"], [], set()),
        ([["*"]], ["a"], [], {"*"}),
        ([[""]], ["", "a"], [], set()),
    ],
)
def test_hosts_of_an_ingress_with_tls(
    tls: list[list[str] | None], rules: list[str], expected: list[str], wildcards: set[str]
) -> None:
    spec = {"tls": [{"hosts": hosts} for hosts in tls], "rules": [{"host": host} for host in rules]}
    found = read_ingress(raw({"metadata": metadata(), "spec": spec}))
    assert addresses(found) == [f"{host}:443" for host in expected]
    assert found.wildcards == wildcards


def test_labels_of_an_ingress() -> None:
    found = read_ingress(
        raw(
            {
                "metadata": metadata(labels={"app.kubernetes.io/name": "x"}, annotations={"a/b-c": "ü"}),
                "spec": {
                    "ingressClassName": "nginx",
                    "tls": [{"hosts": ["a.example"]}],
                    "rules": [{"host": "a.example", "http": {"paths": [{"path": "/p"}, {"path": "/q"}]}}],
                },
                "status": {
                    "loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}, {"hostname": "lb"}]}
                },
            }
        )
    )
    assert found.groups[0].source == "ingress/shop/it"
    assert labels_of(found) == [
        {
            ADDRESS: "a.example:443",
            META + "namespace": "shop",
            META + "ingress_name": "it",
            META + "ingress_label_app_kubernetes_io_name": "x",
            META + "ingress_labelpresent_app_kubernetes_io_name": "true",
            META + "ingress_annotation_a_b_c": "ü",
            META + "ingress_annotationpresent_a_b_c": "true",
            META + "ingress_class_name": "nginx",
            META + "ingress_scheme": "https",
            META + "ingress_host": "a.example",
            META + "ingress_path": "/p",
            META + "ingress_loadbalancer_ip": "192.0.2.1,2001:db8::1",
            META + "ingress_loadbalancer_hostname": "lb",
        }
    ]


def test_huge_annotations_do_not_become_labels() -> None:
    notes = {"a-huge": "x" * 4_097, **{f"n{number:04}": "y" * 1_000 for number in range(200)}}
    thing = {"metadata": metadata(annotations=notes), "spec": {"tls": [{"hosts": ["a.example"]}]}}
    labels = labels_of(read_ingress(raw(thing)))[0]
    assert META + "ingress_annotation_a_huge" not in labels
    assert META + "ingress_annotation_n0000" in labels
    kept = sum(len(value) for name, value in labels.items() if "_annotation_" in name)
    assert 0 < kept <= MOST_CHARACTERS


def test_an_object_with_many_hosts_becomes_a_limited_number_of_targets() -> None:
    hosts = [f"h{number}.example" for number in range(30_000)]
    spec = {"tls": [{"hosts": hosts}], "rules": [{"host": host} for host in hosts]}
    assert len(addresses(read_ingress(raw({"metadata": metadata(), "spec": spec})))) == MOST_TARGETS


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        (
            {"clusterIP": "10.0.0.1", "type": "ClusterIP"},
            {},
            {META + "service_cluster_ip": "10.0.0.1", META + "service_type": "ClusterIP"},
        ),
        (
            {"type": "ExternalName", "externalName": "x.example"},
            {},
            {META + "service_external_name": "x.example", META + "service_type": "ExternalName"},
        ),
        (
            {"type": "LoadBalancer", "clusterIP": "10.0.0.1", "loadBalancerIP": "192.0.2.1"},
            {},
            {
                META + "service_cluster_ip": "10.0.0.1",
                META + "service_loadbalancer_ip": "192.0.2.1",
                META + "service_type": "LoadBalancer",
            },
        ),
        (
            {"type": "LoadBalancer", "clusterIP": "10.0.0.1", "loadBalancerIP": "192.0.2.1"},
            {"loadBalancer": {"ingress": [{"ip": "192.0.2.2"}, {"ip": "192.0.2.3"}]}},
            {
                META + "service_cluster_ip": "10.0.0.1",
                META + "service_loadbalancer_ip": "192.0.2.2,192.0.2.3",
                META + "service_type": "LoadBalancer",
            },
        ),
    ],
)
def test_labels_of_a_service(spec: dict[str, Any], status: dict[str, Any], expected: dict[str, str]) -> None:
    ports = [{"name": "https", "port": 443, "protocol": "TCP"}]
    assert labels_of(
        read_service(raw({"metadata": metadata(), "spec": {**spec, "ports": ports}, "status": status}))
    ) == [
        {
            ADDRESS: "it.shop.svc:443",
            META + "namespace": "shop",
            META + "service_name": "it",
            META + "service_port_name": "https",
            META + "service_port_number": "443",
            META + "service_port_protocol": "TCP",
            **expected,
        }
    ]


def test_a_service_without_ports_is_no_target() -> None:
    assert not addresses(read_service(raw({"metadata": metadata(), "spec": {"ports": None}})))


@pytest.mark.parametrize(
    ("route", "listener", "expected"),
    [
        ("a.example", "a.example", "a.example"),
        ("a.example", "b.example", None),
        ("a.b.example", "*.b.example", "a.b.example"),
        ("a.b.c.example", "*.c.example", "a.b.c.example"),
        ("c.example", "*.c.example", None),
        ("*.c.example", "a.c.example", "a.c.example"),
        ("*.c.example", "*.c.example", "*.c.example"),
        ("*.b.c.example", "*.c.example", "*.b.c.example"),
        ("*.c.example", "*.b.c.example", "*.b.c.example"),
        ("*.xc.example", "*.c.example", None),
    ],
)
def test_what_hosts_of_route_and_listener_have_in_common(route: str, listener: str, expected: str | None) -> None:
    """The examples of the Gateway API (HTTPRouteSpec.hostnames), and others."""
    assert intersection(route, listener) == expected


def _joined(
    parent: dict[str, Any],
    hostnames: list[str],
    listeners: list[dict[str, Any]],
    *,
    accepted: str = "True",
    namespace: str = "shop",
) -> FoundObjects:
    route = {
        "metadata": metadata(name="route"),
        "spec": {"parentRefs": [parent], "hostnames": hostnames},
        "status": {"parents": [{"parentRef": parent, "conditions": [{"type": "Accepted", "status": accepted}]}]},
    }
    gateway = {
        "metadata": {"name": "edge", "namespace": namespace, "labels": {"zone": "dmz"}, "annotations": {"no": "no"}},
        "spec": {"gatewayClassName": "c", "listeners": listeners},
        "status": {"addresses": [{"value": "192.0.2.1"}, {"type": "Hostname", "value": "lb.example"}]},
    }
    return combine([{("shop", "route"): read_route(raw(route))}, {(namespace, "edge"): read_gateway(raw(gateway))}])


HTTPS = {"name": "tls", "port": 443, "protocol": "HTTPS"}


@pytest.mark.parametrize(
    ("parent", "hostnames", "listeners", "expected"),
    [
        ({"name": "edge"}, ["a.example"], [HTTPS], ["a.example:443"]),
        ({"name": "edge"}, ["a.example"], [{**HTTPS, "protocol": "HTTP"}], []),
        ({"name": "edge"}, ["a.example"], [{**HTTPS, "protocol": "TLS"}], []),
        (
            {"name": "edge"},
            ["a.example"],
            [HTTPS, {**HTTPS, "name": "more", "port": 8443}],
            ["a.example:443", "a.example:8443"],
        ),
        ({"name": "edge", "sectionName": "more"}, ["a.example"], [HTTPS], []),
        (
            {"name": "edge", "port": 8443},
            ["a.example"],
            [HTTPS, {**HTTPS, "name": "more", "port": 8443}],
            ["a.example:8443"],
        ),
        ({"name": "edge"}, [], [{**HTTPS, "hostname": "l.example"}], ["l.example:443"]),
        ({"name": "edge"}, [], [HTTPS], []),
        ({"name": "edge"}, ["a.example", "b.example"], [{**HTTPS, "hostname": "b.example"}], ["b.example:443"]),
        ({"name": "other"}, ["a.example"], [HTTPS], []),
        ({"name": "edge", "namespace": "infra"}, ["a.example"], [HTTPS], []),
        ({"name": "edge", "kind": "Service", "group": ""}, ["a.example"], [HTTPS], []),
    ],
)
def test_a_route_is_a_target_at_the_listeners_that_it_is_attached_to(
    parent: dict[str, Any], hostnames: list[str], listeners: list[dict[str, Any]], expected: list[str]
) -> None:
    assert addresses(_joined(parent, hostnames, listeners)) == expected


@pytest.mark.parametrize("accepted", ["False", "Unknown"])
def test_a_route_that_no_gateway_accepted_is_no_target(accepted: str) -> None:
    assert not addresses(_joined({"name": "edge"}, ["a.example"], [HTTPS], accepted=accepted))


def test_labels_of_a_route() -> None:
    found = _joined({"name": "edge", "namespace": "infra"}, ["a.example", "*.a.example"], [HTTPS], namespace="infra")
    assert found.wildcards == {"*.a.example"}
    assert found.groups[0].source == "httproute/shop/route"
    assert labels_of(found) == [
        {
            ADDRESS: "a.example:443",
            META + "namespace": "shop",
            META + "httproute_name": "route",
            META + "httproute_hostname": "a.example",
            META + "gateway_namespace": "infra",
            META + "gateway_name": "edge",
            META + "gateway_class_name": "c",
            META + "gateway_label_zone": "dmz",
            META + "gateway_labelpresent_zone": "true",
            META + "gateway_listener_name": "tls",
            META + "gateway_listener_port": "443",
            META + "gateway_listener_protocol": "HTTPS",
            META + "gateway_ip": "192.0.2.1",
            META + "gateway_hostname": "lb.example",
        }
    ]
