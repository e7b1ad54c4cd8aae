"""A real Prometheus and the exporter find the same targets in the same documents, or both refuse them."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from exporter.config.discovery import FileSource
from exporter.config.http_client import HttpSource
from exporter.targets.files import WatchedFiles
from exporter.targets.http import PolledUrl
from exporter.targets.sources import TargetSource
from tests.support.processes import find_program, free_port, running, wait_for
from tests.support.prometheus import Prometheus
from tests.support.sd_documents import JSON, YAML, Found, SdDocument
from tests.support.sources import Pauses, following

pytestmark = pytest.mark.real

CASES: dict[str, SdDocument] = {
    **{f"file/{name}.yml": document for name, document in YAML.items()},
    **{f"file/{name}.json": document for name, document in JSON.items()},
    **{f"http/{name}.json": document for name, document in JSON.items()},
}
"""Job -> document."""
OF_PROMETHEUS = ("job", "__scheme__", "__metrics_path__", "__scrape_interval__", "__scrape_timeout__")
START_SECONDS = 90


@contextmanager
def _serving(folder: Path) -> Iterator[str]:
    """The files of the folder by HTTP, as JSON; gives the URL."""

    class DocumentHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = (folder / self.path.removeprefix("/")).read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), DocumentHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _place(job: str, folder: Path, url: str) -> tuple[str, str]:
    """The kind of source, and where its document is."""
    kind, name = job.split("/")
    return kind, str(folder / name) if kind == "file" else f"{url}/{name}"


def _by_prometheus(folder: Path, documents: Path, url: str) -> dict[str, Found]:
    """What each job discovers; None if it refuses the document. Every target is dropped, so none is scraped."""
    jobs = []
    for job in CASES:
        kind, place = _place(job, documents, url)
        source = {"files": [place]} if kind == "file" else {"url": place}
        drop = [{"action": "drop", "regex": ".*"}]
        jobs.append({"job_name": job, f"{kind}_sd_configs": [source], "relabel_configs": drop})
    (folder / "prometheus.yml").write_text(json.dumps({"scrape_configs": jobs}))
    port, log = free_port(), folder / "prometheus.log"
    command = [
        find_program("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]

    def outcome() -> dict[str, Found] | None:
        found: dict[str, Found] = {job: [] for job in CASES}
        lines = [line for line in log.read_text(errors="replace").splitlines() if " err=" in line]
        for job in CASES:
            _, place = _place(job, documents, url)
            # The log names the path of a file, and the job of a URL.
            if any(f"path={place} " in line or f"config={job} " in line for line in lines):
                found[job] = None
        for target in Prometheus(f"127.0.0.1:{port}").get("targets?state=dropped")["droppedTargets"]:
            labels = dict(target["discoveredLabels"])
            group = found[labels["job"]]
            assert group is not None, f"both targets and an error: {labels}"
            group.append({name: value for name, value in labels.items() if name not in OF_PROMETHEUS})
        # What is neither refused nor found may still be read. Documents without targets show nothing at all.
        waits = [job for job, document in CASES.items() if document.found != [] and found[job] == []]
        return None if waits else found

    with running(command, log, port=port):
        found = wait_for("all documents", START_SECONDS, outcome)
    assert found is not None
    return found


def _by_exporter(documents: Path, url: str) -> dict[str, Found]:
    async def ask(job: str) -> Found:
        kind, place = _place(job, documents, url)
        pauses = Pauses()
        source: TargetSource = WatchedFiles(FileSource(files=[place]), pauses)
        if kind == "http":
            source = PolledUrl(HttpSource(url=place), {}, pauses)
        async with following(source, pauses) as sink:
            if sink.errors:
                assert not sink.groups
                return None
            assert sink.groups is not None
            return [labels for group in sink.groups for labels in group.label_sets()]

    async def ask_all() -> dict[str, Found]:
        return {job: await ask(job) for job in CASES}

    return asyncio.run(ask_all())


def _sorted(found: dict[str, Found]) -> dict[str, Found]:
    return {
        job: None if of is None else sorted(of, key=lambda labels: sorted(labels.items())) for job, of in found.items()
    }


def _with_origin(job: str, found: Found, documents: Path, url: str) -> Found:
    kind, place = _place(job, documents, url)
    label = {"__meta_filepath" if kind == "file" else "__meta_url": place}
    return None if found is None else [{**labels, **label} for labels in found]


def test_prometheus_and_the_exporter_read_the_same(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    for job, document in CASES.items():
        (documents / job.split("/")[1]).write_bytes(document.data)
    with _serving(documents) as url:
        prometheus = _by_prometheus(tmp_path, documents, url)
        ours = _by_exporter(documents, url)
    in_table = {job: _with_origin(job, document.found, documents, url) for job, document in CASES.items()}
    assert _sorted(prometheus) == _sorted(in_table)
    different = {job for job in CASES if _sorted(ours)[job] != _sorted(prometheus)[job]}
    assert different == {job for job, document in CASES.items() if document.ours != "the same"}
    assert len(CASES) - len(different) >= 30
