"""What changes with time only, without a scan: hours pass at once, and no connection is possible."""

import asyncio
import json
import os
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from exporter.app import App
from exporter.config import Config
from exporter.model import Facts, IpProtocol
from exporter.policies import read_config
from exporter.store import Store
from tests.support.clock import run_in_feigned_time
from tests.support.facts import certificate, facts, good_facts, handshake, http_everywhere, report, showing
from tests.support.targets import NOW, make_target

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


async def nobody(host: str, _port: int, _protocol: IpProtocol) -> tuple[str, ...]:
    raise AssertionError(f"{host} is looked up, which only a scan does")


def write_policy(file: Path, checks: str, *, name: str = "own", extends: str = "") -> Path:
    head = f"name: {name}\ntitle: Own\nversion: '1'\nsource: our own\n{extends}"
    file.write_text(f"{head}checks:\n{checks}", encoding="utf-8")
    return file


def write_config(folder: Path, targets: int = 1, head: str = "") -> Config:
    """Targets `t0`, `t1`, ... under the policy `own.yaml`; what was seen of them counts for days."""
    lines = "".join(f"  - {{name: t{n}, host: t{n}.example}}\n" for n in range(targets))
    file = folder / "config.yaml"
    file.write_text(f"global: {{scan_interval: 1d, policy: own.yaml}}\n{head}targets:\n{lines}", encoding="utf-8")
    return read_config(file)


class Daemon:
    """An app whose targets have been scanned and are not scanned again, because its schedule never starts."""

    def __init__(self, seen: Facts, begin: datetime, targets: int = 1) -> None:
        store = Store()
        for number in range(targets):
            one = report(seen, target=make_target(name=f"t{number}"))
            store.put([one], [one], service="", failures=0, at=NOW)
        self._begin = begin
        self.app = App(Config(), store=store, now=self.now, lookup=nobody)

    def now(self) -> datetime:
        return self._begin + timedelta(seconds=asyncio.get_running_loop().time())

    async def until(self, moment: datetime) -> None:
        await asyncio.sleep((moment - self.now()).total_seconds())

    def lines(self) -> list[str]:
        """The samples of targets."""
        page = self.app.metrics("")[0].decode()
        return [line for line in page.splitlines() if line.startswith("tls_posture_") and 'target="' in line]

    def values(self, start: str) -> list[str]:
        """Of the samples that begin so."""
        return [line.rpartition(" ")[2] for line in self.lines() if line.startswith(start)]


async def living(daemon: Daemon, config: Config, steps: Coroutine[None, None, None]) -> None:
    """The steps, while the daemon keeps fresh what it shows under this configuration."""
    stopping = asyncio.Event()
    daemon.app.apply(config)
    fresh = asyncio.create_task(daemon.app.freshness.run(stopping))
    await steps
    stopping.set()
    await fresh


CERTIFICATE_VALID = "  certificate_valid: {severity: critical, source: x}\n"
CERTIFICATE_EXPIRY = "  certificate_expiry: {severity: warning, source: x, min_days: 1, min_lifetime_share: 1}\n"
MAINTAINED = "  server_software: {severity: warning, source: x, maintained: true}\n"
HSTS = "  hsts: {severity: warning, source: x, min_max_age_seconds: 1"
ENDS = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
SHORT_LIVED = facts(certificate(not_after=ENDS))
BANNER = facts(handshake(), showing(http_everywhere("max-age=1"), ("server", "nginx/1.99.3")))
EOL = {"name": "nginx", "releases": [{"name": "1.99", "isEol": False, "eolFrom": "2026-11-23"}]}
NEXT_DAY = datetime(2026, 11, 24, tzinfo=UTC)
PASSED = 'tls_posture_check_passed{{target="t0",policy="own",check="{}"'
COMPLIANT = 'tls_posture_compliant{target="t0",policy="own"}'


