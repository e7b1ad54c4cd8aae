"""Scanners that nobody here wrote, asked about the same server."""

import json
import subprocess
import sys
from pathlib import Path

from exporter.model import Protocol
from tests.support.servers import HOST

_SSLYZE_COMMANDS = {
    Protocol.SSL2: ("--sslv2", "ssl_2_0_cipher_suites"),
    Protocol.SSL3: ("--sslv3", "ssl_3_0_cipher_suites"),
    Protocol.TLS1_0: ("--tlsv1", "tls_1_0_cipher_suites"),
    Protocol.TLS1_1: ("--tlsv1_1", "tls_1_1_cipher_suites"),
    Protocol.TLS1_2: ("--tlsv1_2", "tls_1_2_cipher_suites"),
    Protocol.TLS1_3: ("--tlsv1_3", "tls_1_3_cipher_suites"),
}


def sslyze_suites(port: int, folder: Path) -> dict[Protocol, set[str]]:
    """What sslyze finds accepted: protocol -> IANA names, only protocols with any."""
    report = folder / "sslyze.json"
    flags = [flag for flag, _ in _SSLYZE_COMMANDS.values()]
    command = [sys.executable, "-m", "sslyze", *flags, f"--json_out={report}", "--quiet", f"--sni={HOST}"]
    done = subprocess.run([*command, f"127.0.0.1:{port}"], capture_output=True, text=True, timeout=110, check=False)
    assert report.is_file(), done.stdout + done.stderr
    (server,) = json.loads(report.read_text())["server_scan_results"]
    assert server["connectivity_status"] == "COMPLETED", server
    found: dict[Protocol, set[str]] = {}
    for protocol, (_, name) in _SSLYZE_COMMANDS.items():
        attempt = server["scan_result"][name]
        assert attempt["status"] == "COMPLETED", attempt
        accepted = {suite["cipher_suite"]["name"] for suite in attempt["result"]["accepted_cipher_suites"]}
        if accepted:
            found[protocol] = accepted
    return found
