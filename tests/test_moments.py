"""A time that notes when what it was compared with gives another result."""

import operator
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import holds
from exporter.moments import Now
from tests.support.targets import NOW

TICK, DAY, HOUR = timedelta.resolution, timedelta(days=1), timedelta(hours=1)
COMPARISONS = (operator.lt, operator.le, operator.gt, operator.ge)
Compare = Callable[[object, object], bool]
NEAR = st.timedeltas(-3 * DAY, 3 * DAY) | st.sampled_from([timedelta(0), TICK, -TICK])
END = datetime.max.replace(tzinfo=UTC)
BEGIN = datetime.min.replace(tzinfo=UTC)


def assert_changes(judge: Callable[[Now], object]) -> None:
    """The result is the same until the noted moment, and another one then; or it never changes."""
    now = Now(NOW)
    result = judge(now)
    change = now.next_change
    if change is None:
        assert judge(Now(NOW + 4000 * DAY)) == result
    else:
        assert change > NOW
        assert judge(Now(change - TICK)) == result
        assert judge(Now(change)) != result


@given(apart=NEAR, shift=NEAR, compare=st.sampled_from(COMPARISONS), turned=st.booleans())
def test_the_moment_of_a_comparison_is_noted(
    apart: timedelta, shift: timedelta, compare: Compare, turned: bool
) -> None:
    def judge(now: Now) -> bool:
        moved, moment = (now + shift) - 2 * shift, NOW + apart
        return compare(moment, moved) if turned else compare(moved, moment)

    assert_changes(judge)
    assert judge(Now(NOW)) is (compare(NOW + apart, NOW - shift) if turned else compare(NOW - shift, NOW + apart))


@given(apart=st.integers(-3, 3), compare=st.sampled_from(COMPARISONS), turned=st.booleans())
def test_the_midnight_of_a_comparison_of_days_is_noted(apart: int, compare: Compare, turned: bool) -> None:
    day = NOW.date() + timedelta(days=apart)

    def judge(now: Now) -> bool:
        return compare(day, now.today) if turned else compare(now.today, day)

    assert_changes(judge)
    assert judge(Now(NOW)) is (compare(day, NOW.date()) if turned else compare(NOW.date(), day))


@given(apart=NEAR, unit=st.sampled_from([DAY, HOUR]))
def test_the_end_of_each_unit_is_noted(apart: timedelta, unit: timedelta) -> None:
    assert_changes(lambda now: (now.units_apart(NOW + apart, unit), now > NOW + apart))
    assert Now(NOW).units_apart(NOW + apart, unit) == abs(apart) // unit


@given(age=NEAR, lifetime=st.timedeltas(timedelta(0), 2 * DAY))
def test_the_end_and_the_begin_of_the_time_for_which_a_fact_holds_are_noted(
    age: timedelta, lifetime: timedelta
) -> None:
    assert_changes(lambda now: holds(NOW - age, now, lifetime))
    assert holds(NOW - age, Now(NOW), lifetime) is holds(NOW - age, NOW, lifetime)


def test_a_day_as_text_changes_at_midnight() -> None:
    assert_changes(lambda now: now.day_text("%Y%m%d"))
    assert Now(NOW).day_text("%Y%m%d") == "20261122"


def test_the_first_of_several_is_the_next_change() -> None:
    now = Now(NOW)
    assert now < NOW + DAY
    assert now < NOW + 3 * HOUR
    assert now > NOW - HOUR
    assert now.next_change == NOW + 3 * HOUR


@pytest.mark.parametrize("moment", [END, BEGIN])
def test_what_is_at_the_ends_of_the_calendar_never_comes(moment: datetime) -> None:
    now = Now(NOW)
    assert (now + DAY > moment) is (moment == BEGIN)
    assert (now - DAY > moment) is (moment == BEGIN)
    assert now.today <= date.max
    now.units_apart(moment, DAY)
    assert now.next_change is None or now.next_change > NOW


@pytest.mark.parametrize(
    "read", [str.format, lambda _, now: now == NOW, lambda _, now: {now}, lambda _, now: now - NOW]
)
def test_a_time_cannot_be_read(read: Callable[[str, object], object]) -> None:
    with pytest.raises(TypeError):
        read("{:%Y}", Now(NOW))
    with pytest.raises(TypeError):
        read("{:%Y}", Now(NOW).today)