class Change(NamedTuple):
    """A moment, and the value of a check before and after it; the policy has no other check."""

    what: str
    check: str
    demand: str
    seen: Facts
    moment: datetime
    before: str | None
    after: str | None


CHANGES = [
    Change("a certificate ends", "certificate_valid", CERTIFICATE_VALID, SHORT_LIVED, ENDS, "1", None),
    Change("a day before", "certificate_expiry", CERTIFICATE_EXPIRY, SHORT_LIVED, ENDS - timedelta(days=1), "1", None),
    Change("support ends", "server_software", MAINTAINED, BANNER, NEXT_DAY, "1", "0"),
    Change("a demand begins", "hsts", f"{HSTS}, from: 2026-11-24}}\n", facts(http_everywhere()), NEXT_DAY, None, "0"),
    Change("a demand ends", "hsts", f"{HSTS}, until: 2026-11-23}}\n", facts(http_everywhere()), NEXT_DAY, "0", None),
    Change("max_age", "hsts", f"{HSTS}}}\n", facts(http_everywhere()), NOW + timedelta(days=3), "0", None),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.what)
def test_a_verdict_changes_within_a_minute_of_its_moment_without_a_connection(tmp_path: Path, change: Change) -> None:
    write_policy(tmp_path / "own.yaml", change.demand)
    (tmp_path / "eol.json").write_text(json.dumps({"generated_at": "2026-11-01T00:00:00Z", "result": [EOL]}))
    config = write_config(tmp_path, head="software: {eol_files: [eol.json]}\n")
    daemon = Daemon(change.seen, change.moment - 90 * SECOND)

    async def steps() -> None:
        for moment, value in ((change.moment - SECOND / 2, change.before), (change.moment + MINUTE, change.after)):
            await daemon.until(moment)
            for start in (PASSED.format(change.check), COMPLIANT):
                assert daemon.values(start) == ([] if value is None else [value])
        assert daemon.app.reports()[0].result.ended_at == NOW

    run_in_feigned_time(living(daemon, config, steps()))


def test_nothing_changes_on_the_page_while_time_changes_nothing(tmp_path: Path) -> None:
    write_policy(tmp_path / "own.yaml", CERTIFICATE_VALID)
    targets = 20
    daemon = Daemon(good_facts(), NEXT_DAY - 10 * MINUTE, targets)

    async def steps() -> None:
        await daemon.until(NEXT_DAY - 9 * MINUTE)
        before = daemon.lines()
        assert daemon.values("tls_posture_compliant{") == ["1"] * targets
        await daemon.until(NEXT_DAY + 5 * MINUTE)
        assert daemon.lines() == before

    run_in_feigned_time(living(daemon, write_config(tmp_path, targets), steps()))


def test_all_targets_of_a_demand_are_judged_within_seconds_of_its_day(tmp_path: Path) -> None:
    write_policy(tmp_path / "own.yaml", f"{HSTS}, from: 2026-11-24}}\n")
    targets = 120
    daemon = Daemon(facts(http_everywhere()), NEXT_DAY - SECOND / 2, targets)

    async def steps() -> None:
        await asyncio.sleep(1 / 4)
        assert daemon.values("tls_posture_compliant{") == []
        await asyncio.sleep(2)
        assert daemon.values("tls_posture_compliant{") == ["0"] * targets

    run_in_feigned_time(living(daemon, write_config(tmp_path, targets), steps()))


def test_a_policy_that_was_edited_judges_all_targets_anew_without_a_scan(tmp_path: Path) -> None:
    policy = write_policy(tmp_path / "own.yaml", CERTIFICATE_VALID)
    targets = 50
    daemon = Daemon(facts(certificate(), http_everywhere()), NOW, targets)

    async def run() -> None:
        daemon.app.apply(write_config(tmp_path, targets))
        await asyncio.sleep(1)
        assert daemon.values("tls_posture_compliant{") == ["1"] * targets
        write_policy(policy, f"{CERTIFICATE_VALID}{HSTS}}}\n")
        later(policy)
        daemon.app.apply(write_config(tmp_path, targets))
        await asyncio.sleep(1)
        assert daemon.values("tls_posture_compliant{") == ["0"] * targets

    run_in_feigned_time(run())


