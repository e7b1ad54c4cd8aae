"""How the API server is reached: its address, certificates and tokens, from files as they are now.

Everything here blocks.
"""

import base64
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import httpx2
import msgspec
from lightkube.config.client_adapter import AsyncClient, ConnectionParams
from lightkube.config.kubeconfig import SERVICE_ACCOUNT, KubeConfig, SingleConfig
from lightkube.config.models import Cluster, User
from lightkube.core.exceptions import ConfigError as LibraryError

from exporter import __version__
from exporter.config.kubernetes import KubernetesSource
from exporter.errors import ConfigError
from exporter.files import read_file
from exporter.targets.groups import DiscoveryError
from exporter.text import escaped
from exporter.yamlfile import read_document

POD_FOLDER = Path(SERVICE_ACCOUNT)

TIMEOUT = httpx2.Timeout(10, read=None)
"""Seconds to connect. The time for an answer is limited where it is read."""

_CLUSTER_KEYS = {
    *("server", "certificate-authority", "certificate-authority-data", "insecure-skip-tls-verify"),
    *("extensions", "disable-compression"),
}
_USER_KEYS = {
    *("token", "tokenFile", "username", "password", "client-certificate", "client-certificate-data"),
    *("client-key", "client-key-data", "extensions"),
}
"""Other keys change how a client connects, and the library ignores some of them. Programs (`exec`) are not started."""


_SENDABLE = re.compile(r"[!-~]+")


def connect(
    settings: KubernetesSource, pod: Path = POD_FOLDER, environment: Mapping[str, str] = os.environ
) -> httpx2.AsyncClient:
    """A client of the API server. No file is read again after this.

    Raises:
        DiscoveryError: files are missing or cannot be used.
    """
    try:
        if settings.kubeconfig_file is not None:
            config = _of_kubeconfig(Path(settings.kubeconfig_file))
        elif settings.api_server is not None:
            config = _of_settings(settings, settings.api_server)
        else:
            config = _of_pod(pod, environment)
        if config.user is not None and config.user.token is not None:
            _check_token(config.user.token)
        # No proxy and no file of the environment: what is used is in the configuration.
        client = AsyncClient(config, ConnectionParams(timeout=TIMEOUT, trust_env=False))
    except OSError as error:  # also of the ssl module
        why = error.strerror or type(error).__name__
        raise DiscoveryError(f"credentials cannot be read: {why}") from _without_frames(error)
    except LibraryError as error:
        raise DiscoveryError(f"credentials cannot be used: {error}") from error
    except (ValueError, TypeError, httpx2.InvalidURL) as error:  # the message may quote a secret
        raise DiscoveryError("credentials cannot be used: a value is malformed") from _without_frames(error)
    client.headers["User-Agent"] = f"tls-posture-exporter/{__version__}"
    return client


def _check_token(text: str) -> None:
    """Refuse what no header can have: the library's message would quote it."""
    if not _SENDABLE.fullmatch(text):
        raise DiscoveryError("credentials cannot be used: the token has characters that no token has")


def _without_frames(error: Exception) -> Exception:
    """The same error without its traceback, whose frames have the library's temporary files with keys."""
    return error.with_traceback(None)


def own_namespace(pod: Path = POD_FOLDER) -> str:
    """The namespace of the pod that the exporter runs in.

    Raises:
        DiscoveryError: it cannot be read.
    """
    return _text(pod / "namespace")


def _text(path: Path) -> str:
    try:
        text = read_file(path).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise DiscoveryError(f"{path} cannot be read: {why}") from error
    if not text:
        raise DiscoveryError(f"{path} is empty")
    return text


def _of_settings(settings: KubernetesSource, server: str) -> SingleConfig:
    tls, authorization = settings.tls_config, settings.authorization
    user = User(
        token=_text(Path(authorization.credentials_file)) if authorization else None,
        client_cert=tls.cert_file if tls else None,
        client_key=tls.key_file if tls else None,
    )
    return _single(Cluster(server=server, certificate_auth=tls.ca_file if tls else None), user)


def _of_pod(pod: Path, environment: Mapping[str, str]) -> SingleConfig:
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise DiscoveryError("this is not a pod of Kubernetes; set api_server or kubeconfig_file")
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return _single(Cluster(server=server, certificate_auth=str(pod / "ca.crt")), User(token=_text(pod / "token")))


def _single(cluster: Cluster, user: User) -> SingleConfig:
    config = KubeConfig.from_one(cluster=cluster, user=user).get()
    return cast("SingleConfig", config)


def _of_kubeconfig(path: Path) -> SingleConfig:
    """The current context of a kubeconfig file."""
    try:
        document = read_document(path)
    except ConfigError as error:
        raise DiscoveryError(str(error.problems[0])) from error
    try:
        chosen = KubeConfig.from_dict(_current(document.data), fname=path).get()
        user = chosen.user or User() if chosen else User()
        if chosen and user.token_file is not None:
            user = msgspec.structs.replace(user, token=_text(Path(chosen.abs_file(user.token_file))), token_file=None)
    except (KeyError, TypeError, AttributeError, StopIteration, msgspec.ValidationError) as error:
        raise DiscoveryError(f"{path} is not a kubeconfig file with a current context") from error
    return cast("SingleConfig", chosen)._replace(user=user)


def _current(data: Any) -> dict[str, Any]:  # noqa: ANN401 - any YAML
    """The same file with its current context only. Mistakes in others do not matter.

    Raises:
        DiscoveryError: the library would ignore a part of it.
        KeyError, TypeError, AttributeError, StopIteration: it has another form.
    """
    context = next(one for one in data["contexts"] if one["name"] == data["current-context"])
    chosen = {"contexts": [context], "current-context": context["name"]}
    for section, known in (("cluster", _CLUSTER_KEYS), ("user", _USER_KEYS)):
        name = context["context"].get(section)
        chosen[section + "s"] = [one for one in data.get(section + "s") or [] if one["name"] == name]
        unknown = sorted(key for one in chosen[section + "s"] for key in one[section] if key not in known)
        if unknown:
            raise DiscoveryError(f"kubeconfig: {escaped(unknown[0])} of a {section} is not supported")
        for one in chosen[section + "s"]:
            _check_data(one[section])
    return chosen


def _check_data(part: dict[str, Any]) -> None:
    """Inline certificates and keys are base64. The library would leave its temporary file open if they are not."""
    for key in (key for key in part if key.endswith("-data")):
        try:
            base64.b64decode(part[key], validate=True)
        except ValueError as error:  # it may quote a secret
            raise DiscoveryError(f"kubeconfig: {key} is not base64") from error
