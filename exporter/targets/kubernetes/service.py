"""Role `service`: a target for each port of each Service, as in Prometheus."""

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
    meta_labels,
)
from exporter.targets.kubernetes.role import FoundObjects, Kind, Role, all_found

SERVICES = ApiResource("", "v1", "services")


class _ServicePort(msgspec.Struct, frozen=True):
    port: int
    name: str = ""
    protocol: str = "TCP"


_NAMES = {"cluster_ip": "clusterIP", "external_name": "externalName", "load_balancer_ip": "loadBalancerIP"}


class _ServiceSpec(msgspec.Struct, frozen=True, rename=_NAMES):
    ports: tuple[_ServicePort, ...] | None = None
    type: str = "ClusterIP"
    cluster_ip: str = ""
    external_name: str = ""
    load_balancer_ip: str = ""


class _Service(msgspec.Struct, frozen=True):
    metadata: Metadata
    spec: _ServiceSpec = _ServiceSpec()
    status: LoadBalancerStatus = LoadBalancerStatus()


def read_service(raw: msgspec.Raw) -> FoundObjects:
    """The ports of a Service (Prometheus, `buildService`).

    Raises:
        msgspec.ValidationError: it is not a Service.
    """
    service = msgspec.json.decode(raw, type=_Service)
    spec = service.spec
    common = {META + "service_type": spec.type}
    if spec.type == "ExternalName":
        common[META + "service_external_name"] = spec.external_name
    else:
        common[META + "service_cluster_ip"] = spec.cluster_ip
    if spec.type == "LoadBalancer":
        common[META + "service_loadbalancer_ip"] = service.status.ips or spec.load_balancer_ip
    namespace, name = service.metadata.key
    targets = tuple(
        {
            ADDRESS: f"{name}.{namespace}.svc:{port.port}",
            META + "service_port_name": port.name,
            META + "service_port_number": str(port.port),
            META + "service_port_protocol": port.protocol,
            **common,
        }
        for port in (spec.ports or ())[:MOST_TARGETS]
    )
    labels = {NAMESPACE: namespace, **meta_labels("service", service.metadata)}
    return FoundObjects((Group(f"svc/{namespace}/{name}", targets, labels),))


SERVICE = Role((Kind(SERVICES, SelectorRole.SERVICE, read_service),), all_found)
