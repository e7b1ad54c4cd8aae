"""SIGHUP never ends the daemon, and none is lost."""

import asyncio
import signal
import subprocess
import sys
import threading

from exporter.signals import hangup_waits, on_hangup, terminable


def _hang_up() -> None:
    """Send the signal to this thread: others of the test runner do not let it wait."""
    signal.pthread_kill(threading.get_ident(), signal.SIGHUP)


def _mask() -> set[int]:
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


def test_a_hangup_waits_for_the_event_loop_and_several_are_one() -> None:
    calls: list[None] = []

    async def run() -> None:
        called = asyncio.Event()

        def call() -> None:
            calls.append(None)
            called.set()

        with on_hangup(asyncio.get_running_loop(), call):
            async with asyncio.timeout(20):
                await called.wait()
            called.clear()
            _hang_up()
            async with asyncio.timeout(20):
                await called.wait()
        _hang_up()  # the daemon is about to end

    before, handler = _mask(), signal.getsignal(signal.SIGHUP)
    with hangup_waits():
        for _ in range(3):
            _hang_up()
        asyncio.run(run())
    assert len(calls) == 2
    assert (_mask(), signal.getsignal(signal.SIGHUP)) == (before, handler)


_WAIT = """
import time
from exporter.signals import terminable
with terminable():
    print("up", flush=True)
    time.sleep(60)
"""


def test_sigterm_ends_a_daemon_that_is_starting() -> None:
    """As the first process of a container, too: for that the default action is not enough."""
    before = signal.getsignal(signal.SIGTERM)
    with terminable():
        assert callable(signal.getsignal(signal.SIGTERM))
    assert signal.getsignal(signal.SIGTERM) == before
    with subprocess.Popen([sys.executable, "-c", _WAIT], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        process.terminate()
        assert process.wait(timeout=60) == 0
