"""What the farm compares is able to fail: outcomes that do not fit, scans that are late, growth."""

from dataclasses import replace
from datetime import timedelta

import pytest

from exporter.schedule import first_delay, phase
from tests.hostile.behaviour import Behaviour
from tests.hostile.promises import Promise, broken, unfitting
from tests.hostile.registry import BEHAVIOURS
from tests.hostile.rounds import Outcome, Round
from tests.hostile.setup import Pace
from tests.hostile.timing import dues
from tests.hostile.watching import Sample, Scan, Usage, samples, scan_of

SILENT = next(one for one in BEHAVIOURS if one.name == "accepts-and-never-speaks")
NEVER_ANSWERS = next(one for one in BEHAVIOURS if one.name == "never-answers")
INTERVAL, START = 100.0, 1_800_000_000.0
PAGE = """# TYPE tls_posture_last_scan_timestamp_seconds gauge
tls_posture_last_scan_timestamp_seconds{target="a"} 1800000010
tls_posture_scan_duration_seconds{target="a"} 2.5
tls_posture_scan_connections{target="a"} 7
tls_posture_scan_success{target="a"} 0
tls_posture_probe_success{target="a",probe="dns"} 1
tls_posture_probe_success{target="a",probe="handshake"} 0
tls_posture_probe_failure{target="a",probe="handshake",reason="not_tls"} 1
tls_posture_scan_success{target="b"} 1
tls_posture_exporter_targets 2
"""


def scan(began: float = START, *shown: Sample, success: bool = True, seconds: float = 2.0, **outcomes: str) -> Scan:
    return Scan(began + seconds, seconds, 7, success, outcomes, shown)


def outcome(
    scans: dict[str, list[Scan]], *behaviours: Behaviour, usages: tuple[Usage, ...] = (), page: str = ""
) -> Outcome:
    """One round, or one for each usage, with all scans in the first."""
    rounds = [Round(number, START + number * 240, {}, used) for number, used in enumerate(usages or (None,))]
    rounds[0].scans = scans
    healthy = tuple(name for name in scans if name.startswith("healthy"))
    return Outcome(
        Pace(interval=240), behaviours, healthy, tuple(rounds), {}, [], {}, log="", page=page, ended_at=START + 10
    )


def test_a_scan_is_read_from_the_metrics() -> None:
    found = scan_of(samples(PAGE)["a"])
    assert found is not None
    assert (found.began_at, found.seconds, found.connections, found.success) == (1_800_000_007.5, 2.5, 7, False)
    assert found.outcomes == {"dns": "success", "handshake": "not_tls"}
    assert scan_of(samples(PAGE)["b"]) is None


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("protocol_accepted", True),
        ("protocol_accepted 0", True),
        ("protocol_accepted 1", False),
        ("protocol_accepted{TLSv1.3} 0", True),
        ("protocol_accepted{TLSv1.2} 0", False),
        ("vulnerable", False),
    ],
)
def test_patterns_name_samples(pattern: str, matches: bool) -> None:
    assert Sample("protocol_accepted", {"protocol": "TLSv1.3"}, 0.0).matches(pattern) is matches


@pytest.mark.parametrize(
    ("behaviour", "seen", "problem"),
    [
        (SILENT, scan(handshake="handshake_timeout"), None),
        (SILENT, scan(handshake="not_tls"), "handshake has not_tls"),
        (SILENT, scan(handshake="success"), "handshake has success"),
        (SILENT, scan(handshake="internal"), "handshake has internal"),
        (
            SILENT,
            scan(START, Sample("protocol_accepted", {"protocol": "TLSv1.3"}, 0.0), handshake="handshake_timeout"),
            "shows protocol_accepted",
        ),
        (NEVER_ANSWERS, scan(handshake="success", http="http_timeout"), None),
        (NEVER_ANSWERS, scan(handshake="success", http="success"), "http has success"),
        (NEVER_ANSWERS, scan(handshake="success"), "http has no outcome"),
        (NEVER_ANSWERS, scan(handshake="deadline_exceeded", http="http_timeout"), None),
        (NEVER_ANSWERS, scan(handshake="success", http="http_timeout", dns="worker_crashed"), "dns has worker_crashed"),
    ],
)
def test_outcomes_that_do_not_fit(behaviour: Behaviour, seen: Scan, problem: str | None) -> None:
    found = unfitting(behaviour, seen)
    assert found[0].startswith(problem) if problem else found == []


def test_many_probes_that_the_deadline_ended_are_a_problem() -> None:
    cut = {NEVER_ANSWERS.name: [scan(handshake="deadline_exceeded")]}
    assert Promise.FITTING in broken(outcome(cut, NEVER_ANSWERS), [Promise.FITTING])


def test_late_failed_and_missing_scans_are_found() -> None:
    scans = {SILENT.name: [scan(seconds=26.0)], "healthy-01": [scan(success=False)]}
    found = broken(outcome(scans, SILENT, NEVER_ANSWERS), [Promise.DEADLINE, Promise.HEALTHY])
    assert found[Promise.DEADLINE] == [f"{SILENT.name}: 26.0 s", f"{NEVER_ANSWERS.name}: never scanned"]
    assert len(found[Promise.HEALTHY]) == 1


def test_growth_is_found_after_the_second_round() -> None:
    small = Usage(100_000, 0, 20, 8)
    grown = replace(small, own_kib=130_000, threads=12, descriptors=80)
    steady = outcome({}, usages=(replace(small, own_kib=50_000), small, small))
    assert broken(steady, [Promise.FLAT]) == {}
    assert len(broken(outcome({}, usages=(small, small, grown)), [Promise.FLAT])[Promise.FLAT]) == 3


def test_characters_that_are_not_printable_are_found() -> None:
    page = 'a{name="x"} 1\nb{name="\u202ex"} 1\nc{name="\u2028x"} 1\nd{name="\x1bx"} 1\ne{name="\u00e9"} 1\n'
    assert len(broken(outcome({}, page=page), [Promise.PRINTABLE])[Promise.PRINTABLE]) == 3


def test_a_target_is_due_after_the_start_and_at_its_phase() -> None:
    every = timedelta(seconds=INTERVAL)
    first = START + first_delay("a", every, 20).total_seconds()
    offset = (phase("a", every).timestamp() - START) % INTERVAL
    phases = [at for n in range(4) if (at := START + offset + n * INTERVAL) - first >= INTERVAL / 2]
    scans = [scan(at + late) for at, late in zip([first, *phases], [0.5, 3.0, 90.0], strict=False)]
    found = dues("a", scans, interval=INTERVAL, targets=20, began=START, ended=START + 4 * INTERVAL)
    assert [round(one.late or 0.0, 1) for one in found[:3]] == [0.5, 3.0, 90.0]

    missed = dues("a", scans[:2], interval=INTERVAL, targets=20, began=START, ended=START + 4 * INTERVAL)
    assert missed[2].late is None
