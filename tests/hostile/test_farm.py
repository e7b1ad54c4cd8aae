"""The short form of `make hostile`: most hostile servers once, all at once, next to twenty healthy ones."""

import pytest

from tests.hostile.behaviour import NEVER_FITTING
from tests.hostile.promises import Promise, broken
from tests.hostile.registry import BEHAVIOURS, SHORT
from tests.hostile.rounds import run
from tests.hostile.setup import Pace

PACE = Pace(interval=240, scan_timeout=45, healthy_timeout=120, timeout=3.0, concurrent=40, attacks=False)
"""One round, which ends when each target was scanned: within a minute, mostly."""
PROMISED = (*(Promise.ON_TIME, Promise.HEALTHY, Promise.DEADLINE, Promise.FITTING, Promise.QUIET), Promise.PRINTABLE)
"""Not that the daemon answers in under a second, which a busy machine breaks too, and not that memory stays the same,
which a single round does not show. `make hostile` looks at both."""


@pytest.mark.real
@pytest.mark.timeout(400)
def test_each_hostile_server_ends_in_time_and_with_a_fitting_outcome_next_to_healthy_ones() -> None:
    assert broken(run(PACE, 1, [one.name for one in SHORT], until_scanned=True), PROMISED) == {}


def test_the_farm_has_more_than_sixty_behaviours_with_names_of_their_own() -> None:
    names = [behaviour.name for behaviour in BEHAVIOURS]
    assert len(names) == len(set(names))
    assert len(SHORT) > 60
    assert not any(NEVER_FITTING & outcomes for behaviour in BEHAVIOURS for outcomes in behaviour.fitting.values())
