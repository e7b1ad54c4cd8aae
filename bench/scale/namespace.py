"""Runs a program in namespaces of its own for the network and processes, so that nothing of it is left at its end."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.scale.daemon import children
from tests.support.leftovers import end_with_parent

ENTERED = "TLS_POSTURE_SCALE_NAMESPACE"
UNSHARE = ("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
TERMINATED = 128 + signal.SIGTERM
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
    return (trial.stderr.decode(errors="replace").strip() or "unshare failed") if trial.returncode else None


def run_inside(module: str, arguments: Sequence[str]) -> int | None:
    """Run the module in namespaces of its own; its exit code. None if this process is there, or none can be made.

    All processes of the namespace end with the first one there, and that one ends with this process.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))  # so that all blocks end
    if ENTERED in os.environ:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=_TRIAL_SECONDS)  # noqa: S607
        _PORTS.write_text(_MANY_PORTS)
        return None
    problem = why_not()
    if problem is not None:
        print(f"without a network namespace: {problem}", file=sys.stderr)  # noqa: T201 - a program
        return None
    command = [*UNSHARE, sys.executable, "-m", module, *arguments]
    environment = {**os.environ, ENTERED: "1"}
    # In the same process group, so that Ctrl-C reaches it. unshare itself lets no signal through.
    process = subprocess.Popen(command, env=environment, preexec_fn=end_with_parent)  # noqa: PLW1509, S603 - one thread
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: _pass_on(process.pid))
    return process.wait()


def _pass_on(unshare: int) -> None:
    for child in children(unshare):
        os.kill(child, signal.SIGTERM)
