"""`healthcheck`: whether a daemon on this machine answers. A container runs it all the time, so it loads little."""

import argparse
import contextlib
import http.client
import io
from collections.abc import Sequence
from pathlib import Path

from exporter.cli import exits
from exporter.cli.output import complain
from exporter.cli.parser import DEFAULT_ADDRESS, make_parser
from exporter.errors import ExporterError
from exporter.listen_address import parse_address

FIRST_PROCESS = Path("/proc/1/cmdline")
_OK, _UNAUTHORIZED = 200, 401
_LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to connect to
"""Not by name: an image can be without /etc/hosts."""
_HTTPS = b"sent an HTTP request to an HTTPS server"
"""Of the answer in `exporter.web.opening`."""


def run(options: argparse.Namespace) -> int:
    """Ask; returns the exit code, which says all."""
    address = (options.listen_address or _served_by(FIRST_PROCESS) or [DEFAULT_ADDRESS])[0]
    host, port = parse_address(address)
    try:
        status = _status(_LOOPBACK.get(host, host), port, options.timeout.total_seconds())
    except (OSError, http.client.HTTPException) as error:
        complain(f"tls-posture-exporter: {address} does not answer: {str(error) or type(error).__name__}")
        return exits.NOT_COMPLIANT
    if status in {_OK, _UNAUTHORIZED}:
        return exits.OK
    complain(f"tls-posture-exporter: {address} answers with status {status}")
    return exits.NOT_COMPLIANT


def _served_by(command_line: Path) -> Sequence[str] | None:
    """The addresses that the first process of a container listens on; None if it is not `serve`, or has no flag."""
    try:
        words = command_line.read_bytes().decode(errors="replace").rstrip("\0").split("\0")
        with contextlib.redirect_stderr(io.StringIO()):
            served: argparse.Namespace = make_parser().parse_args(words[words.index("serve") :])
    except (OSError, ValueError, SystemExit):
        return None
    if served.systemd_socket:
        raise ExporterError("the daemon has its sockets from systemd; give --web.listen-address")
    addresses: list[str] | None = served.listen_address
    return addresses


def _status(host: str, port: int, seconds: float) -> int:
    """The status of the daemon's answer; 401 is a demand for a password.

    Raises:
        OSError, HTTPException: nothing that could be its answer came in time.
    """
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    try:
        connection.request("GET", "/-/healthy")
        answer = connection.getresponse()
        # A daemon with TLS says so to who speaks HTTP. Its event loop works then, which is all that a 200 would say,
        # and no handshake can say more to who has no client certificate.
        return _OK if _HTTPS in answer.read(4096) else answer.status
    finally:
        connection.close()
