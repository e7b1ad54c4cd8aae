"""Nothing that a test started outlives the test run, even one that is killed.

Each process that runs tests has a watcher, a process of its own. It reads which sessions are started and ended, and at
the end of its input kills what is left of them. The system closes that pipe however the test process ends.
"""

import atexit
import contextlib
import ctypes
import functools
import os
import signal
import subprocess
import sys
from pathlib import Path


@functools.cache
def _watcher() -> subprocess.Popen[bytes]:
    # A session of its own, so that a signal for the group of the tests leaves it alone.
    command = [sys.executable, "-I", "-S", __file__]
    watcher = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, bufsize=0)
    atexit.register(watcher.communicate)  # which closes the pipe and waits
    return watcher


def end_with_parent() -> None:
    """Have this process killed when the one that started it ends; a worker whose test run was killed would go on."""
    set_parent_death_signal = 1  # prctl(2)
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def started(session: int) -> None:
    """Have this session killed when this process ends before `ended` is called."""
    _report(f"+{session}\n")


def ended(session: int) -> None:
    """The session is over."""
    _report(f"-{session}\n")


def _report(line: str) -> None:
    pipe = _watcher().stdin
    assert pipe is not None
    pipe.write(line.encode())


def _watch() -> None:
    sessions: set[int] = set()
    for line in sys.stdin:
        (sessions.add if line[0] == "+" else sessions.discard)(int(line[1:]))
    for process in _members(sessions):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _members(sessions: set[int]) -> list[int]:
    """Processes of these sessions, whatever their process groups."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # After the name, which may hold anything: state, parent, group, session (proc_pid_stat(5)).
            if int(status.read_text(errors="replace").rpartition(")")[2].split()[3]) in sessions:
                found.append(int(status.parent.name))
    return found


if __name__ == "__main__":
    _watch()
