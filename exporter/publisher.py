"""What the daemon publishes of each target: its latest reports, judged, stored and rendered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from exporter.fleet import KeyIndex
from exporter.judge import Judge, held
from exporter.metrics import Exposition, render_reports, render_target, target_samples
from exporter.model import Facts, Report, ScanResult, Target
from exporter.store import Store


@dataclass(frozen=True, slots=True)
class Setup:
    """Settings from one configuration.

    Attributes:
        targets: by name.
        judge: has the policies of all targets.
        full: metrics in full detail.
    """

    targets: Mapping[str, Target] = field(default_factory=dict)
    judge: Judge = field(default_factory=lambda: Judge({}))
    full: bool = False


class Publisher:
    """Judges, stores and renders the results of scans; one target's reports at a time.

    Attributes:
        setup: the settings of the latest configuration.
    """

    def __init__(self, store: Store, exposition: Exposition, keys: KeyIndex, now: Callable[[], datetime]) -> None:
        self.setup = Setup()
        self._store = store
        self._exposition = exposition
        self._keys = keys
        self._now = now
        self._to_render: set[str] = set()

    def apply(self, setup: Setup) -> set[str]:
        """Use this setup; returns the names of previous targets that are still the same service.

        The other targets are removed with all their series at once. If a name now belongs to another service, that
        service must not inherit the old facts.
        """
        before = self.setup.targets
        kept = {name for name, known in before.items() if same_service(setup.targets.get(name), known)}
        for name in before.keys() - kept:
            self._store.remove(name)
            self._exposition.remove(name)
            self._keys.remove(name)
            self._to_render.discard(name)
        self.setup = setup
        for name, target in setup.targets.items():
            if self._store.get(name):
                self._to_render.add(name)
            else:
                samples = target_samples(target, setup.judge.policies_of(target))
                self._exposition.put(name, render_target(target, samples, full=setup.full))
        return kept

    def begun_at(self, name: str) -> datetime | None:
        """When the latest scan of the target began; None before it has ended."""
        return min((report.result.started_at for report in self._store.get(name)), default=None)

    def known(self, target: Target) -> dict[str | None, Facts]:
        """The valid facts of each address of the target."""
        now = self._now()
        return {report.address: held(report.facts, target, now) for report in self._store.get(target.name)}

    def take(self, results: Sequence[ScanResult]) -> set[str]:
        """Judge and show the results of a scan of one target; returns the other targets whose verdict may change."""
        before = self._store.get(results[0].target.name)
        return self._publish(self.setup.judge.after_scan(results, self._now(), before))

    def judge_again(self, name: str) -> set[str]:
        """Judge the facts of the target again now; returns the other targets whose verdict may change.

        If nothing changes, the shown report stays as it is.
        """
        reports, target = self._store.get(name), self.setup.targets.get(name)
        if not reports or target is None:
            return set()
        judged = self.setup.judge.later(reports, target, self._now())
        return self._publish(judged) if judged != tuple(reports) or name in self._to_render else set()

    def _publish(self, reports: Sequence[Report]) -> set[str]:
        target = reports[0].target
        self._store.put(reports)
        lines = render_reports(reports, self.setup.judge.policies_of(target), full=self.setup.full)
        self._exposition.put(target.name, lines)
        self._to_render.discard(target.name)
        # The neighbours' facts about this one have changed; their own have not.
        return self._keys.update(target.name, reports)

    def next_turn(self, name: str, since: datetime) -> datetime | None:
        """The first date after `since` that was seen of the target and changes a verdict; None without one."""
        return self.setup.judge.next_turn(self._store.get(name), self.setup.targets[name], since)

    def latest(self, name: str) -> Sequence[Report]:
        """The latest reports of this target; none before its first scan has ended."""
        return self._store.get(name)

    def reports(self) -> list[Sequence[Report]]:
        """The latest reports of every scanned target, by name; one report for each address."""
        return list(self._store.all())


def same_service(one: Target | None, other: Target | None) -> bool:
    """Whether two targets of one name are the same service, so that facts about one apply to the other."""
    return one is not None and other is not None and _service(one) == _service(other)


def _service(target: Target) -> tuple[object, ...]:
    where = target.host, target.port, target.connect_address, target.addresses, target.ip_protocol
    way = target.proxy and str(target.proxy)  # another password leads to the same service, another proxy need not
    return *where, way, target.starttls, target.server_name, target.ca_file, target.client_certificate
