"""What counts as a change, and since when something is as it is."""

from datetime import datetime, timedelta

import pytest

from exporter.facts.handshake import HandshakeFacts
from exporter.model import Facts, Protocol, Report
from exporter.store.form import UnreadableRecordError
from exporter.store.history import (
    State,
    StateKey,
    What,
    changes,
    pack_states,
    parse_key,
    states_after,
    unpack_states,
    values_of,
)
from tests.support.facts import GOOD_SUITES, certificate, facts, good_facts, handshake, http, report
from tests.support.targets import NOW

LATER = NOW + timedelta(hours=6)
HSTS = StateKey(What.VERDICT, "kopano-checklist/hsts")


def changed(before: Report, after: Report) -> dict[StateKey, tuple[object, object]]:
    """StateKey -> value before and after."""
    first = states_after({}, values_of(before), NOW)
    then = states_after(first, values_of(after), LATER)
    found = changes("t", None, first, then)
    assert all(one.at == LATER for one in found)
    assert all(then[one.key].since == LATER for one in found)
    assert all(state == first[key] for key, state in then.items() if key not in {one.key for one in found})
    return {one.key: (one.before, one.after) for one in found}


@pytest.mark.parametrize(("ahead", "since"), [(timedelta(days=365), LATER), (timedelta(seconds=1), None)])
def test_nothing_is_as_it_is_since_a_time_to_come(ahead: timedelta, since: datetime | None) -> None:
    """The clock was set back. By a second it is set all the time."""
    before = {HSTS: State("pass", LATER + ahead)}
    after = states_after(before, {HSTS: "pass"}, LATER)
    assert after == {HSTS: State("pass", since or LATER + ahead)}
    assert changes("t", None, before, after) == ()


def good(*parts: object) -> Facts:
    return facts(*parts).over(good_facts())


def weaker(*suites: str, incomplete: tuple[Protocol, ...] = ()) -> HandshakeFacts:
    return handshake({**GOOD_SUITES, Protocol.TLS1_0: suites or ("b", "a")}, incomplete=incomplete)


def test_nothing_changes_between_equal_reports() -> None:
    assert changed(report(good_facts()), report(good_facts(), ended_at=NOW + timedelta(seconds=9))) == {}


def test_a_protocol_that_is_accepted_since_changes_what_follows_from_it() -> None:
    found = changed(report(good()), report(good(weaker())))
    assert found[StateKey(What.PROTOCOL, "TLSv1.0")] == (False, True)
    assert found[StateKey(What.SUITES, "TLSv1.0")] == ([], ["a", "b"])
    assert found[StateKey(What.VERDICT, "kopano-checklist/protocols")] == ("pass", "fail")
    assert found[StateKey(What.GRADE)][0] == "A+"
    assert HSTS not in found


def test_the_order_of_suites_and_a_list_that_is_not_complete_are_no_other_list() -> None:
    before = report(good(weaker()))
    reordered = weaker("a", "b")
    assert StateKey(What.SUITES, "TLSv1.0") not in changed(before, report(good(reordered)))
    cut = weaker(incomplete=(Protocol.TLS1_0,))
    assert changed(before, report(good(cut)))[StateKey(What.SUITES, "TLSv1.0")] == (["a", "b"], None)


def test_a_renewed_certificate_is_named_with_its_end() -> None:
    before, after = changed(report(good()), report(good(certificate(fingerprint_sha256="ab" * 32, not_after=LATER))))[
        StateKey(What.CERTIFICATE)
    ]
    assert isinstance(before, list)
    assert isinstance(after, list)
    assert [one["fingerprint_sha256"] for one in after] == ["ab" * 32]
    assert [one["not_after"] for one in after] == [LATER.isoformat()]


def test_what_is_no_longer_known_is_null_and_not_false() -> None:
    found = changed(report(good()), report(Facts()))
    assert found[StateKey(What.PROTOCOL, "TLSv1.3")] == (True, None)
    assert found[StateKey(What.SUITES, "TLSv1.3")][1] is None
    assert found[StateKey(What.CERTIFICATE)][1] is None
    assert found[HSTS] == ("pass", "unknown")


def test_the_first_sight_of_something_is_not_a_change() -> None:
    states = states_after({}, values_of(report(good())), NOW)
    assert changes("t", None, {}, states) == ()
    less = {key: state for key, state in states.items() if key != HSTS}
    assert changes("t", None, less, states) == (), "a policy was added"
    assert HSTS not in states_after(states, {key: state.value for key, state in less.items()}, LATER)


def test_a_failing_demand_decides_where_a_policy_makes_several() -> None:
    one = report(good(http("max-age=1")))
    assert values_of(one)[HSTS] == "fail"


def test_states_are_the_same_after_they_were_packed() -> None:
    states = states_after({}, values_of(report(good(weaker()))), NOW + timedelta(microseconds=1))
    assert unpack_states(pack_states(states)) == states
    assert pack_states(unpack_states(pack_states(states))) == pack_states(states)


@pytest.mark.parametrize("packed", [b"", b"x", pack_states({StateKey(What.GRADE): State("A", NOW)})[:-1]])
def test_damaged_states_are_an_error(packed: bytes) -> None:
    with pytest.raises(UnreadableRecordError):
        unpack_states(packed)


@pytest.mark.parametrize(
    "key", [StateKey(What.GRADE), StateKey(What.SUITES, "TLSv1.2"), HSTS, StateKey(What.VERDICT, "/a b/c.yaml/x")]
)
def test_a_key_is_read_from_its_text(key: StateKey) -> None:
    assert parse_key(str(key)) == key
