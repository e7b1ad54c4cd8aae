"""What tests of workers share."""

from collections.abc import Iterator

import pytest

from tests.workers.test_pool import OTHERS, children


@pytest.fixture(autouse=True)
def _only_workers_of_this_test() -> Iterator[None]:
    OTHERS.update(children())
    yield
    OTHERS.clear()
