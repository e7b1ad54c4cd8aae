"""What the daemon publishes of each target: its latest reports, judged, stored and rendered."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from itertools import islice
from logging import getLogger

from exporter.fleet import KeyIndex
from exporter.judge import Judge, held, seen_after, together
from exporter.logs import fields
from exporter.metrics import Exposition, Lines, render_reports, render_target, target_samples
from exporter.model import Facts, Report, ScanResult, Seen, Target, Verdict
from exporter.moments import Now
from exporter.shown import StoredHead, body_of, head_of, key_of, near, pack
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

log = getLogger(__name__)

AT_ONCE = 20
"""Targets that one step restores: some 10 ms."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Settings from one configuration.

    Attributes:
        targets: by name.
        judge: has the policies of all targets.
        full: metrics in full detail.
        named: policies that may be named in requests, by their own names: the key of each in `judge.policies`.
        digest: equal where the same is shown for the same facts, see `exporter.shown`; None if that is not known.
    """

    targets: Mapping[str, Target] = field(default_factory=dict)
    judge: Judge = field(default_factory=lambda: Judge({}))
    full: bool = False
    named: Mapping[str, str] = field(default_factory=dict)
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class _Time:
    """When a judgement is made.

    Attributes:
        clock: notes when it can change.
        near: what it gets of neighbours, see `exporter.shown.near`.
    """

    now: datetime
    clock: Now
    near: str | None


@dataclass(frozen=True, slots=True)
class _StoredJudgement:
    """What may be shown of a target without a judgement, and what its key was compared with."""

    head: StoredHead
    packed: bytes
    digest: str | None
    target: Target
    saved: Saved

    def is_about(self, digest: str, target: Target, saved: Saved) -> bool:
        """Whether nothing has changed since the comparison, so that it need not be repeated."""
        return self.digest == digest and self.target is target and self.saved is saved


class Publisher:
    """Judges, stores and renders the results of scans; one target's reports at a time.

    Attributes:
        setup: the settings of the latest configuration.
        restored: how many targets were shown from what was stored.
        unreadable: targets of which something was stored that cannot be read; the caller removes them.
        disturbed: targets that were judged before a neighbour came or went, so that their verdict may have changed; the
            caller removes them.
        now: the clock.
    """

    def __init__(self, store: Store, exposition: Exposition, keys: KeyIndex, now: Callable[[], datetime]) -> None:
        self.setup = Setup()
        self._store = store
        self._exposition = exposition
        self._keys = keys
        self.now = now
        self._unwritten: set[str] = set()
        self._outdated: set[str] = set()  # of the unwritten ones: something has changed since they were judged
        self._judged: dict[str, LatestVerdicts] = {}
        self._waiting: dict[str, None] = {}  # targets that are not shown yet
        self._stored: dict[str, _StoredJudgement] = {}  # what may be shown without a judgement
        self._turns: dict[str, StoredHead] = {}  # of those for which that was done
        self.unreadable: set[str] = set()
        self.disturbed: set[str] = set()
        self.restored = 0
        self._changes: dict[str, datetime | None] = {}

    def apply(self, setup: Setup) -> set[str]:
        """Use this setup; returns the names of previous targets that are still the same service.

        The other targets are removed with all their series at once. If a name now belongs to another service, that
        service must not inherit the old facts. What can fail comes first, so a failure changes nothing.

        The first few new targets are shown at once, the others by `show_waiting`.
        """
        before, kept = self.setup.targets, self.kept(setup)
        shown = before.keys() - self.changed(setup)
        new = [
            name
            for name in setup.targets
            if name in self._waiting or (name not in shown and not self._is_known(name, kept))
        ]
        # Those that wait go on to wait: who shows them also sees to it that they are judged.
        at_once = [name for name in new if name not in self._waiting][:AT_ONCE]
        fresh = {name: self._without_results(setup, name) for name in at_once}
        for name in before.keys() - kept:
            self._store.remove(name)
            self._exposition.remove(name)
            self._judged.pop(name, None)
            self._stored.pop(name, None)
            self._changes.pop(name, None)
            self._note_disturbed(self._keys.remove(name))
        self.setup = setup
        self._waiting = dict.fromkeys(name for name in new if name not in fresh)
        for name, lines in fresh.items():
            if not self._restore(name):
                self._exposition.put(name, lines)
        return kept

    @property
    def waiting(self) -> Collection[str]:
        """The targets that are not shown yet, because the latest setup has many new ones."""
        return self._waiting.keys()

    def show_waiting(self) -> list[str]:
        """Show a few of the targets that wait; returns their names."""
        names = list(islice(self._waiting, AT_ONCE))
        for name in names:
            del self._waiting[name]
            try:
                if not self._restore(name):
                    self._exposition.put(name, self._without_results(self.setup, name))
            except Exception:  # a named border: a bug in one target must not keep the others from being shown
                log.exception("cannot show a target", extra=fields(target=name))
        return names

    def _restore(self, name: str) -> bool:
        """Whether the target is known from before the start. It is shown when it is judged.

        Its keys are indexed at once: what its neighbours share with it must be known when the first of them is judged.
        """
        if self._store.get(name) is not None:
            return True
        target = self.setup.targets[name]
        service = service_key(target)
        saved = self._store.restored(target, service)
        stored = saved is not None
        packed = self._store.shown(name)
        head = None if packed is None or saved is None else self._head(target, saved, packed)
        if packed is not None and saved is not None and head is not None:
            self._store.adopt_unread(target, service, head.oldest)
            self._note_disturbed(self._keys.restore(name, head.word))
            self._stored[name] = _StoredJudgement(head, packed, self.setup.digest, target, saved)
            self.restored += 1
            return True
        seen = self._store.adopt(target, service)
        if seen:
            self._note_disturbed(self._index(target, seen, self.now()))
            self.restored += 1
        elif stored:
            self.unreadable.add(name)
        return bool(seen)

    def _head(self, target: Target, saved: Saved, packed: bytes) -> StoredHead | None:
        """The head of a stored form, if it is about the same as what would be judged now."""
        if self.setup.digest is None:
            return None
        head = head_of(packed)
        same = head is not None and head.key == key_of(self.setup.digest, target, saved)
        return head if head is not None and same and head.holds(self.now()) else None

    def _show_stored(self, name: str) -> bool:
        """Show what is stored of the target, if a judgement would lead to the same. It is done once."""
        stored, saved, digest = self._stored.pop(name, None), self._store.get(name), self.setup.digest
        if stored is None or saved is None or digest is None or not stored.head.holds(self.now()):
            return False
        head, target = stored.head, self.setup.targets[name]
        if not stored.is_about(digest, target, saved) and head.key != key_of(digest, target, saved):
            return False
        body = None if head.near != near(self._keys.neighbours(name), head.word) else body_of(stored.packed)
        if body is None:
            return False
        lines, self._judged[name] = body
        self._exposition.put(name, lines)
        self._changes[name], self._turns[name] = head.changes_at, head
        return True

    def _note_disturbed(self, names: Collection[str]) -> None:
        self.disturbed.update(name for name in names if name in self._judged)
        self._outdated.update(self._unwritten.intersection(names))

    def _know(self, name: str) -> None:
        """Restore the target now, if it waits for that: somebody asks for it."""
        if name in self._waiting and name in self.setup.targets:
            self._restore(name)

    def _index(self, target: Target, seen: Sequence[Seen], now: datetime) -> set[str]:
        """Index the keys of the target; returns the targets whose verdict may change."""
        return self._keys.update(target.name, [replace(one, facts=held(one.facts, target, now)) for one in seen])

    def changed(self, setup: Setup) -> set[str]:
        """The names of targets that this setup shows in another way than the current one: judged again, or removed."""
        before, after = self.setup.targets, setup.targets
        if setup.judge is not self.setup.judge or setup.full is not self.setup.full:
            return {*before, *after}
        return {*(name for name, one in after.items() if before.get(name) is not one), *(before.keys() - after.keys())}

    def kept(self, setup: Setup) -> set[str]:
        """The names of the current targets that are still the same service in this setup."""
        after = setup.targets
        return {
            name
            for name, known in self.setup.targets.items()
            if (one := after.get(name)) is known or same_service(one, known)
        }

    def _is_known(self, name: str, kept: Collection[str]) -> bool:
        """Whether the target has results that stay."""
        return (name in kept or name not in self.setup.targets) and self._store.get(name) is not None

    def _without_results(self, setup: Setup, name: str) -> Lines:
        target = setup.targets[name]
        samples = target_samples(target, setup.judge.policies_of(target))
        return render_target(target, samples, full=setup.full)

    def saved(self, name: str) -> Saved | None:
        """What is kept of this target, also from before the start."""
        target = self.setup.targets.get(name)
        saved = self._store.get(name)
        return saved if saved or target is None else self._store.restored(target, service_key(target))

    def begun_at(self, name: str) -> datetime | None:
        """When the latest scan of the target began; None before it has ended."""
        self._know(name)
        saved = self._store.get(name)
        return saved.begun_at if saved else None

    def known(self, target: Target) -> dict[str | None, Facts]:
        """The valid facts of each address of the target."""
        self._know(target.name)
        now = self.now()
        return {one.address: held(one.facts, target, now) for one in self._store.seen(target)}

    def fails_by_hellos(self, name: str) -> bool:
        """Whether the target fails a check that is decided by what hellos show."""
        self._know(name)
        judged = self._judged.get(name)
        return judged is not None and any(
            one.verdict is Verdict.FAIL and one.check not in NOT_BY_HELLOS for one in judged.verdicts
        )

    def seen(self, target: Target) -> tuple[Seen, ...]:
        """What was seen of the target, by address; empty if it was never scanned."""
        self._know(target.name)
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
        self._know(target.name)
        seen = seen_after(results, now, self._store.seen(target))
        # First, because addresses of one target are neighbours too: the verdicts are final, and nothing has changed
        # when they are judged again.
        affected = self._index(target, seen, now) - {target.name}
        time = _Time(now, Now(now), self._near(target.name))
        reports = setup.judge.reports(seen, target, time.clock)
        saved = self._store.put(seen, reports, service_key(target), failures, now)
        self._unwritten.add(target.name)
        try:
            await self._store.written()
        finally:
            outdated = target.name in self._outdated
            self._unwritten.discard(target.name)
            self._outdated.discard(target.name)
        if outdated or self.setup is not setup or self._store.get(target.name) is not saved:
            return reports, affected | self.judge_again(target.name)
        return reports, affected | self._show(reports, seen, time)

    def judge_again(self, name: str) -> set[str]:
        """Judge the target again now and show the result; returns the other targets whose verdict may change."""
        target = self.setup.targets.get(name)
        if name in self._unwritten:  # it is judged again when its scan is on disk
            self._outdated.add(name)
            return set()
        if target is None or self._show_stored(name):
            return set()
        seen = self._store.seen(target)
        if not seen:
            self._changes.pop(name, None)
            return set()
        now = self.now()
        time = _Time(now, Now(now), self._near(name))
        reports = self.setup.judge.reports(seen, target, time.clock)
        self._store.judged(name, reports, now)
        return self._show(reports, seen, time)

    def _near(self, name: str) -> str | None:
        return near(self._keys.neighbours(name), self._keys.word(name))

    def _show(self, reports: Sequence[Report], seen: Sequence[Seen], time: "_Time") -> set[str]:
        """Show these reports, which were judged by this clock. What shows them is judged by it too."""
        target = reports[0].target
        lines = render_reports(reports, self.setup.judge.policies_of(target), full=self.setup.full)
        self._exposition.put(target.name, lines)
        self._judged[target.name] = judged_of(reports)
        self._changes[target.name] = time.clock.next_change
        self._turns.pop(target.name, None)
        # The neighbours' facts about this one have changed; their own have not.
        affected = self._keys.update(target.name, reports)
        self._keep_shown(target, seen, time, lines)
        return affected

    def _keep_shown(self, target: Target, seen: Sequence[Seen], time: "_Time", lines: Lines) -> None:
        """Store what is shown, so that the next start need not judge it again."""
        name, digest = target.name, self.setup.digest
        saved, word = self._store.get(name), self._keys.word(name)
        if self._store.database is None or digest is None or saved is None or word is None or time.near is None:
            return
        oldest = min((at for one in seen if (at := one.facts.oldest) is not None), default=None)
        turn = self.setup.judge.next_turn(seen, target, saved.begun_at)
        key = key_of(digest, target, saved)
        head = StoredHead(key, time.near, time.now, time.clock.next_change, word, oldest, saved.begun_at, turn)
        self._store.show(name, pack(head, lines, self._judged[name]))

    def next_change(self, name: str) -> datetime | None:
        """The next moment at which time alone may change what is shown of the target; None if none is known."""
        return self._changes.get(name)

    def next_turn(self, name: str, since: datetime) -> datetime | None:
        """The first date after `since` that was seen of the target and changes a verdict; None without one."""
        target, known = self.setup.targets[name], self._turns.get(name)
        if known is not None and known.since == since:
            return known.turn
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
    return one is not None and other is not None and _service(one) == _service(other)


def service_key(target: Target) -> str:
    """A text that is equal for the same service, also after a restart."""
    return sha256(repr(_service(target)).encode()).hexdigest()[:32]


def _service(target: Target) -> tuple[object, ...]:
    where = target.host, target.port, target.connect_address, target.addresses, target.ip_protocol
    way = target.proxy and str(target.proxy)  # another password leads to the same service, another proxy need not
    zone = (target.zone,) if target.zone else ()  # the same address is another machine there
    return *where, way, target.starttls, target.server_name, target.ca_file, target.client_certificate, *zone
