"""Role `httproute`: a target for each host of an HTTPRoute at each TLS listener that it is attached to.

Source: Gateway API v1 (https://gateway-api.sigs.k8s.io/reference/spec/).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from exporter.config.kubernetes import SelectorRole
from exporter.targets.groups import ADDRESS, Group
from exporter.targets.kubernetes.objects import (
    META,
    MOST_TARGETS,
    NAMESPACE,
    ApiResource,
    Key,
    Metadata,
    is_wildcard,
    meta_labels,
)
from exporter.targets.kubernetes.role import FoundObjects, Kind, Role, together

GATEWAY_GROUP = "gateway.networking.k8s.io"
HTTPROUTES = ApiResource(GATEWAY_GROUP, "v1", "httproutes")
GATEWAYS = ApiResource(GATEWAY_GROUP, "v1", "gateways")
_TLS = "HTTPS"
"""The protocol of listeners with TLS that accept HTTPRoutes. Listeners of protocol TLS accept TLSRoutes."""


class ParentRef(msgspec.Struct, rename="camel", frozen=True):
    """Which listeners a route wants: of a Gateway, maybe only with this name or port."""

    name: str
    group: str = GATEWAY_GROUP
    kind: str = "Gateway"
    namespace: str = ""
    section_name: str | None = None
    port: int | None = None


class _Condition(msgspec.Struct, frozen=True):
    type: str
    status: str


class _ParentStatus(msgspec.Struct, rename="camel", frozen=True):
    parent_ref: ParentRef
    conditions: tuple[_Condition, ...] = ()

    @property
    def accepted(self) -> bool:
        return any(one.type == "Accepted" and one.status == "True" for one in self.conditions)


class _RouteStatus(msgspec.Struct, frozen=True):
    parents: tuple[_ParentStatus, ...] = ()


class _RouteSpec(msgspec.Struct, rename="camel", frozen=True):
    hostnames: tuple[str, ...] = ()


class _RouteObject(msgspec.Struct, frozen=True):
    metadata: Metadata
    spec: _RouteSpec = _RouteSpec()
    status: _RouteStatus = _RouteStatus()


class Route(msgspec.Struct, frozen=True):
    """What is kept of an HTTPRoute: `parents` are those that a controller has accepted."""

    key: Key
    labels: dict[str, str]
    hostnames: tuple[str, ...]
    parents: tuple[ParentRef, ...]


class _Listener(msgspec.Struct, frozen=True):
    name: str
    port: int
    protocol: str
    hostname: str = ""


class _GatewaySpec(msgspec.Struct, rename="camel", frozen=True):
    gateway_class_name: str = ""
    listeners: tuple[_Listener, ...] = ()


class _Address(msgspec.Struct, frozen=True):
    value: str = ""
    type: str = "IPAddress"


class _GatewayStatus(msgspec.Struct, frozen=True):
    addresses: tuple[_Address, ...] = ()

    def values(self, kind: str) -> str:
        return ",".join(address.value for address in self.addresses if address.type == kind)


class _GatewayObject(msgspec.Struct, frozen=True):
    metadata: Metadata
    spec: _GatewaySpec = _GatewaySpec()
    status: _GatewayStatus = _GatewayStatus()


class Gateway(msgspec.Struct, frozen=True):
    """What is kept of a Gateway: its labels, and its listeners with TLS."""

    labels: dict[str, str]
    listeners: tuple[_Listener, ...]


def read_route(raw: msgspec.Raw) -> Route:
    """What is needed of an HTTPRoute.

    Only a controller knows whether a Gateway accepts a route (`allowedRoutes`). So a parent counts if the status says
    that it accepted the route.

    Raises:
        msgspec.ValidationError: it is not an HTTPRoute.
    """
    route = msgspec.json.decode(raw, type=_RouteObject)
    labels = {NAMESPACE: route.metadata.namespace, **meta_labels("httproute", route.metadata)}
    parents = tuple(parent.parent_ref for parent in route.status.parents if parent.accepted)
    return Route(route.metadata.key, labels, tuple(dict.fromkeys(route.spec.hostnames)), parents)


def read_gateway(raw: msgspec.Raw) -> Gateway:
    """What is needed of a Gateway. Its annotations do not become labels.

    Raises:
        msgspec.ValidationError: it is not a Gateway.
    """
    gateway = msgspec.json.decode(raw, type=_GatewayObject)
    labels = meta_labels("gateway", gateway.metadata, annotations=False) | {
        META + "gateway_namespace": gateway.metadata.namespace,
        META + "gateway_class_name": gateway.spec.gateway_class_name,
        META + "gateway_ip": gateway.status.values("IPAddress"),
        META + "gateway_hostname": gateway.status.values("Hostname"),
    }
    return Gateway(labels, tuple(one for one in gateway.spec.listeners if one.protocol == _TLS))


def intersection(route: str, listener: str) -> str | None:
    """The names that both patterns have, as a pattern; None if they have none.

    Here `*.` is for one or more labels (Gateway API, Listener.hostname).
    """
    if route == listener or _within(route, listener):
        return route
    return listener if _within(listener, route) else None


def _within(name: str, pattern: str) -> bool:
    return pattern.startswith("*.") and name.removeprefix("*").endswith(pattern[1:])


def _served(route: Route, gateways: Mapping[Key, Gateway]) -> Iterator[tuple[str, _Listener, Gateway]]:
    """Each host of the route with the listener that serves it, and the Gateway of that."""
    for parent in route.parents:
        gateway = gateways.get((parent.namespace or route.key[0], parent.name))
        if gateway is None or (parent.group, parent.kind) != (GATEWAY_GROUP, "Gateway"):
            continue
        for listener in gateway.listeners:
            if parent.section_name in {None, listener.name} and parent.port in {None, listener.port}:
                yield from ((host, listener, gateway) for host in _hosts(route.hostnames, listener.hostname))


def _hosts(route: tuple[str, ...], listener: str) -> Iterator[str]:
    if not listener:
        yield from route
    elif not route:
        yield listener
    else:
        yield from (host for name in route if (host := intersection(name, listener)) is not None)


def _found(route: Route, gateways: Mapping[Key, Gateway]) -> FoundObjects:
    targets: dict[tuple[str, str, str], dict[str, str]] = {}
    wildcards = set()
    for host, listener, gateway in _served(route, gateways):
        if is_wildcard(host):
            wildcards.add(host)
            continue
        gateway_name = f"{gateway.labels[META + 'gateway_namespace']}/{gateway.labels[META + 'gateway_name']}"
        targets[host, gateway_name, listener.name] = gateway.labels | {
            ADDRESS: f"{host}:{listener.port}",
            META + "httproute_hostname": host,
            META + "gateway_listener_name": listener.name,
            META + "gateway_listener_port": str(listener.port),
            META + "gateway_listener_protocol": listener.protocol,
        }
        if len(targets) == MOST_TARGETS:
            break
    source = "httproute/{}/{}".format(*route.key)
    return FoundObjects((Group(source, tuple(targets.values()), route.labels),), frozenset(wildcards))


def combine(objects: Sequence[Mapping[Key, Any]]) -> FoundObjects:
    """The targets of all routes."""
    routes, gateways = objects
    return together(_found(route, gateways) for _, route in sorted(routes.items()))


HTTPROUTE = Role(
    (Kind(HTTPROUTES, SelectorRole.HTTPROUTE, read_route), Kind(GATEWAYS, SelectorRole.GATEWAY, read_gateway)), combine
)
