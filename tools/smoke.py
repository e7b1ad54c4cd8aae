"""Smoke tests of an installed exporter: its commands, scans of servers of its own, and the daemon, scraped once.

    PYTHON tools/smoke.py PROGRAM [--short] [--without-nassl]

PYTHON is that of the installation, and PROGRAM its `tls-posture-exporter`. The last line has the seconds from the start
of the daemon to its first scrape with a verdict. Needs nothing but the installation, and only loopback.
"""

import http.server
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

SECONDS = 120
"""For one command, and for the first verdict of the daemon: a busy machine takes long."""
SHORT, NO_NASSL = "--short", "--without-nassl"
"""`--short` makes one scan, and starts the daemon once: a third of the CPU time."""


class Quiet(http.server.BaseHTTPRequestHandler):
    """Answers each request, with HSTS."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("Strict-Transport-Security", "max-age=31536000")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815 - as above

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - as in http.server
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    """HTTPS with TLS 1.2 and 1.3, one thread a connection; the handshake is made there."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(("127.0.0.1", 0), Quiet)

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as in socketserver
        """Shake hands, and answer; scans break off most connections."""
        request.settimeout(SECONDS)
        try:
            with self._context.wrap_socket(request, server_side=True) as tls:
                super().finish_request(tls, client_address)
        except OSError:
            return

    def handle_error(self, *_: Any) -> None:  # noqa: ANN401 - as in socketserver
        """Say nothing."""


@contextmanager
def web_server(folder: Path) -> Iterator[int]:
    """A web server with an RSA certificate of its own; its port."""
    key, now = rsa.generate_private_key(65537, 2048), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(90))
    signed = builder.sign(key, hashes.SHA256())
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, *form) + signed.public_bytes(serialization.Encoding.PEM)
    (folder / "server.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    with Server(context) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def run(program: Path, *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
    """What the command prints on standard output; it must end with one of the codes and print no warning."""
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603
    if done.returncode not in codes or "Traceback" in done.stderr or "Warning" in done.stderr:
        sys.exit(f"{program} {arguments} ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


def demand(holds: object, what: object) -> None:
    """End with a message unless it holds; `assert` would do nothing under -O."""
    if not holds:
        sys.exit(f"smoke: {what}")


def scan(program: Path, port: int, *, nassl: bool) -> None:
    """A scan. Without nassl, the attacks that have to be tried are unknown, and nothing else is."""
    target = f"127.0.0.1:{port}"
    report = json.loads(run(program, "scan", "--format=json", target, codes=(1, 3)))["reports"][0]
    failed = {one["probe"]: one["reason"] for one in report["failures"]}
    wrong = {probe: failed.get(probe) for probe in ("handshake", "certificate", "http") if probe in failed}
    demand(report["success"] and not wrong, report["failures"])
    demand(failed.get("vulnerabilities") == (None if nassl else "library_unavailable"), report["failures"])


def other_forms(program: Path, port: int, *, nassl: bool) -> None:
    """The other forms of a scan that most people use."""
    target = f"127.0.0.1:{port}"
    demand("127.0.0.1" in run(program, "scan", target, codes=(1, 3)), "the table has no target")
    check_metrics(run(program, "scan", "--format=prometheus", target, codes=(1, 3)), nassl=nassl)


def check_metrics(metrics: str, *, nassl: bool) -> None:
    """What was seen is there, and attacks that could not be tried have no series."""
    demand(re.search(r'^tls_posture_protocol_accepted{.*protocol="TLSv1.2".*} 1', metrics, re.MULTILINE), metrics)
    known = set(re.findall(r'^tls_posture_vulnerable{.*vulnerability="(\w+)"', metrics, re.MULTILINE))
    demand(("client_renegotiation" in known) is nassl, known)


@contextmanager
def daemon(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The program as a daemon. It is ended by SIGTERM, and its exit code must be 0."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)  # noqa: S603
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        code = process.wait(SECONDS)
        demand(code == 0, f"{command} ended with {code}: {log.read_text()[-2000:]}")
    finally:
        process.kill()
        process.wait()


def scraped(process: subprocess.Popen[bytes], url: str, log: Path) -> str:
    """The metrics, as soon as they have a verdict."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"{url}/metrics", timeout=SECONDS) as answer:  # noqa: S310
            metrics: str = answer.read().decode()
            if "\ntls_posture_check_passed{" in metrics:
                return metrics
        time.sleep(0.05)
    sys.exit(f"no verdict within {SECONDS} s: {log.read_text()[-2000:]}")


def serve(program: Path, folder: Path, port: int, *flags: str, nassl: bool) -> float:
    """Run the daemon until it is scraped; the seconds until then."""
    config, log = folder / "config.yaml", folder / "log"
    config.write_text(f"targets:\n  - {{name: web, host: 127.0.0.1, port: {port}}}\n")
    run(program, "check-config", f"--config.file={config}")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    started = time.monotonic()
    command = [str(program), "serve", f"--config.file={config}", f"--web.listen-address={address}", *flags]
    with daemon(command, log) as process:
        metrics = scraped(process, f"http://{address}", log)
        seconds = time.monotonic() - started
        check_metrics(metrics, nassl=nassl)
        health = f"--web.listen-address={address}"
        run(program, "healthcheck", health)
    run(program, "healthcheck", health, codes=(1,))
    return seconds


def main() -> None:
    """Run as described at the top of the module."""
    program, nassl = Path(sys.argv[1]).absolute(), NO_NASSL not in sys.argv
    demand(run(program, "--version").startswith("tls-posture-exporter "), "--version")
    with tempfile.TemporaryDirectory() as name, web_server(Path(name)) as port:
        scan(program, port, nassl=nassl)
        seconds = serve(program, Path(name), port, nassl=nassl)
        if SHORT not in sys.argv:
            other_forms(program, port, nassl=nassl)
            serve(program, Path(name), port, "--scan.processes=1", f"--storage.path={name}/store", nassl=nassl)
    print(f"smoke: passed; {seconds:.1f} s from the start of the daemon to the first verdict")  # noqa: T201 - a script


if __name__ == "__main__":
    main()
