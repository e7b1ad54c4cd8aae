"""Smoke tests of the service of systemd, on a machine where docs/install.md was followed. It needs root.

    PYTHON tools/smoke_unit.py

PYTHON is that of the installation. The service must scan with all protections of its workers, in one process and in
several, reload, and stop. The last line has the seconds from the start of the service to its first verdict.
"""

import re
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import smoke

UNIT = "tls-posture-exporter"
CONFIG, FLAGS = Path("/etc/tls-posture-exporter/config.yaml"), Path("/etc/default/tls-posture-exporter")
URL = "http://127.0.0.1:19443"
PROTECTIONS = ("seccomp", "landlock")


def systemctl(*words: str) -> str:
    """What it prints; it must succeed."""
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, timeout=smoke.SECONDS, check=False)  # noqa: S603, S607
    smoke.demand(done.returncode == 0, f"systemctl {words}: {done.stdout}{done.stderr}")
    return done.stdout


def scraped() -> str:
    """The metrics, as soon as they have a verdict."""
    end, metrics = time.monotonic() + smoke.SECONDS, ""
    while time.monotonic() < end and "\ntls_posture_check_passed{" not in metrics:
        time.sleep(0.05)
        with urllib.request.urlopen(f"{URL}/metrics", timeout=smoke.SECONDS) as answer:  # noqa: S310 - our own
            metrics = answer.read().decode()
    return metrics


def try_with(flags: str) -> float:
    """Start the service with these flags and an empty store; the seconds until its first verdict."""
    FLAGS.write_text(f"ARGS={flags}\n")
    systemctl("stop", UNIT)
    systemctl("clean", "--what=state", UNIT)
    started = time.monotonic()
    systemctl("start", UNIT)  # returns when the daemon is ready
    metrics = scraped()
    seconds = time.monotonic() - started
    smoke.check_metrics(metrics, nassl=True)
    for protection in PROTECTIONS:
        line = rf'^tls_posture_exporter_worker_protection{{protection="{protection}"}} 1'
        smoke.demand(re.search(line, metrics, re.MULTILINE), f"{protection} is off")
    systemctl("reload", UNIT)
    smoke.demand("active" in systemctl("is-active", UNIT), "it does not survive a reload")
    smoke.demand("code=killed" not in systemctl("show", UNIT), "it was killed")
    return seconds


def main() -> None:
    """Run as described at the top of the module."""
    with tempfile.TemporaryDirectory() as name, smoke.web_server(Path(name)) as port:
        CONFIG.write_text(f"targets:\n  - {{name: web, host: 127.0.0.1, port: {port}}}\n")
        seconds = try_with("")
        try_with("--scan.processes=2")
        systemctl("stop", UNIT)
        smoke.demand("Result=success" in systemctl("show", "--property=Result", UNIT), "it did not end well")
    print(f"smoke: passed; {seconds:.1f} s from the start of the service to the first verdict")  # noqa: T201 - a script


if __name__ == "__main__":
    main()
