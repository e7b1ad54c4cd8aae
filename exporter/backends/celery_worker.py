"""What a worker of a zone does with tasks: each process scans the targets of one batch at the same time.

The first process takes messages from the broker and kills processes that hang; it scans nothing. A process believes
only tasks that are signed for its zone, in time, and new: everything else would be a scan that somebody else wants.
"""

import asyncio
import logging
import os
import threading
import time
from ast import literal_eval
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from celery import signals
from celery.worker.request import Request

from exporter.backends.celery_app import LONGEST_TASK_SECONDS, TASK, results_exchange, tasks_queue
from exporter.backends.messages import (
    MOST_OF_TASKS,
    Assignment,
    RefusalCause,
    RefusedError,
    Tasks,
    WorkerReply,
    open_envelope,
    open_tasks,
    seal,
)
from exporter.backends.wire import WireError, results_document, target_and_known
from exporter.config.celery import LONGEST_START
from exporter.logs import about
from exporter.model import CLOCK_TOLERANCE, Proxy
from exporter.scan import Environment, scan_addresses

log = logging.getLogger(__name__)

REPLY_SECONDS = 10.0
"""A reply is tried again for so long after the time at which the scan had to be done: the exporter waits as long."""
_PAUSE_SECONDS = 1.0
_CLEANED_EVERY_SECONDS = 60.0
_MOST_PROBLEM = 500

Counts = dict[str, int]
"""What happened to the targets of a batch: `success`, `failure`, a `RefusalCause`."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a process needs to scan.

    Attributes:
        zone: tasks of other zones are refused.
        key: the zone's key.
        make_environment: makes what scans share; called once, in the process that scans.
        credentials: see `wire.target_and_known`.
        now: the clock.
        seen: a folder with one empty file for each assignment that was begun, shared by all processes.
        begin: called first in each process.
    """

    zone: str
    key: bytes = field(repr=False)
    make_environment: Callable[[], Environment]
    credentials: Callable[[Proxy], Proxy]
    now: Callable[[], datetime]
    seen: Path
    begin: Callable[[], None]


class Replies:
    """Sends replies, in their order, in a thread: it waits for the broker while scans go on."""

    def __init__(self, app: Any, job: Job, reply_to: str, until: datetime) -> None:  # noqa: ANN401 - Celery has no types
        self._app, self._job, self._reply_to, self._until = app, job, reply_to, until
        self._waiting: deque[WorkerReply] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="replies", daemon=True)
        self._thread.start()

    def put(self, reply: WorkerReply) -> None:
        """Send this soon."""
        with self._changed:
            self._waiting.append(reply)
            self._changed.notify()

    def close(self) -> int:
        """Wait until all are sent, or until nobody waits for them; returns how many could not be sent."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()
        return len(self._waiting)

    def _run(self) -> None:
        while self._has_more() and self._job.now() < self._until:
            try:
                with self._app.connection_for_write() as connection:
                    connection.heartbeat = 0  # nobody reads from this connection
                    producer = connection.Producer(exchange=results_exchange(), serializer="json", auto_declare=True)
                    self._send_all(producer)
            except Exception as error:  # noqa: BLE001 - a border: a broker may fail in every way
                log.warning("a reply cannot be sent: %s", type(error).__name__)
                time.sleep(_PAUSE_SECONDS)

    def _send_all(self, producer: Any) -> None:  # noqa: ANN401 - kombu has no types
        while self._has_more():
            message = seal(self._waiting[0], self._job.zone, self._job.key)
            producer.publish(message, routing_key=self._reply_to, delivery_mode=2, retry=False)
            self._waiting.popleft()

    def _has_more(self) -> bool:
        """Whether there is a reply to send; waits for one."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            return bool(self._waiting)


