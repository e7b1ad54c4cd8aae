"""The order of tests among the workers of pytest-xdist, which begin with a part each and then take over from others.

A test that takes long waits for most of that time. Half of the workers begin with these tests, while the others have
tests that compute. None is left for the end, when it would run alone.
"""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def long_ones_first(groups: Sequence[tuple[Sequence[T], bool]], workers: int) -> list[T]:
    """All tests of these groups (modules), those that are long at the beginning of the parts of half of the workers.

    Parts are as `--dist worksteal` makes them: as many consecutive tests for each worker.
    """
    long = [tests for tests, is_long in groups if is_long]
    others = [test for tests, is_long in groups if not is_long for test in tests]
    total, found = len(others) + sum(map(len, long)), list[T]()
    beginners = max(1, workers // 2)
    for worker in range(workers):
        size = (total - len(found)) // (workers - worker)
        part = [test for tests in long[worker::beginners] for test in tests] if worker < beginners else []
        missing = max(0, size - len(part))
        found += [*part, *others[:missing]]
        others = others[missing:]
    return found
