"""Pools of threads for calls that block: one for each kind of work, so that no kind waits for another.

asyncio's default executor is not used. All kinds of work would share its threads, and Python waits for them when it
exits. The threads here are daemon threads, so neither the end of the program nor SIGTERM waits for a call that hangs.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """A call that waits for a thread, and the event loop of the caller, with what it waits for: the start, the end.

    `begun` is None if the caller does not wait for the start.
    """

    owner: Hashable
    work: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    begun: asyncio.Future[Any] | None
    answer: asyncio.Future[Any]


def _retrieve(answer: asyncio.Future[Any]) -> None:
    """Take note of the exception, which a caller that stopped waiting does not: asyncio would log it at the end."""
    if not answer.cancelled():
        answer.exception()


class Pool:
    """A bounded number of threads. One owner, such as a target, has at most one of them at a time.

    A call cannot be interrupted. If its caller stops waiting, the call keeps its thread and its owner's place until it
    returns. So calls of one owner never run at the same time, and an owner whose calls hang holds one thread.

    Attributes:
        name: the label value `pool` of its metrics.
        threads: maximum number of threads. They are started when they are needed.
    """

    def __init__(self, name: str, threads: int) -> None:
        self.name, self.threads = name, threads
        self._changed = threading.Condition()
        self._waiting: deque[_Job] = deque()
        self._owners: set[Hashable] = set()
        self._started = 0

    @property
    def busy(self) -> int:
        """Number of calls that are running; those whose caller stopped waiting are included."""
        return len(self._owners)

    @property
    def queue(self) -> int:
        """Number of calls that wait for a thread."""
        return len(self._waiting)

    async def run(
        self, work: Callable[[], T], owner: Hashable, waiting: Callable[[], AbstractContextManager[None]] | None = None
    ) -> T:
        """The result of `work()`, which is called in a thread, in the context of the caller.

        Calls start in the order of their arrival. A call whose owner has a running one is passed over. The context
        `waiting` is entered while the call waits for calls of other owners.

        Raises:
            RuntimeError: the system allows no first thread.
            Exception: what `work` raises.
        """
        loop = asyncio.get_running_loop()
        begun = None if waiting is None else loop.create_future()
        job = _Job(owner, partial(copy_context().run, work), loop, begun, loop.create_future())
        with self._changed:
            held_up_by_others = owner not in self._owners
            self._waiting.append(job)
            self._start_thread()
            self._changed.notify()
        job.answer.add_done_callback(_retrieve)
        try:
            if waiting is not None and begun is not None:
                with waiting() if held_up_by_others else nullcontext():
                    await begun
            return await job.answer  # type: ignore[no-any-return]
        except asyncio.CancelledError:
            with self._changed:
                if job in self._waiting:
                    self._waiting.remove(job)
            raise

    def _start_thread(self) -> None:
        if self._started >= min(self.threads, self.busy + self.queue):
            return
        thread = threading.Thread(target=self._serve, name=f"{self.name}-{self._started}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system has reached a limit; the threads that there are do the work
            if not self._started:
                self._waiting.pop()
                raise
        else:
            self._started += 1

    def _serve(self) -> None:
        """Run calls, one after the other, for ever."""
        while True:
            with self._changed:
                while (job := self._take()) is None:
                    self._changed.wait()
            if job.begun is not None:
                _tell(job, job.begun)
            _run(job, partial(self._release, job.owner))
            del job  # its result would stay in memory until the next call

    def _take(self) -> _Job | None:
        """The first call whose owner has none running."""
        job = next((one for one in self._waiting if one.owner not in self._owners), None)
        if job is not None:
            self._waiting.remove(job)
            self._owners.add(job.owner)
        return job

    def _release(self, owner: Hashable) -> None:
        with self._changed:
            self._owners.discard(owner)
            self._changed.notify()


def _run(job: _Job, release: Callable[[], None]) -> None:
    """Run the call, free its owner's place, and then tell the caller."""
    result, error = None, None
    try:
        result = job.work()
    except BaseException as caught:  # noqa: BLE001 - a border: the error is the caller's, and the thread goes on
        error = caught
    release()
    _tell(job, job.answer, result, error)


def _tell(job: _Job, what: asyncio.Future[Any], result: object = None, error: BaseException | None = None) -> None:
    try:
        job.loop.call_soon_threadsafe(_settle, what, result, error)
    except RuntimeError:  # the loop was closed meanwhile, so nobody waits
        return


def _settle(answer: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)


OPENSSL = Pool("openssl", 4)
"""Steps of TLS sessions. Each takes milliseconds of CPU time, so more threads than processors help little."""
CERTIFICATES = Pool("certificates", 2)
"""Parsing and verification of chains. cryptography holds the interpreter's lock, so more threads would help no one."""
FILES = Pool("files", 8)
"""Reading of the operator's files for scans: client certificates, and what reads a target's own `ca_file`. Their
storage can hang."""
NAMES = Pool("names", 32)
"""getaddrinfo, which takes up to half a minute if name servers do not answer (resolv.conf(5): 5 s, 2 attempts, 3
servers). Scans that run at the same time wait for one name each; there are 10 by default."""

COMPRESSION = Pool("compression", 2)
"""Compression of pages of metrics: one thread for each format."""

LISTS = Pool("lists", 2)
"""Making lists of targets of what sources found, and writing these lists to disk."""

REPORTS = Pool("reports", 1)
"""Making documents: reports, and the archive of the source. With one thread, those who ask for them use one processor
and no more."""

PASSWORDS = Pool("passwords", 1)
"""Hashes of passwords of web clients. With one thread, those who try many use one processor and no more."""

POOLS = (OPENSSL, CERTIFICATES, FILES, NAMES, COMPRESSION, LISTS, REPORTS, PASSWORDS)
"""All pools."""