class Process:
    """A process that scans."""

    def __init__(self, app: Any, job: Job) -> None:  # noqa: ANN401 - Celery has no types
        self._app, self._job = app, job
        self._loop = asyncio.new_event_loop()
        self._environment = job.make_environment()
        self._cleaned_at = 0.0

    def scan(self, message: object) -> Counts:
        """Scan the targets of a message; returns what happened to them."""
        self._clean()
        try:
            tasks = open_tasks(open_envelope(message, MOST_OF_TASKS), self._job.zone, self._job.key)
            self._check_time(tasks)
        except RefusedError as error:
            log.warning("refused a message: %s", error)
            return {str(error.cause): 1}
        counts: Counter[str] = Counter()
        fresh = [one for one in tasks.assignments if self._is_new(one)]
        counts[RefusalCause.REPEATED] += len(tasks.assignments) - len(fresh)
        if fresh:
            counts.update(self._scan_all(tasks.reply_to, fresh))
        return {str(name): number for name, number in counts.items() if number}

    def _check_time(self, tasks: Tasks) -> None:
        now = self._job.now()
        if now > tasks.start_by:
            raise RefusedError(RefusalCause.LATE, "its time to begin is over")
        if tasks.start_by > now + LONGEST_START + CLOCK_TOLERANCE:
            raise RefusedError(RefusalCause.LATE, "its time to begin is too far away; clocks may differ")

    def _is_new(self, one: Assignment) -> bool:
        """Whether no process of this machine has begun it. From now on it is not."""
        try:
            os.close(os.open(self._job.seen / one.id, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            log.warning("refused a message: it is repeated")
            return False
        return True

    def _clean(self) -> None:
        """Forget assignments whose time is over for longer than clocks may differ."""
        if time.monotonic() - self._cleaned_at < _CLEANED_EVERY_SECONDS:
            return
        self._cleaned_at = time.monotonic()
        old = time.time() - (2 * (LONGEST_START + CLOCK_TOLERANCE)).total_seconds()
        for file in self._job.seen.iterdir():
            with suppress(OSError):  # another process was faster
                if file.stat().st_mtime < old:
                    file.unlink()

    def _scan_all(self, reply_to: str, assignments: Iterable[Assignment]) -> Counter[str]:
        assignments = tuple(assignments)
        until = max(one.done_by for one in assignments) + timedelta(seconds=REPLY_SECONDS)
        replies = Replies(self._app, self._job, reply_to, until)
        replies.put(WorkerReply(kind="begun", ids=tuple(one.id for one in assignments)))

        async def all_of_them() -> Counter[str]:
            scans = (self._scan_one(one, replies) for one in assignments)
            return Counter(await asyncio.gather(*scans))

        try:
            return self._loop.run_until_complete(all_of_them())
        finally:
            unsent = replies.close()
            if unsent:
                log.error("%d replies could not be sent in time", unsent)

    async def _scan_one(self, one: Assignment, replies: Replies) -> str:
        """Scan a target, and reply; returns how that ended."""
        try:
            target, known = target_and_known(one.task, self._job.credentials)
        except Exception as error:  # a named border: one task that cannot be read must not end the others
            problem = str(error) if isinstance(error, WireError) else f"it cannot be read: {type(error).__name__}"
            log.warning("refused a task: %s", problem, exc_info=not isinstance(error, WireError))
            replies.put(WorkerReply(kind="refused", ids=(one.id,), problem=problem[:_MOST_PROBLEM]))
            return RefusalCause.INVALID
        seconds = (one.done_by - self._job.now()).total_seconds()
        with about(target=target.name):
            try:
                async with asyncio.timeout(seconds):
                    results = await scan_addresses(target, self._environment, known)
                document = results_document(results)
            except TimeoutError:
                log.warning("the scan did not end in time")
                return "failure"
            except Exception:  # a named border: one scan's bug must not end the others
                log.exception("scan failed")
                return "failure"
            replies.put(WorkerReply(kind="done", ids=(one.id,), results=document))
            return "success" if all(result.success for result in results) else "failure"


class Watcher(Protocol):
    """Counts what the first process notices."""

    def began(self) -> None:
        """A process has begun a batch."""

    def ended(self, counts: Counts) -> None:
        """The batch is done."""

    def lost(self) -> None:
        """The process crashed or was killed, because it took too long."""

    def refused(self, cause: RefusalCause) -> None:
        """A message was refused before a process got it."""


class WatchedRequest(Request):  # type: ignore[misc]  # Celery has no types
    """A batch, as the first process sees it. Limits in a message's own header count only where they are shorter."""

    watcher: Watcher

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - Celery's signature
        super().__init__(*arguments, **options)
        limits: Any = vars(self).get("time_limits")
        limit = limits[0] if isinstance(limits, list | tuple) and limits else None
        usable = isinstance(limit, int | float) and 0 < limit < LONGEST_TASK_SECONDS
        self.time_limits = (limit if usable else LONGEST_TASK_SECONDS, None)
        self._watched = False
        # Celery overrides the method in a subclass of this class.
        self.on_success = self._watching(self.on_success)  # type: ignore[has-type]

    def on_accepted(self, pid: int, time_accepted: float) -> None:
        """See `Request`."""
        self._watched = True
        self.watcher.began()
        super().on_accepted(pid, time_accepted)

    def _watching(self, then: Callable[..., Any]) -> Callable[..., Any]:
        def on_success(outcome: tuple[bool, Any, float], **options: Any) -> Any:  # noqa: ANN401 - Celery's signature
            failed, text, _ = outcome
            if not failed:  # Celery passes the text of the result
                self._end(literal_eval(text))
            return then(outcome, **options)

        return on_success

    def on_failure(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - Celery's signature
        """See `Request`."""
        self._end(None)
        return super().on_failure(*arguments, **options)

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """See `Request`."""
        self._end(None)
        super().on_timeout(soft, timeout)

    def _end(self, counts: Counts | None) -> None:
        if not self._watched:
            return
        self._watched = False
        if counts is None:
            self.watcher.lost()
        else:
            self.watcher.ended(counts)


def make_worker(app: Any, job: Job, processes: int, watcher: Watcher, ready: Callable[[], None]) -> Any:  # noqa: ANN401
    """Celery's worker for the queue of the zone; its `start` runs until SIGTERM, and then until all scans are done."""
    process: list[Process] = []

    def scan(message: object) -> Counts:
        if not process:
            process.append(Process(app, job))
        return process[0].scan(message)

    WatchedRequest.watcher = watcher
    app.task(scan, name=TASK, ignore_result=True, typing=False, Request=f"{__name__}:WatchedRequest")
    app.finalize()
    for name in [name for name in app.tasks if name != TASK]:  # Celery's own: nobody signs messages for them
        del app.tasks[name]
    app.conf.task_queues = [tasks_queue(job.zone)]
    _connect(watcher, job.begin, ready)
    return app.Worker(
        hostname=f"{job.zone}@%h",
        pool="prefork",
        concurrency=processes,
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )


def _connect(watcher: Watcher, begin: Callable[[], None], ready: Callable[[], None]) -> None:
    def unknown(**_: object) -> None:
        watcher.refused(RefusalCause.MALFORMED)

    def nothing(**_: object) -> None:
        """Celery sets up no logging of its own."""

    def in_process(**_: object) -> None:
        begin()

    def is_ready(**_: object) -> None:
        ready()

    for signal, receiver in (
        (signals.task_unknown, unknown),
        (signals.task_rejected, unknown),
        (signals.setup_logging, nothing),
        (signals.worker_process_init, in_process),
        (signals.worker_ready, is_ready),
    ):
        signal.connect(receiver, weak=False)
