"""The short form of `make soak`: resources in use do not grow with the number of scans."""

import pytest

from bench.soak import run
from exporter.workers import WorkerLimits

SCANS = 40
EVERY = 10
JOBS_EACH = 30
"""Each scan has two or three jobs, so the worker is replaced on the way."""
GROWTH = 1.25
"""Between the second and the last measurement: what is loaded on first use has been loaded by then."""


@pytest.mark.real
def test_scans_in_a_row_leave_nothing_behind() -> None:
    *states, end = run(SCANS, EVERY, WorkerLimits(jobs_each=JOBS_EACH))
    assert [state.scans for state in states] == [10, 20, 30, 40]
    second, last = states[1], states[-1]
    assert last.own_kib < GROWTH * second.own_kib
    assert last.workers_kib < GROWTH * max(state.workers_kib for state in states[:2])
    assert max(len(state.workers) for state in states) <= 2
    assert last.descriptors <= second.descriptors
    assert last.threads <= second.threads + 1  # a pool adds one when all are busy
    assert len(frozenset[int]().union(*(state.workers for state in states))) > 1, "none was replaced"
    assert (len(end.workers), end.restarts) == (0, 0)
