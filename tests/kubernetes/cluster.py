"""A real API server of Kubernetes on loopback, without nodes and controllers: etcd and kube-apiserver.

These, and a program with Prometheus' discovery, are built from Go modules, with the hashes of `go.sum`. The
programs are kept in `KUBERNETES_CACHE`.
"""

import hashlib
import json
import os
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import yaml

from tests.support.processes import find_program, free_port, running, wait_for

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("KUBERNETES_CACHE") or Path.home() / ".cache" / "tls-posture-exporter" / "kubernetes")
VERSION = "1.33.1"
_MAJOR, _MINOR, _ = VERSION.split(".")
_FLAGS = {
    "etcd": "-s -w",
    "helm": "-s -w",
    "prometheus": "-s -w",
    # Without its version it refuses to start.
    "apiserver": "-s -w "
    + " ".join(
        f"-X k8s.io/component-base/version.{name}={value}"
        for name, value in {"gitVersion": f"v{VERSION}", "gitMajor": _MAJOR, "gitMinor": _MINOR}.items()
    ),
}
ADMIN = "admin-token"
"""Of a user in the group system:masters."""


def build(name: str) -> Path:
    """The program of this folder, built unless the cache has it. kube-apiserver takes some six minutes of two cores."""
    module = HERE / name
    digest = hashlib.sha256()
    for file in sorted(module.iterdir()):
        digest.update(file.read_bytes())
    program = CACHE / f"{name}-{digest.hexdigest()[:16]}"
    if not program.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = program.with_suffix(".unfinished")
        command = [
            "nice",
            find_program("go"),
            "build",
            "-trimpath",
            "-ldflags",
            _FLAGS[name],
            "-o",
            str(unfinished),
            ".",
        ]
        subprocess.run(command, cwd=module, check=True, timeout=3_600)
        unfinished.rename(program)
    return program


def module_folder(name: str) -> Path:
    """The files of a Go module of which only files are used."""
    command = [find_program("go"), "mod", "download", "-json", name]
    said = subprocess.run(command, cwd=HERE / "crds", check=True, timeout=600, capture_output=True, text=True).stdout
    return Path(json.loads(said)["Dir"])


def gateway_definitions() -> list[dict[str, Any]]:
    """The definitions of HTTPRoute and Gateway, of the module of the Gateway API."""
    folder = module_folder("sigs.k8s.io/gateway-api") / "config" / "crd" / "standard"
    names = ("gateways", "httproutes")
    return [yaml.safe_load((folder / f"gateway.networking.k8s.io_{name}.yaml").read_text()) for name in names]


@dataclass(frozen=True)
class Cluster:
    """The API server.

    Attributes:
        url: of its root.
        ca_file: whose certificate it has.
    """

    url: str
    ca_file: Path

    def call(self, method: str, path: str, body: Any = None, token: str = ADMIN, **query: str) -> httpx2.Response:  # noqa: ANN401 - JSON
        """The answer to a request."""
        headers = {"Authorization": f"Bearer {token}"}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        with httpx2.Client(
            base_url=self.url, verify=ssl.create_default_context(cafile=self.ca_file), trust_env=False, timeout=60
        ) as client:
            return client.request(method, path, json=body, headers=headers, params=query)

    def create(self, thing: dict[str, Any], path: str) -> dict[str, Any]:
        """The created object; `path` is that of its collection."""
        answer = self.call("POST", path, thing)
        assert answer.status_code in {200, 201}, answer.text
        created: dict[str, Any] = answer.json()
        return created

    def change(self, path: str, patch: dict[str, Any]) -> None:
        """Merge this into an object."""
        answer = self.call("PATCH", path, patch)
        assert answer.status_code == 200, answer.text

    def delete(self, path: str) -> None:
        """Delete an object, or all of a collection."""
        answer = self.call("DELETE", path)
        assert answer.status_code == 200, answer.text

    def token(self, namespace: str, account: str) -> str:
        """A new token of a service account, valid for ten minutes (the shortest)."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
        token: str = self.create(body, path)["status"]["token"]
        return token


@contextmanager
def etcd(folder: Path) -> Iterator[int]:
    """The port of an empty etcd, while the block runs."""
    port, peer_port = free_port(), free_port()
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
    command = [
        *(str(build("etcd")), "--data-dir", str(folder / "etcd"), "--unsafe-no-fsync", "--log-level", "error"),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"),
    ]
    with running(command, folder / "etcd.log", port=port):
        yield port


def compact(port: int) -> None:
    """Forget all versions but the newest, as the API server has etcd do every five minutes."""
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}/v3/kv/", trust_env=False) as client:
        revision = client.post("range", json={"key": "AA=="}).json()["header"]["revision"]
        assert client.post("compaction", json={"revision": revision, "physical": True}).status_code == 200


@contextmanager
def api_server(folder: Path, etcd_port: int, port: int | None = None) -> Iterator[Cluster]:
    """An API server on this etcd, once it is ready, while the block runs."""
    port = port or free_port()
    key = folder / "accounts.key"
    if not key.exists():
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
        (folder / "tokens.csv").write_text(f"{ADMIN},admin,admin,system:masters\n")
    command = [
        *(str(build("apiserver")), f"--etcd-servers=http://127.0.0.1:{etcd_port}", f"--secure-port={port}"),
        *(
            "--bind-address=127.0.0.1",
            f"--cert-dir={folder / 'certificates'}",
            f"--token-auth-file={folder}/tokens.csv",
        ),
        *(f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}"),
        *("--service-account-issuer=https://kubernetes.test.example", "--authorization-mode=RBAC"),
        *("--service-cluster-ip-range=10.0.0.0/24", "--disable-admission-plugins=ServiceAccount"),
        "--feature-gates=WatchList=true",  # for a bookmark that comes at once
    ]
    cluster = Cluster(f"https://127.0.0.1:{port}", folder / "certificates" / "apiserver.crt")
    with running(command, folder / "apiserver.log"):
        wait_for("the API server", 180, lambda: _ready(cluster))
        yield cluster


def _ready(cluster: Cluster) -> bool:
    try:
        return cluster.ca_file.exists() and cluster.call("GET", "/readyz").status_code == 200
    except httpx2.HTTPError:
        return False