def later(file: Path) -> None:
    """As if it had been written a second later: clocks of file systems are coarse."""
    stat = file.stat()
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))


def test_a_policy_of_which_the_one_it_extends_was_edited_judges_anew(tmp_path: Path) -> None:
    base = write_policy(tmp_path / "base.yaml", f"{HSTS}}}\n", name="base")
    write_policy(tmp_path / "own.yaml", CERTIFICATE_VALID, extends="extends: base.yaml\n")
    daemon = Daemon(facts(certificate(), http_everywhere("max-age=5")), NOW)

    async def run() -> None:
        daemon.app.apply(write_config(tmp_path))
        await asyncio.sleep(1)
        assert daemon.values(COMPLIANT) == ["1"]
        write_policy(base, f"{HSTS.replace('seconds: 1', 'seconds: 10')}}}\n", name="base")
        later(base)
        daemon.app.apply(write_config(tmp_path))
        await asyncio.sleep(1)
        assert daemon.values(COMPLIANT) == ["0"]
        assert daemon.values(PASSED.format("hsts")) == ["0"]

    run_in_feigned_time(run())


def with_exception(folder: Path, until: str, **others: str) -> Config:
    keys = {"match": "'{target=\"t0\"}'", "check": "hsts", "until": until, "reason": "x", "accepted_by": "y"} | others
    text = ", ".join(f"{key}: {value}" for key, value in keys.items())
    return write_config(folder, head=f"exceptions: [{{{text}}}]\n")


ACCEPTED = 'tls_posture_check_accepted{target="t0",policy="own",check="hsts",severity="warning"}'
ACCEPTED_UNTIL = ACCEPTED.replace("accepted{", "accepted_until_timestamp_seconds{")


def test_an_exception_ends_by_itself_within_a_minute_of_the_midnight_after_its_last_day(tmp_path: Path) -> None:
    write_policy(tmp_path / "own.yaml", f"{HSTS}}}\n")
    daemon = Daemon(facts(http_everywhere()), NEXT_DAY - 90 * SECOND)

    async def steps() -> None:
        await daemon.until(NEXT_DAY - SECOND / 2)
        assert daemon.values(ACCEPTED) == ["1"]
        assert daemon.values(ACCEPTED_UNTIL) == [str(int(NEXT_DAY.timestamp()))]
        assert daemon.values(PASSED.format("hsts")) == daemon.values(COMPLIANT) == ["0"]
        await daemon.until(NEXT_DAY + MINUTE)
        assert daemon.values(ACCEPTED) == daemon.values(ACCEPTED_UNTIL) == []
        assert daemon.values(PASSED.format("hsts")) == daemon.values(COMPLIANT) == ["0"]

    run_in_feigned_time(living(daemon, with_exception(tmp_path, "2026-11-23"), steps()))


def test_a_reload_judges_by_the_exceptions_that_there_are_now(tmp_path: Path) -> None:
    write_policy(tmp_path / "own.yaml", f"{HSTS}}}\n")
    daemon = Daemon(facts(http_everywhere()), NOW)

    async def run() -> None:
        for config, value in (
            (write_config(tmp_path), []),
            (with_exception(tmp_path, "2026-11-22"), ["1"]),
            (with_exception(tmp_path, "2026-11-21"), []),  # has ended, and is not an error
            (with_exception(tmp_path, "2026-11-22", match="'{target=\"t1\"}'"), []),
        ):
            daemon.app.apply(config)
            await asyncio.sleep(1)
            assert daemon.values(ACCEPTED) == value
            assert daemon.values(PASSED.format("hsts")) == ["0"]

    run_in_feigned_time(run())
