"""What holds in the neighbourhood of hostile servers, and what broke it in a run."""

import unicodedata
from collections.abc import Callable, Sequence
from enum import Enum

from tests.hostile.behaviour import NEVER_FITTING, SUCCESS, Behaviour
from tests.hostile.rounds import Outcome
from tests.hostile.watching import Scan

SLACK_SECONDS = 5.0
"""A scan may take this much longer than its deadline: the machine that runs the farm is busy."""
SCRAPE_SECONDS = 1.0
MOST_GROWTH, MOST_MORE_DESCRIPTORS, MOST_MORE_THREADS = 1.25, 20, 2
"""Between the end of the second round and that of the last: what is loaded on first use has been loaded by then."""
CUT, NOT_RUN = "deadline_exceeded", "no outcome"
MOST_CUT = 0.2
"""Most of the scans in which the deadline may end a probe of a server that would have answered: on a busy machine it
does, and that says nothing about the server."""


class Promise(Enum):
    """What holds in the neighbourhood of hostile servers."""

    ON_TIME = "healthy targets are scanned within their interval in every round"
    HEALTHY = "scans of healthy targets succeed"
    DEADLINE = "every hostile server is scanned, and its scan ends within its deadline"
    FITTING = "every hostile server has a fitting outcome"
    SCRAPES = "the daemon answers in under a second"
    FLAT = "memory, descriptors and threads do not grow"
    QUIET = "the daemon logs no traceback"
    PRINTABLE = "the metrics have no characters that are not printable"


def broken(outcome: Outcome, promises: Sequence[Promise] = tuple(Promise)) -> dict[Promise, list[str]]:
    """What broke each promise; promises that were kept are not in it."""
    checks: dict[Promise, Callable[[Outcome], list[str]]] = {
        Promise.ON_TIME: _late,
        Promise.HEALTHY: _failed,
        Promise.DEADLINE: _overdue,
        Promise.FITTING: _unfitting,
        Promise.SCRAPES: _slow,
        Promise.FLAT: _growing,
        Promise.QUIET: _loud,
        Promise.PRINTABLE: _unprintable,
    }
    return {promise: found for promise in promises if (found := checks[promise](outcome))}


def _late(outcome: Outcome) -> list[str]:
    began = outcome.rounds[0].began_at
    return [
        f"{name}: due after {due.at - began:.0f} s, and not scanned within {outcome.pace.interval} s"
        for name in outcome.healthy
        for due in outcome.dues(name)
        if due.late is None
    ]


def _failed(outcome: Outcome) -> list[str]:
    return [
        f"{name}: {outcome.details.get(name, dict(scan.outcomes))}"
        for name in outcome.healthy
        for scan in outcome.scans(name)
        if not scan.success
    ]


def _overdue(outcome: Outcome) -> list[str]:
    limit, found = outcome.pace.scan_timeout + SLACK_SECONDS, []
    for behaviour in outcome.hostile:
        scans = outcome.scans(behaviour.name)
        if not scans:
            found.append(f"{behaviour.name}: never scanned")
        found += [f"{behaviour.name}: {scan.seconds:.1f} s" for scan in scans if scan.seconds > limit]
    return found


def _unfitting(outcome: Outcome) -> list[str]:
    pairs = [(behaviour, scan) for behaviour in outcome.hostile for scan in outcome.scans(behaviour.name)]
    found = [f"{behaviour.name}: {problem}" for behaviour, scan in pairs for problem in unfitting(behaviour, scan)]
    cut = [behaviour.name for behaviour, scan in pairs if CUT in _misfits(behaviour, scan).values()]
    if len(cut) > MOST_CUT * len(pairs):
        found.append(f"scans ended too soon: {', '.join(dict.fromkeys(cut))}")
    return list(dict.fromkeys(found))


def unfitting(behaviour: Behaviour, scan: Scan) -> list[str]:
    """What in this scan does not fit the behaviour; a probe that the deadline ended is not among it."""
    found = [
        f"{probe} has {reached}, not {' or '.join(sorted(behaviour.fitting[probe]))}"
        for probe, reached in _misfits(behaviour, scan).items()
        if reached != CUT
    ]
    found += [f"{probe} has {one}" for probe, one in scan.outcomes.items() if one in NEVER_FITTING]
    return found + [
        f"shows {sample}" for pattern in behaviour.never for sample in scan.samples if sample.matches(pattern)
    ]


def _misfits(behaviour: Behaviour, scan: Scan) -> dict[str, str]:
    """Probe -> its outcome, where that is not fitting. Without a server, the other probes are not run."""
    reached = {probe: scan.outcomes.get(probe, NOT_RUN) for probe in behaviour.fitting}
    found = scan.outcomes.get("handshake") == SUCCESS
    return {
        probe: outcome
        for probe, outcome in reached.items()
        if outcome not in behaviour.fitting[probe] and (found or outcome != NOT_RUN)
    }


def _slow(outcome: Outcome) -> list[str]:
    slow = [
        f"{kind}: {len(late)} of {len(seconds)} took longer than {SCRAPE_SECONDS} s, at most {max(late):.1f} s"
        for kind, seconds in outcome.latencies.items()
        if (late := [one for one in seconds if one > SCRAPE_SECONDS])
    ]
    return [*slow, *outcome.errors]


def _growing(outcome: Outcome) -> list[str]:
    used = [one.usage for one in outcome.rounds if one.usage]
    if len(used) < 3:
        return []
    early, late = used[1], used[-1]
    found = []
    if late.own_kib > MOST_GROWTH * early.own_kib:
        found.append(f"memory: {early.own_kib} to {late.own_kib} KiB")
    if late.descriptors > early.descriptors + MOST_MORE_DESCRIPTORS:
        found.append(f"descriptors: {early.descriptors} to {late.descriptors}")
    if late.threads > early.threads + MOST_MORE_THREADS:
        found.append(f"threads: {early.threads} to {late.threads}")
    return found


def _loud(outcome: Outcome) -> list[str]:
    return [line for line in outcome.log.splitlines() if "Traceback" in line]


def _unprintable(outcome: Outcome) -> list[str]:
    """Lines with control, format or separator characters (Unicode categories C and Z), except the blank."""
    return [
        repr(line)
        for line in outcome.page.split("\n")
        if any(sign != " " and unicodedata.category(sign)[0] in "CZ" for sign in line)
    ]
