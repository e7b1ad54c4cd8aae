"""What the daemon publishes of each target: its latest reports, judged, stored and rendered."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256

from exporter.fleet import KeyIndex
from exporter.judge import Judge, held, seen_after, together
from exporter.metrics import Exposition, Lines, render_reports, render_target, target_samples
from exporter.model import Facts, Report, ScanResult, Seen, Target, Verdict
from exporter.moments import Now
from exporter.store import Store
from exporter.store.saved import Saved
from exporter.summaries import LatestVerdicts, Summary, judged_of

NOT_BY_HELLOS = frozenset(
    {
        *("hsts", "hsts_on_errors", "hsts_preload", "http_redirect", "server_software"),
        *("caa", "caa_issuer", "dnssec", "dane", "mta_sts", "mta_sts_policy"),
        *("certificate_valid", "certificate_expiry", "certificate_lifetime", "certificate_chain"),
    }
)
"""Checks that a scan decides anew however few hellos it sends."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Settings from one configuration.

    Attributes:
        targets: by name.
        judge: has the policies of all targets.
        full: metrics in full detail.
        named: policies that may be named in requests, by their own names: the key of each in `judge.policies`.
    """

    targets: Mapping[str, Target] = field(default_factory=dict)
    judge: Judge = field(default_factory=lambda: Judge({}))
    full: bool = False
    named: Mapping[str, str] = field(default_factory=dict)


class Publisher:
    """Judges, stores and renders the results of scans; one target's reports at a time.

    Attributes:
        setup: the settings of the latest configuration.
        now: the clock.
    """

    def __init__(self, store: Store, exposition: Exposition, keys: KeyIndex, now: Callable[[], datetime]) -> None:
        self.setup = Setup()
        self._store = store
        self._exposition = exposition
        self._keys = keys
        self.now = now
        self._unwritten: set[str] = set()
        self._judged: dict[str, LatestVerdicts] = {}
        self._changes: dict[str, datetime | None] = {}

    def apply(self, setup: Setup) -> set[str]:
        """Use this setup; returns the names of previous targets that are still the same service.

        The other targets are removed with all their series at once. If a name now belongs to another service, that
        service must not inherit the old facts. What can fail comes first, so a failure changes nothing.
        """
        before, kept = self.setup.targets, self.kept(setup)
        shown = before.keys() - self.changed(setup)
        fresh = {
            name: self._without_results(setup, name)
            for name in setup.targets
            if name not in shown and not self._is_known(name, kept)
        }
        for name in before.keys() - kept:
            self._store.remove(name)
            self._exposition.remove(name)
            self._judged.pop(name, None)
            self._changes.pop(name, None)
            self._keys.remove(name)
        self.setup = setup
        for name, lines in fresh.items():
            if not self._restore(setup.targets[name]):
                self._exposition.put(name, lines)
        return kept

    def _restore(self, target: Target) -> bool:
        """Whether the target is known from before the start. It is shown when it is judged.

        Its keys are indexed at once: what its neighbours share with it must be known when the first of them is judged.
        """
        seen = self._store.adopt(target, service_key(target))
        if seen:
            self._index(target, seen, self.now())
        return bool(seen)

    def _index(self, target: Target, seen: Sequence[Seen], now: datetime) -> set[str]:
        """Index the keys of the target; returns the targets whose verdict may change."""
        return self._keys.update(target.name, [replace(one, facts=held(one.facts, target, now)) for one in seen])

    def changed(self, setup: Setup) -> set[str]:
        """The names of targets that this setup shows in another way than the current one: judged again, or removed."""
        before, after = self.setup.targets, setup.targets
        if setup.judge is not self.setup.judge or setup.full is not self.setup.full:
            return {*before, *after}
        return {name for name in before.keys() | after.keys() if before.get(name) is not after.get(name)}

    def kept(self, setup: Setup) -> set[str]:
        """The names of the current targets that are still the same service in this setup."""
        return {name for name, known in self.setup.targets.items() if same_service(setup.targets.get(name), known)}

    def _is_known(self, name: str, kept: Collection[str]) -> bool:
        """Whether the target has results that stay."""
        return (name in kept or name not in self.setup.targets) and self._store.get(name) is not None

    def _without_results(self, setup: Setup, name: str) -> Lines:
        target = setup.targets[name]
        samples = target_samples(target, setup.judge.policies_of(target))
        return render_target(target, samples, full=setup.full)

    def restored(self, setup: Setup) -> dict[str, Saved]:
        """What is known from before the start of targets of this setup, by name."""
        targets = {name: setup.targets[name] for name in self._store.waiting if name in setup.targets}
        found = {name: self._store.restored(target, service_key(target)) for name, target in targets.items()}
        return {name: saved for name, saved in found.items() if saved is not None}

    def begun_at(self, name: str) -> datetime | None:
        """When the latest scan of the target began; None before it has ended."""
        saved = self._store.get(name)
        return saved.begun_at if saved else None

    def known(self, target: Target) -> dict[str | None, Facts]:
        """The valid facts of each address of the target."""
        now = self.now()
        return {one.address: held(one.facts, target, now) for one in self._store.seen(target)}

    def fails_by_hellos(self, name: str) -> bool:
        """Whether the target fails a check that is decided by what hellos show."""
        judged = self._judged.get(name)
        return judged is not None and any(
            one.verdict is Verdict.FAIL and one.check not in NOT_BY_HELLOS for one in judged.verdicts
        )

    def seen(self, target: Target) -> tuple[Seen, ...]:
        """What was seen of the target, by address; empty if it was never scanned."""
        return self._store.seen(target)

    async def take(self, results: Sequence[ScanResult], failures: int) -> tuple[Sequence[Report], set[str]]:
        """Judge, store and show the results of a scan of one target.

        Returns the reports, and the other targets whose verdict may change. The results are shown when they are on
        disk: what was shown is there after a restart.

        Args:
            results: one for each address.
            failures: how many scans have failed in a row, including this one.
        """
        target, setup, now = results[0].target, self.setup, self.now()
        seen = seen_after(results, now, self._store.seen(target))
        # First, because addresses of one target are neighbours too: the verdicts are final, and nothing has changed
        # when they are judged again.
        affected = self._index(target, seen, now) - {target.name}
        clock = Now(now)
        reports = setup.judge.reports(seen, target, clock)
        saved = self._store.put(seen, reports, service_key(target), failures, now)
        self._unwritten.add(target.name)
        try:
            await self._store.written()
        finally:
            self._unwritten.discard(target.name)
        if self.setup is not setup or self._store.get(target.name) is not saved:
            return reports, affected | self.judge_again(target.name)
        return reports, affected | self._show(reports, clock)

    def judge_again(self, name: str) -> set[str]:
        """Judge the target again now and show the result; returns the other targets whose verdict may change."""
        target = self.setup.targets.get(name)
        if target is None or name in self._unwritten:
            return set()
        seen = self._store.seen(target)
        if not seen:
            self._changes.pop(name, None)
            return set()
        now = self.now()
        clock = Now(now)
        reports = self.setup.judge.reports(seen, target, clock)
        self._store.judged(name, reports, now)
        return self._show(reports, clock)

    def _show(self, reports: Sequence[Report], clock: Now) -> set[str]:
        """Show these reports, which were judged by this clock. What shows them is judged by it too."""
        target = reports[0].target
        lines = render_reports(reports, self.setup.judge.policies_of(target), full=self.setup.full)
        self._exposition.put(target.name, lines)
        self._judged[target.name] = judged_of(reports)
        self._changes[target.name] = clock.next_change
        # The neighbours' facts about this one have changed; their own have not.
        return self._keys.update(target.name, reports)

    def next_change(self, name: str) -> datetime | None:
        """The next moment at which time alone may change what is shown of the target; None if none is known."""
        return self._changes.get(name)

    def next_turn(self, name: str, since: datetime) -> datetime | None:
        """The first date after `since` that was seen of the target and changes a verdict; None without one."""
        target = self.setup.targets[name]
        return self.setup.judge.next_turn(self._store.seen(target), target, since)

    def reports(self) -> list[Sequence[Report]]:
        """The reports of every scanned target at this time, by name; one report for each address."""
        return [self.reports_of(name) for name in self._store.names()]

    def reports_of(self, name: str) -> Sequence[Report]:
        """The reports of the target at this time, one for each address; empty before its first scan.

        Raises:
            KeyError: there is no such target.
        """
        return together(self.each_report_of(name))

    def each_report_of(self, name: str) -> Iterator[Report]:
        """The same reports one by one, each made when it is asked for; `exporter.judge.together` compares them.

        Raises:
            KeyError: there is no such target.
        """
        target = self.setup.targets[name]
        return self.setup.judge.each_report(self._store.seen(target), target, self.now())

    def summary(self, name: str) -> Summary | None:
        """The target in short; None if there is no such target."""
        target = self.setup.targets.get(name)
        if target is None:
            return None
        policies = tuple(policy.name for policy in self.setup.judge.policies_of(target))
        return Summary(target, policies, self._judged.get(name))


def same_service(one: Target | None, other: Target | None) -> bool:
    """Whether two targets of one name are the same service, so that facts about one apply to the other."""
    if one is other:  # as most of a list of ten thousand
        return one is not None
    return one is not None and other is not None and _service(one) == _service(other)


def service_key(target: Target) -> str:
    """A text that is equal for the same service, also after a restart."""
    return sha256(repr(_service(target)).encode()).hexdigest()[:32]


def _service(target: Target) -> tuple[object, ...]:
    where = target.host, target.port, target.connect_address, target.addresses, target.ip_protocol
    way = target.proxy and str(target.proxy)  # another password leads to the same service, another proxy need not
    zone = (target.zone,) if target.zone else ()  # the same address is another machine there
    return *where, way, target.starttls, target.server_name, target.ca_file, target.client_certificate, *zone
