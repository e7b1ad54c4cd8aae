"""Pods of rendered manifests, run on this machine: the same arguments, with the paths of volumes below a folder."""

import base64
import re
import shutil
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support.processes import free_port, running, wait_for

Document = dict[str, Any]
Files = Mapping[str, str]

ROOT = Path(__file__).parent.parent.parent
_PORT = "19443"
_VARIABLE = re.compile(r"\$\((\w+)\)")
_POD_INDEX = "metadata.labels['apps.kubernetes.io/pod-index']"


def documents(text: str) -> list[Document]:
    """The objects of a manifest."""
    return [document for document in yaml.safe_load_all(text) if document]


def only(manifest: Sequence[Document], kind: str) -> Document:
    """The one object of this kind."""
    (found,) = [document for document in manifest if document["kind"] == kind]
    return found


def workload(manifest: Sequence[Document]) -> Document:
    """The object that has the pod."""
    (found,) = [document for document in manifest if "template" in document.get("spec", {})]
    return found


def container(manifest: Sequence[Document]) -> Document:
    """The one container of the pod."""
    (found,) = workload(manifest)["spec"]["template"]["spec"]["containers"]
    return dict(found)


def edited(manifest: Sequence[Document], changes: Files) -> list[Document]:
    """The same manifest with other text in its configuration. Each text has to be there."""
    made = documents(yaml.safe_dump_all(manifest))
    data = next(one["data"] for one in made if one["kind"] == "ConfigMap" and "config.yaml" in one["data"])
    for old, new in changes.items():
        assert old in data["config.yaml"], data["config.yaml"]
        data["config.yaml"] = data["config.yaml"].replace(old, new)
    return made


def write_volume(folder: Path, files: Files) -> None:
    """Write files as the kubelet does: all of them change at once, by the swap of a symbolic link.

    Source: kubernetes/pkg/volume/util/atomic_writer.go.
    """
    number = len(list(folder.glob("..2*")))
    version = folder / f"..2026_12_01_{number}"
    version.mkdir(parents=True)
    for name, text in files.items():
        (version / name).write_text(text)
    link = folder / "..data_tmp"
    link.symlink_to(version.name)
    old = (folder / "..data").readlink() if (folder / "..data").exists() else None
    link.replace(folder / "..data")
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data") / name)
    if old:
        shutil.rmtree(folder / old)


@dataclass(frozen=True)
class Pod:
    """One pod that runs.

    Attributes:
        manifest: its objects.
        port: what its port 19443 is here.
        volumes: the folder of each path at which the container has a volume.
        process: of the container.
        trust: for HTTPS.
        log: what it has written.
    """

    manifest: list[Document]
    port: int
    volumes: Mapping[str, Path]
    process: subprocess.Popen[bytes]
    trust: ssl.SSLContext | None
    log: Path

    def get(self, path: str, headers: Files | None = None) -> str:
        """The answer to a request."""
        scheme = "https" if self.trust else "http"
        request = urllib.request.Request(f"{scheme}://localhost:{self.port}{path}", headers=dict(headers or {}))  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=10, context=self.trust) as response:  # noqa: S310 - as above
            return str(response.read().decode())

    def probe(self, name: str) -> str:
        """What the probe of this name gets, asked as the kubelet asks it."""
        asked = container(self.manifest)[name]["httpGet"]
        assert asked["port"] == "http"
        assert asked.get("scheme", "HTTP") == ("HTTPS" if self.trust else "HTTP")
        return self.get(asked["path"], {one["name"]: one["value"] for one in asked.get("httpHeaders", [])})


@dataclass
class Machine:
    """Where pods run. Each needs names and folders of its own.

    Attributes:
        folder: below which all paths are.
        secrets: files of each Secret, which no manifest has.
        trust: for pods with a web configuration.
    """

    folder: Path
    secrets: Mapping[str, Files] = field(default_factory=dict)
    trust: ssl.SSLContext | None = None

    def _lay_out(self, manifest: Sequence[Document], folders: Mapping[str, Path]) -> None:
        """Fill all volumes; each has to be declared, and to be mounted."""
        spec = workload(manifest)["spec"]
        declared = {one["name"]: one for one in spec["template"]["spec"].get("volumes", [])}
        declared |= {one["metadata"]["name"]: {"emptyDir": {}} for one in spec.get("volumeClaimTemplates", [])}
        mounts = {one["name"]: one["mountPath"] for one in container(manifest)["volumeMounts"]}
        assert mounts.keys() == declared.keys()
        for name, path in mounts.items():
            volume, folder = declared[name], folders[path]
            folder.mkdir(parents=True, exist_ok=True)
            if "configMap" in volume:
                (data,) = [
                    one["data"]
                    for one in manifest
                    if one["kind"] == "ConfigMap" and one["metadata"]["name"] == volume["configMap"]["name"]
                ]
                write_volume(folder, {file: moved(text, folders) for file, text in data.items()})
            elif "secret" in volume:
                write_volume(folder, self.secrets[volume["secret"]["secretName"]])
            else:
                assert "emptyDir" in volume

    @contextmanager
    def running(self, manifest: Sequence[Document], index: int = 0, prefix: Sequence[str] = ()) -> Iterator[Pod]:
        """The container of the pod with this index, once its readiness probe succeeds.

        `prefix` is a command that starts its own arguments.
        """
        name = f"{workload(manifest)['metadata']['name']}-{index}"
        folders = {
            one["mountPath"]: self.folder / name / one["mountPath"].lstrip("/")
            for one in container(manifest)["volumeMounts"]
        }
        self._lay_out(manifest, folders)
        port, environment = free_port(), _environment(container(manifest), name, index)
        arguments = [
            moved(_VARIABLE.sub(lambda match: environment[match[1]], argument), folders).replace(
                f"=:{_PORT}", f"=127.0.0.1:{port}"
            )
            for argument in container(manifest)["args"]
        ]
        secured = any(argument.startswith("--web.config.file=") for argument in arguments)
        command = [*prefix, sys.executable, "-m", "exporter", *arguments]
        log = self.folder / f"{name}.log"
        with running(command, log, environment={"PYTHONPATH": str(ROOT), **environment}, port=port) as process:
            pod = Pod([*manifest], port, folders, process, self.trust if secured else None, log)
            wait_for(f"the readiness of {name}", 60, lambda: pod.probe("readinessProbe"))
            yield pod


def moved(text: str, folders: Mapping[str, Path]) -> str:
    """The text with the folders in place of the paths of the container."""
    pattern = "|".join(f"(?<![\\w./-]){re.escape(path)}(?![\\w.-])" for path in folders)
    return re.sub(pattern, lambda match: str(folders[match[0]]), text)


def _environment(described: Document, name: str, index: int) -> dict[str, str]:
    fields = {"metadata.name": name, _POD_INDEX: str(index)}
    return {
        one["name"]: one["value"] if "value" in one else fields[one["valueFrom"]["fieldRef"]["fieldPath"]]
        for one in described.get("env", [])
    }


def basic(user: str, password: str) -> str:
    """The value of the field Authorization."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
