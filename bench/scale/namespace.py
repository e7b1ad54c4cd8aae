"""Runs a program in namespaces of its own for the network and processes, so that nothing of it is left at its end."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ENTERED = "TLS_POSTURE_SCALE_NAMESPACE"
UNSHARE = ("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_MANY_PORTS = "32768 65535"
_TRIAL_SECONDS = 10


def why_not() -> str | None:
    """Why no namespace can be made here; None if it can."""
    if not shutil.which("unshare") or not shutil.which("ip"):
        return "unshare or ip is not installed"
    try:
        trial = subprocess.run([*UNSHARE, "true"], capture_output=True, timeout=_TRIAL_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return trial.stderr.decode(errors="replace").strip() or "unshare failed" if trial.returncode else None


def entered() -> bool:
    """Whether this process is in the namespace; the first one there switches loopback on."""
    if ENTERED not in os.environ:
        return False
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=_TRIAL_SECONDS)  # noqa: S607
    _PORTS.write_text(_MANY_PORTS)
    return True


def enter(module: str, arguments: Sequence[str]) -> None:
    """Replace this process by one that runs the module in namespaces of its own; all of them end together."""
    command = [*UNSHARE, sys.executable, "-m", module, *arguments]
    os.execvpe(command[0], command, {**os.environ, ENTERED: "1"})  # noqa: S606 - no shell is wanted
