"""Role `ingress`: a target for each host with TLS."""

import msgspec

from exporter.config.kubernetes import SelectorRole
from exporter.targets.groups import ADDRESS, Group
from exporter.targets.kubernetes.objects import (
    META,
    MOST_TARGETS,
    NAMESPACE,
    ApiResource,
    LoadBalancerStatus,
    Metadata,
    covers,
    is_wildcard,
    meta_labels,
)
from exporter.targets.kubernetes.role import FoundObjects, Kind, Role, all_found

INGRESSES = ApiResource("networking.k8s.io", "v1", "ingresses")
_PORT = 443
"""Of every Ingress: "An Ingress does not expose arbitrary ports" (Kubernetes' documentation)."""


class _Path(msgspec.Struct, frozen=True):
    path: str = ""


class _HttpPaths(msgspec.Struct, frozen=True):
    paths: tuple[_Path, ...] | None = None


class _IngressRule(msgspec.Struct, frozen=True):
    host: str = ""
    http: _HttpPaths | None = None

    @property
    def first_path(self) -> str:
        paths = (self.http.paths if self.http else None) or ()
        return (paths[0].path if paths else "") or "/"


class _Tls(msgspec.Struct, frozen=True):
    hosts: tuple[str, ...] | None = None


class _IngressSpec(msgspec.Struct, rename="camel", frozen=True):
    ingress_class_name: str = ""
    tls: tuple[_Tls, ...] | None = None
    rules: tuple[_IngressRule, ...] | None = None


class _Ingress(msgspec.Struct, frozen=True):
    metadata: Metadata
    spec: _IngressSpec = _IngressSpec()
    status: LoadBalancerStatus = LoadBalancerStatus()


def read_ingress(raw: msgspec.Raw) -> FoundObjects:
    """The hosts of an Ingress that have TLS.

    As in Prometheus, the host of a rule has TLS if a host or pattern of `tls` matches it. Two hosts more have TLS:
    one of `tls` without a rule, and all hosts of rules if an entry of `tls` has no hosts, because it is for all then
    (Kubernetes API, IngressTLS).

    Raises:
        msgspec.ValidationError: it is not an Ingress.
    """
    ingress = msgspec.json.decode(raw, type=_Ingress)
    tls = ingress.spec.tls or ()
    patterns = dict.fromkeys(host for entry in tls for host in entry.hosts or ())
    every = any(not entry.hosts for entry in tls)
    paths: dict[str, str] = {}
    for rule in ingress.spec.rules or ():
        if every or covers(patterns, rule.host):
            paths.setdefault(rule.host, rule.first_path)
    for host in patterns:
        paths.setdefault(host, "/")
    paths.pop("", None)  # a rule for all hosts names none
    hosts = [host for host in paths if not is_wildcard(host)][:MOST_TARGETS]
    labels = {NAMESPACE: ingress.metadata.namespace, **meta_labels("ingress", ingress.metadata)}
    labels[META + "ingress_class_name"] = ingress.spec.ingress_class_name
    labels[META + "ingress_loadbalancer_ip"] = ingress.status.ips
    labels[META + "ingress_loadbalancer_hostname"] = ingress.status.hostnames
    targets = tuple(
        {
            ADDRESS: f"{host}:{_PORT}",
            META + "ingress_scheme": "https",
            META + "ingress_host": host,
            META + "ingress_path": paths[host],
        }
        for host in hosts
    )
    source = f"ingress/{ingress.metadata.namespace}/{ingress.metadata.name}"
    return FoundObjects((Group(source, targets, labels),), frozenset(filter(is_wildcard, paths)))


INGRESS = Role((Kind(INGRESSES, SelectorRole.INGRESS, read_ingress),), all_found)
