"""Answers of `/probe`: finds the target that is meant, and judges what is known of it."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from exporter.config.sections import GlobalSettings, TargetSettings
from exporter.errors import TargetError
from exporter.judge import Judge, alone, together
from exporter.logs.trace import Trace, tracing
from exporter.metrics import OwnMetrics, ProbeOutcome, render_reports
from exporter.model import Report, Seen, Target, holds
from exporter.nearest import suggestion_or_all
from exporter.probing.prober import Prober, Using
from exporter.probing.question import (
    ANSWER_SECONDS,
    LONGEST_SECONDS,
    MARGIN_SECONDS,
    Found,
    Limits,
    ProbeAnswer,
    ProbeQuestion,
    UnansweredError,
    unavailable,
)
from exporter.probing.settings import settings_text, without_paths
from exporter.publisher import Publisher, same_service
from exporter.quoting import quoted
from exporter.schedule import Schedule
from exporter.services import SERVICES, parse_service
from exporter.targets import make_target, named

_MOST_NAMES = 10


@dataclass(frozen=True, slots=True)
class ProbeParts:
    """The parts of the daemon that answers need."""

    publisher: Publisher
    schedule: Schedule
    own: OwnMetrics


class Probing:
    """Answers questions; `use` comes first."""

    def __init__(self, parts: ProbeParts, places: int) -> None:
        """Create it: at most `places` scans of services that are not configured run at once."""
        self._parts = parts
        self._prober = Prober(places, parts.publisher.now)
        self._defaults = GlobalSettings()
        self._judge = Judge({})
        self._wanted: dict[str, Trace] = {}

    def use(self, defaults: GlobalSettings, using: Using) -> None:
        """Use this configuration from now on. Other services have no neighbours: nobody compares their keys."""
        self._defaults, self._judge = defaults, replace(using.judge, neighbours=alone)
        self._prober.use(replace(using, judge=self._judge))

    async def answer(self, question: ProbeQuestion) -> ProbeAnswer:
        """The answer, counted by its outcome.

        Raises:
            UnansweredError: there is none.
        """
        try:
            answer = await self._answer(question)
        except UnansweredError as error:
            self._parts.own.probes.labels(error.outcome).inc()
            raise
        self._parts.own.probes.labels(answer.found.outcome).inc()
        return answer

    def note(self) -> None:
        """Set the metrics of scans that run and wait."""
        self._parts.own.probe_running.set(self._prober.running)
        self._parts.own.probe_waiting.set(self._prober.waiting)

    @contextmanager
    def traced(self, name: str) -> Iterator[None]:
        """What the scan of this target logs in the block is kept for those who ask for it."""
        with tracing(self._wanted.get(name)):
            yield

    async def stop(self) -> None:
        """Cancel the scans that run."""
        await self._prober.stop()

    async def _answer(self, question: ProbeQuestion) -> ProbeAnswer:
        publisher = self._parts.publisher
        policies = self._policies(question.policies)
        target, is_configured = self._meant(question.target)
        if is_configured:
            found, judge = await self._configured(target, question), publisher.setup.judge
        else:
            found, judge = await self._prober.find(target, _limits(question, target)), self._judge
        asked = replace(found.target, policies=policies or found.target.policies)
        if not judge.policies.keys() >= set(asked.policies):  # a reload, while the scan ran
            raise unavailable("the configuration has changed; ask again")
        reports = await _judged(judge, found.seen, asked, publisher.now())
        lines = render_reports(reports, judge.policies_of(asked), full=publisher.setup.full)
        return ProbeAnswer(lines, found, settings_text(asked, [policy.name for policy in judge.policies_of(asked)]))

    def _policies(self, names: Sequence[str]) -> tuple[str, ...]:
        """The keys of these policies; each is named by its own name, never by a path."""
        known = self._parts.publisher.setup.named
        for name in names:
            if name not in known:
                raise _invalid(f"unknown policy {quoted(name)}{suggestion_or_all(name, sorted(known))}")
            if names.count(name) > 1:
                raise _invalid(f"policy {quoted(name)} is named twice")
        return tuple(known[name] for name in names)

    def _meant(self, text: str) -> tuple[Target, bool]:
        """The target that the text means, and whether it is configured. Without a port, the usual one is meant."""
        targets = self._parts.publisher.setup.targets
        if text in targets:
            return targets[text], True
        try:
            service = parse_service(text)
        except TargetError as error:
            raise _invalid(str(error)) from error
        port = service.port or SERVICES[service.protocol or "https"].port  # no other service of the host is meant
        found = named(text, replace(service, port=port), tuple(targets.values()))
        if len(found) > 1:
            raise _invalid(f"{quoted(text)} means several targets; use one of the names {_listed(found)}")
        if found:
            return found[0], True
        if "%" in service.host:
            raise _invalid(f"{quoted(text)} has a zone, which only configured targets can have")
        try:
            target = make_target(TargetSettings.from_text(text), self._defaults)
        except TargetError as error:
            raise _invalid(str(error)) from error
        return self._judge.with_all_questions(target), False

    async def _configured(self, target: Target, question: ProbeQuestion) -> Found:
        """What is known of a configured target, after a scan if its last one is not recent.

        Raises:
            UnansweredError: nothing is known of it in time.
        """
        publisher, name, outcome, trace = self._parts.publisher, target.name, ProbeOutcome.STORED, None
        begun = publisher.begun_at(name)
        if begun is None or not holds(begun, publisher.now(), target.scan_interval):
            trace = self._trace_of(name) if question.debug else None
            outcome = await self._scanned(target, _limits(question, target).answer_by)
        now, begun = publisher.setup.targets.get(name), publisher.begun_at(name)
        seen = publisher.seen(now) if now is not None and same_service(now, target) else ()
        if now is None or begun is None or not seen:
            raise unavailable("nothing is known of this target yet; ask again")
        if outcome is ProbeOutcome.OLDER and not holds(begun, publisher.now(), target.max_age):
            raise unavailable("what is known of this target is too old, and there was no time for a scan; ask again")
        text = without_paths(trace.text(), target) if trace and outcome is ProbeOutcome.SCANNED else ""
        return Found(now, seen, outcome, begun, text)

    def _trace_of(self, name: str) -> Trace:
        """What the scan will log that the target waits for; the same for all who ask, until that scan has ended."""
        if name not in self._wanted:
            self._wanted[name] = Trace()
            self._parts.schedule.join(name).add_done_callback(lambda _: self._wanted.pop(name, None))
        return self._wanted[name]

    async def _scanned(self, target: Target, by: float) -> ProbeOutcome:
        """Wait for the scan that runs, or for one now."""
        ended = self._parts.schedule.join(target.name)
        await asyncio.wait({ended}, timeout=by - asyncio.get_running_loop().time())
        return ProbeOutcome.SCANNED if ended.done() and ended.result() is not None else ProbeOutcome.OLDER


async def _judged(judge: Judge, seen: Sequence[Seen], asked: Target, now: datetime) -> tuple[Report, ...]:
    """The reports; others have their turn after each address. Sixteen, by all policies, take a tenth of a second."""
    reports: list[Report] = []
    for one in seen:
        reports += judge.reports((one,), asked, now)
        await asyncio.sleep(0)
    return together(reports)


def _limits(question: ProbeQuestion, target: Target) -> Limits:
    """The time until now is not counted: it is short."""
    now, longest = asyncio.get_running_loop().time(), LONGEST_SECONDS
    seconds = longest if question.seconds is None else min(question.seconds, longest)
    scan = min(seconds - MARGIN_SECONDS, target.scan_timeout.total_seconds())
    return Limits(now + scan, now + seconds - ANSWER_SECONDS)


def _listed(targets: Sequence[Target]) -> str:
    names = [quoted(target.name) for target in targets]
    return ", ".join(names[:_MOST_NAMES]) + (" and others" if len(names) > _MOST_NAMES else "")


def _invalid(message: str) -> UnansweredError:
    return UnansweredError(ProbeOutcome.INVALID, message)
