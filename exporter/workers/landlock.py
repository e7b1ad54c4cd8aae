"""Landlock: no access to files, TCP ports, abstract sockets, and signals to other processes (landlock(7)).

The kernel enforces it apart from seccomp: it stays if a call that opens something is missing in the filter. What can be
denied depends on the kernel's version of the interface (ABI).
"""

import ctypes
import os
import struct

_CREATE_RULESET, _RESTRICT_SELF = 444, 446
"""System calls. The numbers are the same on all architectures."""
_GET_VERSION = 1
"""LANDLOCK_CREATE_RULESET_VERSION."""

FILES = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
"""ABI -> bits of LANDLOCK_ACCESS_FS_* that it adds: execute, read, write and so on; refer; truncate; ioctl."""
TCP = {4: 0b11}
"""LANDLOCK_ACCESS_NET_BIND_TCP and LANDLOCK_ACCESS_NET_CONNECT_TCP."""
SCOPES = {6: 0b11}
"""LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET and LANDLOCK_SCOPE_SIGNAL: only with processes that are restricted by the same
rules."""
_NAMES = (("files", FILES), ("TCP", TCP), ("signals", SCOPES))


def _rights(known: dict[int, int], abi: int) -> int:
    return sum(bits for since, bits in known.items() if since <= abi)


def version() -> int:
    """The ABI of the kernel.

    Raises:
        OSError: it has no Landlock, or it is off, or the container forbids it.
    """
    return _call(_CREATE_RULESET, None, 0, _GET_VERSION)


def restrict() -> str:
    """Deny this thread and its later children everything that Landlock can deny; returns what that is.

    PR_SET_NO_NEW_PRIVS has to be set before. Threads that run already are not restricted.

    Raises:
        OSError: as `version`.
    """
    abi = version()
    handled = struct.pack("=QQQ", *(_rights(known, abi) for _, known in _NAMES))
    ruleset = _call(_CREATE_RULESET, handled, len(handled), 0)
    try:
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return ", ".join(name for name, known in _NAMES if _rights(known, abi))


def _call(number: int, *arguments: bytes | int | None) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    longs = (ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments)
    result = int(libc.syscall(ctypes.c_long(number), *longs))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
