"""Sections of `kubernetes_sd_configs`, in Prometheus' spelling."""

import re
from datetime import timedelta
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from exporter.config.discovery import SourceSettings
from exporter.config.section import Section
from exporter.config.values import Interval, Surroundings, absolute_path, one_of
from exporter.quoting import quoted

EXTRA = "kubernetes"
"""The extra of this package that has the client library."""
_LIBRARY = "lightkube"
_NAMESPACE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""A DNS label (RFC 1123), as Kubernetes demands for the name of a namespace."""


class KubernetesRole(StrEnum):
    """Values of `role`: which objects become targets."""

    INGRESS = "ingress"
    HTTPROUTE = "httproute"
    SERVICE = "service"


class SelectorRole(StrEnum):
    """Values of `role` in `selectors`: which objects are selected."""

    INGRESS = "ingress"
    HTTPROUTE = "httproute"
    GATEWAY = "gateway"
    SERVICE = "service"


SELECTED = {
    KubernetesRole.INGRESS: (SelectorRole.INGRESS,),
    KubernetesRole.HTTPROUTE: (SelectorRole.HTTPROUTE, SelectorRole.GATEWAY),
    KubernetesRole.SERVICE: (SelectorRole.SERVICE,),
}
"""The objects that each role reads."""


def _namespace(name: str) -> str:
    if not _NAMESPACE.fullmatch(name):
        raise ValueError(f"{quoted(name)} is not the name of a namespace")
    return name


def _server(url: str) -> str:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        fits = fits and parts.username is None and not parts.query and not parts.fragment and url.isprintable()
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{quoted(url)} is not the URL of an API server; write https://host:port, without a user")
    return url.rstrip("/")


def _present(text: str, info: ValidationInfo) -> str:
    """The absolute path. The file is not read here: a reload follows the files that are, and tokens change often."""
    if not isinstance(info.context, Surroundings):
        return text
    path = absolute_path(text, info.context.folder)
    if not Path(path).is_file():
        raise ValueError(f"there is no file {path}")
    return path


CredentialsFile = Annotated[str, Field(min_length=1), AfterValidator(_present)]


class KubernetesNamespaces(Section):
    """Where objects are looked for. Without any, in all namespaces.

    Attributes:
        own_namespace: also in that of the pod; only in a cluster.
        names: in these.
    """

    own_namespace: bool = Field(default=False, strict=True)
    names: list[Annotated[str, AfterValidator(_namespace)]] = Field(default_factory=list)


class KubernetesSelector(Section):
    """Which objects of one kind are read; the API server evaluates it."""

    role: Annotated[SelectorRole, BeforeValidator(one_of(SelectorRole))]
    label: str | None = Field(default=None, min_length=1)
    field: str | None = Field(default=None, min_length=1)


class BearerFile(Section):
    """A token from a file, which is read again for each list and each watch."""

    credentials_file: CredentialsFile


class KubernetesTls(Section):
    """The certificates for `api_server`: whose is trusted, and that of the exporter."""

    ca_file: CredentialsFile | None = None
    cert_file: CredentialsFile | None = None
    key_file: CredentialsFile | None = None

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file need each other")
        return self


class KubernetesSource(SourceSettings):
    """One entry of `kubernetes_sd_configs`.

    Without `api_server` and `kubeconfig_file` it is the API server of the pod's cluster.

    Attributes:
        refresh_interval: how often the complete list is read again. In between, a watch brings all changes.
    """

    refresh_interval: Interval = timedelta(hours=1)
    role: Annotated[KubernetesRole, BeforeValidator(one_of(KubernetesRole))]
    api_server: Annotated[str, AfterValidator(_server)] | None = None
    kubeconfig_file: CredentialsFile | None = None
    authorization: BearerFile | None = None
    tls_config: KubernetesTls | None = None
    namespaces: KubernetesNamespaces = Field(default_factory=KubernetesNamespaces)
    selectors: list[KubernetesSelector] = Field(default_factory=list)

    @model_validator(mode="after")
    def _installed(self, info: ValidationInfo) -> Self:
        if info.context is not None and find_spec(_LIBRARY) is None:
            raise ValueError(f"needs a library; install it by pip install 'tls-posture-exporter[{EXTRA}]'")
        return self

    @model_validator(mode="after")
    def _one_cluster(self) -> Self:
        """The rules of Prometheus (discovery/kubernetes/kubernetes.go, UnmarshalYAML)."""
        if self.api_server and self.kubeconfig_file:
            raise ValueError("api_server and kubeconfig_file exclude each other")
        if not self.api_server and (self.authorization or self.tls_config):
            raise ValueError("authorization and tls_config are for api_server")
        if self.namespaces.own_namespace and (self.api_server or self.kubeconfig_file):
            raise ValueError("own_namespace is for a pod; it excludes api_server and kubeconfig_file")
        return self

    @model_validator(mode="after")
    def _selectors_of_the_role(self) -> Self:
        seen: set[SelectorRole] = set()
        for selector in self.selectors:
            if selector.role not in SELECTED[self.role]:
                raise ValueError(f"selectors: role {self.role} reads {' and '.join(SELECTED[self.role])} only")
            if selector.role in seen:
                raise ValueError(f"selectors: {selector.role} has more than one entry")
            seen.add(selector.role)
        return self

    def selector(self, role: SelectorRole) -> tuple[str | None, str | None]:
        """The label selector and the field selector for these objects."""
        return next(((one.label, one.field) for one in self.selectors if one.role is role), (None, None))
