"""What tests of real servers share: workers that try attacks, since each takes a second to start."""

import asyncio
from collections.abc import Iterator

import pytest

from exporter.workers import Workers
from tests.support.attacked import Scans


@pytest.fixture(scope="session")
def scans() -> Iterator[Scans]:
    with asyncio.Runner() as runner:
        workers = Workers()
        yield Scans(runner, workers)
        runner.run(workers.close())
