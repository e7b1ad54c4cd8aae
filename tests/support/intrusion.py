"""What an attacker has at hand in a worker: modules that are loaded already, and raw system calls."""

import ctypes
import encodings.idna  # noqa: F401 - getaddrinfo needs it, and could not load it in a worker
import errno
import mmap
import multiprocessing.shared_memory
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

from exporter.workers.seccomp import ARCHITECTURES, MACHINE

# fmt: off
__all__ = [
    "OTHER_CALLS", "call", "call_32_bit", "ctypes", "errno", "mmap", "multiprocessing", "os", "resource", "signal",
    "socket", "subprocess", "sys", "tempfile", "time", "usable_descriptors",
]

LIBC = ctypes.CDLL(None, use_errno=True)
OTHER_CALLS: dict[str, dict[str, int]] = {
    "x86_64": {
        "open": 2, "stat": 4, "ioctl": 16, "readv": 19, "writev": 20, "dup": 32, "setitimer": 38, "fcntl": 72,
        "truncate": 76, "chdir": 80, "creat": 85, "unlink": 87, "readlink": 89, "chmod": 90, "setuid": 105,
        "setpgid": 109, "setsid": 112, "prctl": 157, "arch_prctl": 158, "openat": 257, "splice": 275, "vmsplice": 278,
        "timer_create": 222, "epoll_create1": 291, "pipe2": 293, "prlimit64": 302, "kcmp": 312, "pkey_mprotect": 329,
    },
    "aarch64": {
        "epoll_create1": 20, "dup": 23, "fcntl": 25, "ioctl": 29, "truncate": 45, "chdir": 49, "openat": 56,
        "pipe2": 59, "readv": 65, "writev": 66, "vmsplice": 75, "splice": 76, "setitimer": 103, "timer_create": 107,
        "setuid": 146, "setpgid": 154, "setsid": 157, "prctl": 167, "prlimit64": 261, "kcmp": 272,
        "pkey_mprotect": 288,
    },
}
"""Calls that the filter does not name."""
# fmt: on
_CALLS = ARCHITECTURES[MACHINE].calls | OTHER_CALLS[MACHINE] | {"openat2": 437, "landlock_create_ruleset": 444}
# `mov eax, 20; int 0x80; ret`: getpid by the 32-bit interface. The page is made executable before the lock-down.
_CODE = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
_CODE.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")


def call(name: str, *arguments: int | bytes | None, offset: int = 0) -> str:
    """Make a system call directly; returns "done" or the name of the error."""
    longs = (ctypes.c_long(one) if isinstance(one, int) else one for one in arguments)
    result = LIBC.syscall(ctypes.c_long(_CALLS[name] + offset), *longs)
    return errno.errorcode[ctypes.get_errno()] if result == -1 else "done"


def call_32_bit() -> int:
    """Make a system call of the 32-bit interface, whose numbers are others."""
    address = ctypes.addressof(ctypes.c_char.from_buffer(_CODE))
    return int(ctypes.CFUNCTYPE(ctypes.c_int)(address)())


def usable_descriptors() -> list[int]:
    """Descriptors that can be read or written."""
    buffer = ctypes.create_string_buffer(1)
    return [one for one in range(1024) if LIBC.read(one, buffer, 0) == 0 or LIBC.write(one, buffer, 0) == 0]
