"""Names with a moment each."""

from datetime import datetime, timedelta
from random import Random

from exporter.agenda import Agenda
from tests.support.targets import NOW

HOUR = timedelta(hours=1)


def test_names_are_taken_when_their_moment_has_come_the_earliest_first_and_once() -> None:
    agenda = Agenda()
    for name, hours in (("late", 3), ("early", 1), ("middle", 2), ("gone", 1), ("moved", 1)):
        agenda.put(name, NOW + hours * HOUR)
    agenda.put("gone", None)
    agenda.put("moved", NOW + 5 * HOUR)
    assert agenda.take(NOW) == []
    assert agenda.take(NOW + 2 * HOUR) == ["early", "middle"]
    assert agenda.take(NOW + 4 * HOUR) == ["late"]
    assert len(agenda) == 1
    agenda.put("early", NOW)
    assert agenda.take(NOW + 5 * HOUR) == ["early", "moved"]


def test_only_names_that_are_kept_are_taken() -> None:
    agenda = Agenda()
    for name in "abc":
        agenda.put(name, NOW)
    agenda.keep_only({"b", "d"})
    assert agenda.take(NOW) == ["b"]


def test_a_moment_that_is_put_back_is_taken_once() -> None:
    agenda = Agenda()
    for hours in (1, 2, 1):
        agenda.put("one", NOW + hours * HOUR)
    assert agenda.take(NOW + 3 * HOUR) == ["one"]
    assert agenda.take(NOW + 3 * HOUR) == []


def test_it_is_as_a_dictionary_and_does_not_grow_with_replaced_moments() -> None:
    random, agenda, known = Random(1), Agenda(), dict[str, datetime]()  # noqa: S311 - no secret
    for step in range(20_000):
        name, now = str(random.randrange(50)), NOW + step * HOUR
        moment = None if random.random() < 0.1 else now + random.random() * 1000 * HOUR
        agenda.put(name, moment)
        known.pop(name, None)
        if moment is not None:
            known[name] = moment
        due = sorted((at, one) for one, at in known.items() if at <= now)
        assert agenda.take(now) == [one for _, one in due]
        known = {one: at for one, at in known.items() if at > now}
        assert agenda.heap_size <= 2 * 50 + 1_001
