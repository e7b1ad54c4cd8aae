"""What all objects of Kubernetes have in common, and Prometheus' labels for it.

Objects are written by others. What they have is read by types, and limited before it becomes labels.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import msgspec

META = "__meta_kubernetes_"
NAMESPACE = META + "namespace"

LONGEST_VALUE = 4_096
"""Longer values do not become labels. Prometheus keeps them. A relabelling rule for one of this size is unlikely."""
MOST_CHARACTERS = 16_384
"""Of all labels and annotations of an object. Kubernetes allows 256 KiB of annotations for each object."""
MOST_TARGETS = 1_000
"""Of one object. An object of 1.5 MiB, the limit of etcd, has room for 60,000 hosts."""

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_]")

Key = tuple[str, str]
"""Namespace and name of an object."""


class Metadata(msgspec.Struct, rename="camel", frozen=True):
    """Kubernetes' ObjectMeta, as far as it is needed. A bookmark has a version only."""

    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None

    @property
    def key(self) -> Key:
        """What distinguishes the object from others of its kind."""
        return self.namespace, self.name


class AnyObject(msgspec.Struct, frozen=True):
    """An object of any kind."""

    metadata: Metadata


class Point(msgspec.Struct, frozen=True):
    """Where a load balancer listens."""

    ip: str = ""
    hostname: str = ""


class LoadBalancer(msgspec.Struct, frozen=True):
    """The addresses that a controller reports."""

    ingress: tuple[Point, ...] | None = None


class LoadBalancerStatus(msgspec.Struct, rename="camel", frozen=True):
    """The status of an Ingress or a Service."""

    load_balancer: LoadBalancer = LoadBalancer()

    @property
    def ips(self) -> str:
        """All addresses, comma-separated as in Prometheus."""
        return ",".join(point.ip for point in self.load_balancer.ingress or () if point.ip)

    @property
    def hostnames(self) -> str:
        """All names, comma-separated."""
        return ",".join(point.hostname for point in self.load_balancer.ingress or () if point.hostname)


@dataclass(frozen=True, slots=True)
class ApiResource:
    """A kind of objects, as the API server names it.

    Attributes:
        group: its API group; empty for the core group.
        plural: its name in paths and in rules of RBAC.
    """

    group: str
    version: str
    plural: str

    def path(self, namespace: str | None) -> str:
        """Where its objects are; None is all namespaces."""
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return f"{base}/namespaces/{namespace}/{self.plural}" if namespace else f"{base}/{self.plural}"

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


def meta_labels(role: str, metadata: Metadata, *, annotations: bool = True) -> dict[str, str]:
    """The labels for name, labels and annotations of an object (Prometheus, `addObjectMetaLabels`).

    Values that are too long are left out, and those after `MOST_CHARACTERS`, in the order of their names. The `present`
    labels of these are left out too.
    """
    labels = {f"{META}{role}_name": metadata.name}
    room = MOST_CHARACTERS
    for kind, name, value in _texts(metadata, annotations=annotations):
        room -= len(name) + len(value)
        if room < 0:
            break
        if len(value) <= LONGEST_VALUE:
            sanitized = _NOT_IN_NAMES.sub("_", name)
            labels[f"{META}{role}_{kind}_{sanitized}"] = value
            labels[f"{META}{role}_{kind}present_{sanitized}"] = "true"
    return labels


def _texts(metadata: Metadata, *, annotations: bool) -> Iterator[tuple[str, str, str]]:
    for name, value in sorted((metadata.labels or {}).items()):
        yield "label", name, value
    for name, value in sorted((metadata.annotations or {}).items()) if annotations else ():
        yield "annotation", name, value


def is_wildcard(host: str) -> bool:
    """Whether the host is a pattern, which nobody can connect to."""
    return "*" in host


def covers(patterns: Collection[str], host: str) -> bool:
    """Whether one of the patterns is the host, or has a `*` in place of its first label (Prometheus' rule)."""
    return host in patterns or f"*.{host.partition('.')[2]}" in patterns
