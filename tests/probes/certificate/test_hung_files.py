"""Files of the operator on storage that hangs stop the scans of their own targets only."""

import asyncio
import os
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from exporter.facts.certificate import CertificateFacts
from exporter.model import ClientCertificate, Target
from exporter.probes.certificate import PROBE
from exporter.threads import CERTIFICATES, FILES
from tests.support.certificates import HOST, dns, issue, pem_file, server_context
from tests.support.targets import make_session, make_target

HUNG = 7
"""More targets than asyncio's default executor has threads, with two processors."""
SECONDS = 30.0


class Storage:
    """Files under this name cannot be opened until `works` is set."""

    def __init__(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.works, opens = threading.Event(), os.open

        def open_slowly(path: Any, *arguments: Any, **named: Any) -> int:  # noqa: ANN401 - of os.open
            if str(path) == name:
                self.works.wait()
            return opens(path, *arguments, **named)

        monkeypatch.setattr("exporter.files.os.open", open_slowly)


async def until_hung(tasks: list[asyncio.Task[CertificateFacts]]) -> None:
    """Wait until a thread hangs for each task."""
    async with asyncio.timeout(SECONDS):
        while FILES.busy < len(tasks):
            assert not any(task.done() for task in tasks)
            await asyncio.sleep(0.01)


async def probe(target: Target) -> CertificateFacts:
    return await PROBE.run(make_session(target))


@pytest.mark.parametrize("kind", ["ca_file", "client_certificate"])
def test_hung_files_of_some_targets_do_not_stop_the_others(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaf, hung_file = issue(HOST, names=dns(HOST)), str(tmp_path / "hung.pem")
    Path(hung_file).touch()
    storage = Storage(hung_file, monkeypatch)
    value = hung_file if kind == "ca_file" else ClientCertificate(hung_file, hung_file)
    context = server_context(pem_file(tmp_path / "leaf.pem", leaf, key=leaf))

    async def run() -> CertificateFacts:
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
        target = partial(make_target, server.sockets[0].getsockname()[1])
        hung = [asyncio.create_task(probe(target(name=f"hung {n}", **{kind: value}))) for n in range(HUNG)]
        try:
            await until_hung(hung)
            async with asyncio.timeout(SECONDS):
                facts = await probe(target(name="healthy"))
            assert (FILES.busy, CERTIFICATES.busy, CERTIFICATES.queue) == (HUNG, 0, 0)
            assert not any(task.done() for task in hung)
            return facts
        finally:
            for task in hung:
                task.cancel()
            await asyncio.wait(hung)
            storage.works.set()
            async with asyncio.timeout(SECONDS):
                while FILES.busy:
                    await asyncio.sleep(0.01)
            server.close()

    assert asyncio.run(run()).first.subject_alternative_names == (f"DNS:{HOST}",)
