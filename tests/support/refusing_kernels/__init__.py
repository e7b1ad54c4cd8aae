"""Misbehaving jobs on kernels that refuse a protection, as container runtimes do: by a filter of their own.

A worker loads one of these modules, and locks itself down after that.
"""

import ctypes
import errno

from exporter.workers.seccomp import ARCHITECTURES, MACHINE, Instruction, install
from tests.support.evil_jobs import JOBS

__all__ = ["JOBS", "refuse_landlock", "refuse_seccomp"]

_ARCHITECTURE = ARCHITECTURES[MACHINE]
SECCOMP, LANDLOCK_CREATE_RULESET = _ARCHITECTURE.calls["seccomp"], 444
_PR_SET_NO_NEW_PRIVS = 38
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000


def _refuse(number: int, error: int) -> None:
    """Make this system call fail with this error from now on."""
    program: list[Instruction] = [
        (_LOAD, 0, 0, 0),
        (_IF_EQUAL, 0, 1, number),
        (_RETURN, 0, 0, _FAIL | error),
        (_RETURN, 0, 0, _ALLOW),
    ]
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    install(program, _ARCHITECTURE)


def refuse_landlock() -> None:
    """As a kernel without Landlock."""
    _refuse(LANDLOCK_CREATE_RULESET, errno.ENOSYS)


def refuse_seccomp() -> None:
    """As a runtime that does not permit filters."""
    _refuse(SECCOMP, errno.EPERM)
