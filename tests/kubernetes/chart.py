"""The chart by Helm, which is built from its Go module.

`python -m tests.kubernetes.chart` renders the plain manifests.
"""

import hashlib
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.kubernetes.cluster import build

ROOT = Path(__file__).parent.parent.parent
CHART = ROOT / "deploy" / "chart"
PLAIN = ROOT / "deploy" / "kubernetes"
SETS = sorted(file.name.removesuffix("-values.yaml") for file in (CHART / "ci").glob("*-values.yaml"))
_DOCUMENT = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
_BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", _DOCUMENT, re.DOTALL | re.MULTILINE)
SCRAPES = [block for block in _BLOCKS if block.startswith("scrape_configs:")]
"""What docs/kubernetes.md has for Prometheus."""
DOCUMENTED = [block for block in _BLOCKS if block not in SCRAPES]
"""The values of docs/kubernetes.md."""
COMMANDS = re.findall(r"^helm (.+)$", _DOCUMENT, re.MULTILINE)
"""The commands of docs/kubernetes.md for Helm, as arguments in one line."""
RELEASE, NAMESPACE = "tls-posture-exporter", "monitoring"

RENDERED = {
    "exporter.yaml": (),
    "servicemonitor.yaml": ("--set=serviceMonitor.enabled=true", "--show-only=templates/servicemonitor.yaml"),
}
"""Plain manifests -> what Helm is asked for."""

_HEAD = """# For kubectl apply: `make chart` renders this from deploy/chart with its default values.
# SHA-256 of templates and values: {digest}
"""
_LABELS = r"^ +(?:helm\.sh/chart|app\.kubernetes\.io/(?:version|managed-by)): .*\n"
_OF_HELM = re.compile(rf"{_LABELS}|^# Source: .*\n", re.MULTILINE)


def digest() -> str:
    """Of what decides how the plain manifests are rendered, apart from the version."""
    found = hashlib.sha256()
    for file in [CHART / "values.yaml", *sorted((CHART / "templates").iterdir())]:
        found.update(f"{file.name}\n".encode() + file.read_bytes())
    return found.hexdigest()


def values(name: str) -> Path:
    """The file of this set of values."""
    return CHART / "ci" / f"{name}-values.yaml"


def helm(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What Helm says."""
    return subprocess.run(
        [str(build("helm")), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=ROOT,
        env={**os.environ, **environment},
    )


def render(files: Sequence[Path] = (), *more: str) -> str:
    """The manifest of these values."""
    options = [f"--values={file}" for file in files]
    done = helm("template", RELEASE, str(CHART), f"--namespace={NAMESPACE}", *options, *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def plain(name: str) -> str:
    """A plain manifest: the defaults, without the labels of Helm."""
    text = _OF_HELM.sub("", render((), *RENDERED[name]))
    return _HEAD.format(digest=digest()) + text.replace("\n\n---", "\n---").rstrip("\n") + "\n"


def main() -> None:
    """Write the plain manifests."""
    for name in RENDERED:
        (PLAIN / name).write_text(plain(name), encoding="utf-8")


if __name__ == "__main__":
    main()
