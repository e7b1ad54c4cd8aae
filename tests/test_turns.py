"""Dates in facts: after such a date, the state of the server is unknown until the next scan."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from exporter.app import App
from exporter.backends import Backend
from exporter.facts.certificate import CertificateFacts, OcspStatus
from exporter.model import Facts, Failure, Reason, ScanResult, Target, TrustFailure
from exporter.policies import read_config
from exporter.scan import Environment
from tests.support.clock import run_in_feigned_time
from tests.support.facts import certificate, facts, handshake, http, report, result, tried
from tests.support.judging import report_later
from tests.support.targets import NOW

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
POLICY = """
name: own
title: Own
version: '1'
source: our own
checks:
  certificate_valid: {severity: critical, source: x}
  certificate_expiry: {severity: warning, source: x, min_days: 21, min_lifetime_share: 0.25}
"""
VALID = 'tls_posture_check_passed{target="t0",policy="own",check="certificate_valid"'
EXPIRY = 'tls_posture_check_passed{target="t0",policy="own",check="certificate_expiry"'
TRUSTED = 'tls_posture_certificate_trusted{target="t0"}'
EXPIRED = 'tls_posture_certificate_verification_failure{target="t0",reason="expired"}'
GRADE = 'tls_posture_grade_rank{target="t0"}'
STARTS = (VALID, EXPIRY, TRUSTED, EXPIRED, GRADE)

Serves = Callable[[datetime], CertificateFacts | None]
"""What a server shows to a scan at a time; None where it is not to be reached."""


def lasting(begin: datetime, end: datetime, now: datetime, **changes: object) -> CertificateFacts:
    """A certificate from one time to another, as a scan sees it now."""
    failures = [TrustFailure.EXPIRED] if end < now else [TrustFailure.NOT_YET_VALID] if now < begin else []
    dates = {"not_before": begin, "not_after": end}
    chain = (replace(certificate(**dates).first.leaf),)
    return certificate(
        chain=chain,
        path=(0,),
        valid_from=begin,
        valid_until=end,
        trusted=not failures,
        failures=tuple(failures),
        **changes,
    )


class Servers:
    """A backend: the servers are there, and no network is. Each scan takes a second.

    Attributes:
        scans: when each began.
    """

    def __init__(self, now: Callable[[], datetime], serves: Serves) -> None:
        self.scans: list[datetime] = []
        self._now = now
        self._serves = serves

    async def run(
        self, target: Target, _known: Mapping[str | None, Facts], _late: Callable[[], None]
    ) -> tuple[ScanResult, ...]:
        begun = self._now()
        self.scans.append(begun)
        seen = self._serves(begun)
        await asyncio.sleep(1)
        ended = self._now()
        if seen is None:
            failure = Failure("handshake", Reason.CONNECT_REFUSED, "")
            one = replace(
                result(Facts(), target=target, ended_at=ended),
                success=False,
                failures=(failure,),
                probes={"handshake": False},
            )
        else:
            parts = handshake(), seen, http("max-age=31536000"), tried(at=ended)
            one = result(facts(*parts, at=ended), target=target, ended_at=ended)
        return (replace(one, started_at=begun),)


class Daemon:
    """An app with its schedule, in feigned time.

    Attributes:
        ahead: by how much the system's clock was set.
    """

    def __init__(self, folder: Path, serves: Serves, *, targets: int = 1, interval: str = "6h") -> None:
        (folder / "own.yaml").write_text(POLICY)
        file = folder / "config.yaml"
        lines = "".join(f"  - {{name: t{number}, host: t{number}.example}}\n" for number in range(targets))
        file.write_text(f"global: {{scan_interval: {interval}, policy: own.yaml}}\ntargets:\n{lines}")
        self.ahead = timedelta()
        self.servers = servers = Servers(self.now, serves)

        class Unconnected(App):
            def _make_backend(self, _environment: Environment) -> Backend:
                return servers

        self.app = Unconnected(read_config(file), now=self.now)

    def now(self) -> datetime:
        return NOW + timedelta(seconds=asyncio.get_running_loop().time()) + self.ahead

    def shown(self) -> tuple[str | None, ...]:
        """Values of `STARTS`; None where there is none."""
        lines = self.app.metrics("")[0].decode().splitlines()
        values = {start: line.rpartition(" ")[2] for line in lines for start in STARTS if line.startswith(start)}
        return tuple(values.get(start) for start in STARTS)

    def watch(
        self, until: timedelta, every: timedelta, *, steps: Mapping[timedelta, timedelta] | None = None
    ) -> list[tuple[datetime, tuple[str | None, ...]]]:
        """What it exposes, read repeatedly; `steps` set the clock."""

        async def run() -> list[tuple[datetime, tuple[str | None, ...]]]:
            stopping, seen = asyncio.Event(), []
            self.app.start()
            fresh = asyncio.create_task(self.app.freshness.run(stopping))
            left = dict(steps or {})
            while asyncio.get_running_loop().time() < until.total_seconds():
                await asyncio.sleep(every.total_seconds())
                for after in [after for after in left if after.total_seconds() <= asyncio.get_running_loop().time()]:
                    self.ahead += left.pop(after)
                seen.append((self.now(), self.shown()))
            stopping.set()
            await fresh
            await self.app.stop()
            return seen

        return run_in_feigned_time(run())


UNKNOWN = (None, None, None, None, None)


def test_a_server_that_renews_in_time_is_never_called_expired(tmp_path: Path) -> None:
    """Certificates of an hour, renewed when a third is left, and a scan every half hour."""

    def serves(now: datetime) -> CertificateFacts:
        begin = NOW + (now - NOW) // (40 * MINUTE) * 40 * MINUTE
        return lasting(begin, begin + HOUR, now)

    daemon = Daemon(tmp_path, serves, interval="30m")
    shown = [values for _, values in daemon.watch(4 * HOUR, 20 * SECOND)]
    grade = shown[5][4]
    assert set(shown) <= {
        ("1", "1", "1", None, grade),
        UNKNOWN,
        (None, None, None, None, None),
        ("1", None, "1", None, grade),
    }
    known = sum(values[0] == "1" for values in shown)
    assert known >= len(shown) * 0.99, "it does not stay unknown for longer than a scan takes"
    assert len(daemon.servers.scans) <= 9 + 3 * 7, (
        "at most one more for each date of a certificate: with a quarter and a tenth left, and its end"
    )


def test_a_certificate_that_is_still_served_after_its_end_is_expired_within_seconds(tmp_path: Path) -> None:
    end = NOW + 100 * MINUTE
    daemon = Daemon(tmp_path, lambda now: lasting(NOW - 30 * 24 * HOUR, end, now))
    shown = daemon.watch(105 * MINUTE, 10 * SECOND)
    before = {values[:4] for now, values in shown if NOW + MINUTE < now <= end}
    after = {values[:4] for now, values in shown if now > end + 10 * SECOND}
    assert before == {("1", "0", "1", None)}
    assert after == {("0", "0", "0", "1")}
    assert [begun for begun in daemon.servers.scans if end < begun < end + MINUTE] == [
        begun for begun in daemon.servers.scans if end + SECOND <= begun < end + 5 * SECOND
    ]
    assert len([begun for begun in daemon.servers.scans if end < begun < end + 30 * MINUTE]) == 1


def test_one_that_cannot_be_reached_then_stays_unknown_and_is_scanned_as_ever(tmp_path: Path) -> None:
    end, back = NOW + 20 * MINUTE, NOW + 100 * MINUTE

    def serves(now: datetime) -> CertificateFacts | None:
        if end - MINUTE < now < back:
            return None
        return lasting(NOW - 30 * 24 * HOUR, end, now) if now < end else lasting(now - HOUR, now + 90 * 24 * HOUR, now)

    daemon = Daemon(tmp_path, serves, interval="30m")
    shown = daemon.watch(135 * MINUTE, 20 * SECOND)
    between = [values for now, values in shown if end + 20 * SECOND < now < back]
    assert set(between) == {UNKNOWN}
    # Three as ever, one for the date, and two more since that one failed.
    assert len([begun for begun in daemon.servers.scans if end < begun < back]) <= 3 + 1 + 2
    assert shown[-1][1][:4] == ("1", "1", "1", None)


def test_a_server_that_is_restarted_when_its_certificate_ends_is_tried_again_soon(tmp_path: Path) -> None:
    end = NOW + 20 * MINUTE

    def serves(now: datetime) -> CertificateFacts | None:
        if end - MINUTE < now < end + 10 * SECOND:
            return None
        return lasting(NOW - 30 * 24 * HOUR, end, now) if now < end else lasting(now - HOUR, now + 90 * 24 * HOUR, now)

    daemon = Daemon(tmp_path, serves)
    shown = daemon.watch(30 * MINUTE, 20 * SECOND)
    assert "0" not in {values[0] for _, values in shown}
    assert {values[0] for now, values in shown if now > end + 3 * MINUTE} == {"1"}


def test_a_certificate_of_the_future_is_looked_at_when_its_time_begins(tmp_path: Path) -> None:
    begin = NOW + 20 * MINUTE
    daemon = Daemon(tmp_path, lambda now: lasting(begin, begin + 90 * 24 * HOUR, now))
    shown = daemon.watch(25 * MINUTE, 10 * SECOND)
    assert {values[0] for now, values in shown if NOW + MINUTE < now < begin} == {"0"}
    assert {values[0] for now, values in shown if now > begin + 10 * SECOND} == {"1"}


def test_a_stapled_response_is_looked_at_when_it_ends(tmp_path: Path) -> None:
    end = NOW + 20 * MINUTE

    def serves(now: datetime) -> CertificateFacts:
        until = end if now <= end else end + 24 * HOUR
        return lasting(NOW - HOUR, NOW + 90 * 24 * HOUR, now, ocsp_stapled=OcspStatus.GOOD, ocsp_until=until)

    daemon = Daemon(tmp_path, serves)
    daemon.watch(25 * MINUTE, MINUTE)
    assert len([begun for begun in daemon.servers.scans if end < begun < end + 5 * SECOND]) == 1
    good = serves(NOW)
    assert good.at(end).first.ocsp_stapled is OcspStatus.GOOD
    assert good.at(end + SECOND).first.ocsp_stapled is None


def test_certificates_that_last_for_seconds_do_not_lead_to_scans_all_the_time(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, lambda now: lasting(now - HOUR, now + 3 * SECOND, now))
    daemon.watch(30 * MINUTE, MINUTE)
    assert len(daemon.servers.scans) <= 30 + 4


def test_targets_with_one_certificate_are_not_scanned_all_at_once_at_its_end(tmp_path: Path) -> None:
    end, targets = NOW + 20 * MINUTE, 40
    daemon = Daemon(tmp_path, lambda now: lasting(NOW - 30 * 24 * HOUR, end, now), targets=targets)
    daemon.watch(25 * MINUTE, MINUTE)
    extra = [begun for begun in daemon.servers.scans if end < begun < end + 2 * MINUTE]
    assert targets <= len(extra) <= targets + 3
    assert max(sum(second <= begun < second + SECOND for begun in extra) for second in extra) <= 25


@pytest.mark.parametrize("step", [-3 * HOUR, 3 * HOUR, timedelta(days=3653), -timedelta(days=3653)])
def test_a_clock_that_is_set_ends_with_facts_of_the_new_time(tmp_path: Path, step: timedelta) -> None:
    """Facts of the future are of unknown age: they go, and do not stay until the clock has come there."""
    daemon = Daemon(tmp_path, lambda now: lasting(now - HOUR, now + 90 * 24 * HOUR, now))
    shown = daemon.watch(25 * MINUTE, MINUTE, steps={20 * MINUTE: step})
    scans = daemon.servers.scans
    at = NOW + 20 * MINUTE + step
    assert len([begun for begun in scans if at <= begun < at + MINUTE]) == 1
    assert shown[-1][1][:4] == ("1", "1", "1", None)
    (name,) = daemon.app.store.names()
    saved = daemon.app.store.get(name)
    assert saved is not None
    assert saved.begun_at - at < HOUR
    assert len(scans) <= 4


def test_facts_of_the_future_do_not_hold() -> None:
    seen = report(facts(handshake(), certificate()))
    target = seen.target
    for late, known in ((timedelta(0), 2), (-MINUTE, 2), (-MINUTE - SECOND, 0), (-timedelta(days=3653), 0)):
        anew = report_later(seen, target, [], NOW + late)
        assert (anew.facts.get(CertificateFacts) is not None) is bool(known)
        assert (anew.last_success_at is not None) is bool(known)
