"""Takes from this process all rights that a worker does not need, before it reads what a server sends.

What runs in a worker after that can compute and use its pipes. The caller has loaded everything by then: no file can be
opened any more. The process has one thread. Each protection works without the others.
"""

import ctypes
from collections.abc import Callable

from exporter.workers import landlock, seccomp
from exporter.workers.protection import LANDLOCK, SECCOMP, Protection

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
"""linux/prctl.h"""


def lock_down() -> tuple[Protection, ...]:
    """Restrict this process for good; returns which protections are on.

    A protection that the kernel or the container runtime refuses is off, and its detail is the reason. The worker then
    runs without it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # without it, only root may use seccomp and Landlock
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)  # other processes of this user cannot attach to it
    # Landlock comes first, because the filter does not permit its calls.
    return _applied(LANDLOCK, landlock.restrict), _applied(SECCOMP, seccomp.restrict)


def _applied(name: str, restrict: Callable[[], str]) -> Protection:
    try:
        return Protection(name, on=True, detail=restrict())
    except OSError as error:
        return Protection(name, on=False, detail=error.strerror or str(error))
