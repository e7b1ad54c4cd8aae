"""Draws a dashboard in a headless Chromium: the bundled page over HTTP on loopback, and a screenshot of it."""

import functools
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.processes import find_program

Json = dict[str, Any]

FOLDER = Path(__file__).parent
BUILD = FOLDER / "build"
MODULES = FOLDER / "node_modules"
WIDTH = 1600
HEADER, CELL, GAP = 88, 30, 8
"""Pixels: the header above the panels, a row of Grafana's grid, the gap between panels; as in src/main.jsx."""
BUDGET_SECONDS = 30
"""Limit in the page's virtual time, which runs as fast as it can."""
PROGRAM_SECONDS = 400
"""Time limit of a program; npm has to download some 100 MB."""


def bundle() -> None:
    """Install the locked packages, unless they are installed already, and bundle the page."""
    lock = (FOLDER / "package-lock.json").read_bytes()
    installed = MODULES / ".made-from"
    if not installed.exists() or installed.read_bytes() != lock:
        _run("npm", "ci", "--ignore-scripts")
        installed.write_bytes(lock)
    _run("node", "build.mjs")
    shutil.copy(FOLDER / "src" / "index.html", BUILD)
    icons = BUILD / "public" / "build" / "img"
    shutil.copytree(MODULES / "@grafana" / "ui" / "dist" / "public" / "img", icons, dirs_exist_ok=True)


def height(dashboard: Json) -> int:
    """Height of the page in pixels."""
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    return HEADER + int(rows) * (CELL + GAP)


@dataclass
class Report:
    """What the page reports about drawing.

    Attributes:
        errors: of drawing; empty if there was none.
        panels: title, text, number of graphs of each, and the pixels of its table that do not fit.
    """

    errors: list[str] = field(default_factory=lambda: ["the page did not finish"])
    panels: list[Json] = field(default_factory=list)


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the bundle and the dashboard, and receives the report."""

    def __init__(self, dashboard: bytes, report: Report, *arguments: Any, **more: Any) -> None:  # noqa: ANN401
        self._dashboard, self._report = dashboard, report
        super().__init__(*arguments, directory=str(BUILD), **more)

    def do_GET(self) -> None:
        """The dashboard, or a file."""
        if self.path != "/dashboard.json":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self._dashboard)))
        self.end_headers()
        self.wfile.write(self._dashboard)

    def do_POST(self) -> None:
        """The report."""
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._report.errors, self._report.panels = said["errors"], said["panels"]
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:  # noqa: ANN401 - as the base class has it
        """Log nothing: the report has the errors."""


@contextmanager
def _serving(dashboard: Json, report: Report) -> Iterator[str]:
    handler = functools.partial(_Handler, json.dumps(dashboard).encode(), report)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/index.html"
        finally:
            server.shutdown()


def shoot(dashboard: Json, file: Path, width: int = WIDTH) -> Report:
    """Draw the dashboard with its results into this PNG file, this many pixels wide.

    Raises:
        subprocess.SubprocessError: the browser fails, or does not end.
    """
    report = Report()
    with _serving(dashboard, report) as url, tempfile.TemporaryDirectory(prefix="pictures-") as profile:
        command = [
            "chromium",
            "--headless=new",
            "--disable-gpu",
            "--hide-scrollbars",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),  # Chromium's sandbox does not run as root
            f"--user-data-dir={profile}",
            f"--window-size={width},{height(dashboard)}",
            f"--virtual-time-budget={BUDGET_SECONDS * 1000}",
            f"--screenshot={file.resolve()}",
            url,
        ]
        _run(*command, quiet=True)
    return report


def _run(program: str, *arguments: str, quiet: bool = False) -> None:
    command = [find_program(program), *arguments]
    subprocess.run(  # noqa: S603 - programs named in this file
        command, cwd=FOLDER, check=True, timeout=PROGRAM_SECONDS, capture_output=quiet
    )


def shrink(file: Path) -> None:
    """Write the PNG file again with fewer colours, which takes a third of the bytes."""
    _run("node", "shrink.mjs", str(file.resolve()))
