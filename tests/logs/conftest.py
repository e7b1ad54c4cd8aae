import logging
from collections.abc import Iterator

import pytest


@pytest.fixture
def _logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    loggers = [root, *(logging.getLogger(name) for name in ("exporter", "apscheduler", "uvicorn"))]
    before = [(logger, logger.level) for logger in loggers]
    handlers = list(root.handlers)
    root.handlers = []  # basicConfig would close those of the test runner
    logging.captureWarnings(False)  # a test that ran the program may have left it on
    yield
    logging.captureWarnings(False)
    root.handlers = handlers
    for logger, level in before:
        logger.setLevel(level)
