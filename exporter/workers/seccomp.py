"""A seccomp filter: the system calls that a worker needs once it has loaded everything. It cannot be taken off.

The filter is a classic BPF program (seccomp(2), Linux 3.17). It permits a list of calls, which work on descriptors and
memory that the process already has. All other calls fail with EPERM, because Python and C libraries try some of them
and go on without them. Calls that only an intruder makes end the process with SIGSYS. The main process then reports
a worker that crashed.
"""

import ctypes
import mmap
import os
import signal
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_ARCHITECTURE_AT, _CALL_AT, _ARGUMENTS_AT = 4, 0, 16
"""Offsets in struct seccomp_data (linux/seccomp.h)."""
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
"""BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_JGE, BPF_JSET, BPF_RET|BPF_K (linux/bpf_common.h)."""
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050001, 0x80000000
"""SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO with EPERM, SECCOMP_RET_KILL_PROCESS. Linux before 4.14 takes the last for
SECCOMP_RET_KILL_THREAD, which is the same for a process with one thread."""
_SET_MODE_FILTER, _ALL_THREADS = 1, 1
"""SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC."""
_X32 = 0x40000000
"""__X32_SYSCALL_BIT: the same calls of x86_64 with other numbers (asm/unistd.h)."""

ALLOWED = (
    *("read", "write", "close", "brk", "munmap", "mremap", "futex", "sched_yield", "getpid", "gettid", "getrandom"),
    *("clock_gettime", "gettimeofday", "clock_nanosleep", "nanosleep", "restart_syscall"),
    *("rt_sigreturn", "rt_sigprocmask", "rt_sigaction", "sigaltstack", "exit", "exit_group"),
)
"""Calls that are permitted with all arguments."""
NOT_EXECUTABLE = ("mmap", "mprotect")
"""Calls that are permitted without PROT_EXEC, so that no memory becomes a program. It is the third argument of both."""
FATAL = (
    *("socket", "socketpair", "bind", "listen", "accept", "accept4", "connect"),
    *("sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg"),
    *("clone", "clone3", "execve", "execveat", "unshare", "setns"),
    *("kill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open", "pidfd_getfd", "pidfd_send_signal"),
    *("ptrace", "process_vm_readv", "process_vm_writev", "io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("bpf", "userfaultfd", "perf_event_open", "add_key", "request_key", "keyctl", "memfd_create"),
    *("shmget", "shmat", "mount", "umount2", "chroot", "pivot_root", "init_module", "finit_module", "kexec_load"),
)
"""Calls that no job makes, not even by a library that tries what it can do."""
OWN_ABORT = "tgkill"
"""abort() ends the process by this call. It is fatal with another process or another signal."""

# fmt: off
_X86_64 = {
    "read": 0, "write": 1, "close": 3, "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13,
    "rt_sigprocmask": 14, "rt_sigreturn": 15, "sched_yield": 24, "mremap": 25, "shmget": 29, "shmat": 30,
    "nanosleep": 35, "getpid": 39, "socket": 41, "connect": 42, "accept": 43, "sendto": 44, "recvfrom": 45,
    "sendmsg": 46, "recvmsg": 47, "bind": 49, "listen": 50, "socketpair": 53, "clone": 56, "fork": 57, "vfork": 58,
    "execve": 59, "exit": 60, "kill": 62, "gettimeofday": 96, "ptrace": 101, "rt_sigqueueinfo": 129,
    "sigaltstack": 131, "pivot_root": 155, "chroot": 161, "mount": 165, "umount2": 166, "init_module": 175,
    "gettid": 186, "tkill": 200, "time": 201, "futex": 202, "restart_syscall": 219, "clock_gettime": 228,
    "clock_nanosleep": 230, "exit_group": 231, "tgkill": 234, "kexec_load": 246, "add_key": 248, "request_key": 249,
    "keyctl": 250, "unshare": 272, "accept4": 288, "rt_tgsigqueueinfo": 297, "perf_event_open": 298, "recvmmsg": 299,
    "sendmmsg": 307, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "finit_module": 313,
    "seccomp": 317, "getrandom": 318, "memfd_create": 319, "bpf": 321, "execveat": 322, "userfaultfd": 323,
}
_AARCH64 = {
    "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "close": 57, "read": 63, "write": 64, "exit": 93,
    "exit_group": 94, "unshare": 97, "futex": 98, "nanosleep": 101, "kexec_load": 104, "init_module": 105,
    "clock_gettime": 113, "clock_nanosleep": 115, "ptrace": 117, "sched_yield": 124, "restart_syscall": 128,
    "kill": 129, "tkill": 130, "tgkill": 131, "sigaltstack": 132, "rt_sigaction": 134, "rt_sigprocmask": 135,
    "rt_sigqueueinfo": 138, "rt_sigreturn": 139, "gettimeofday": 169, "getpid": 172, "gettid": 178, "shmget": 194,
    "shmat": 196, "socket": 198, "socketpair": 199, "bind": 200, "listen": 201, "accept": 202, "connect": 203,
    "sendto": 206, "recvfrom": 207, "sendmsg": 211, "recvmsg": 212, "brk": 214, "munmap": 215, "mremap": 216,
    "add_key": 217, "request_key": 218, "keyctl": 219, "clone": 220, "execve": 221, "mmap": 222, "mprotect": 226,
    "rt_tgsigqueueinfo": 240, "perf_event_open": 241, "accept4": 242, "recvmmsg": 243, "setns": 268, "sendmmsg": 269,
    "process_vm_readv": 270, "process_vm_writev": 271, "finit_module": 273, "seccomp": 277, "getrandom": 278,
    "memfd_create": 279, "bpf": 280, "execveat": 281, "userfaultfd": 282,
}
_EVERYWHERE = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    "pidfd_open": 434, "clone3": 435, "pidfd_getfd": 438,
}
# fmt: on


@dataclass(frozen=True)
class Architecture:
    """What of the kernel's interface depends on the processor.

    Attributes:
        audit: its number in seccomp_data (AUDIT_ARCH_* of linux/audit.h); another one is, for example, that of 32-bit
            calls in a 64-bit process.
        calls: name -> number of the system calls (asm/unistd.h).
    """

    audit: int
    calls: dict[str, int]


ARCHITECTURES = {
    "x86_64": Architecture(0xC000003E, _X86_64 | _EVERYWHERE),
    "aarch64": Architecture(0xC00000B7, _AARCH64 | _EVERYWHERE),
}
"""By the machine's name in uname(2)."""
MACHINE = os.uname().machine
_ONLY_X86_64 = {"time": ALLOWED, "fork": FATAL, "vfork": FATAL}

Instruction = tuple[int, int, int, int]
"""struct sock_filter: code, instructions to skip if true, and if false, and a constant."""


def program(architecture: Architecture, own_pid: int) -> list[Instruction]:
    """The filter for a process of this number; what is permitted most often is examined first."""
    calls = architecture.calls
    also = {name: rule for name, rule in _ONLY_X86_64.items() if name in calls}
    allowed = [*ALLOWED, *(name for name, rule in also.items() if rule is ALLOWED)]
    fatal = [*FATAL, *(name for name, rule in also.items() if rule is FATAL)]
    return [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_IF_EQUAL, 1, 0, architecture.audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _CALL_AT),
        (_IF_AT_LEAST, 0, 1, _X32),  # on aarch64 there are no such numbers
        (_RETURN, 0, 0, _KILL),
        *_for_calls([calls[name] for name in allowed], _ALLOW),
        *_for_calls([calls[name] for name in fatal], _KILL),
        *(step for name in NOT_EXECUTABLE for step in _without_executable(calls[name])),
        *_only_abort(calls[OWN_ABORT], own_pid),
        (_RETURN, 0, 0, _REFUSE),
    ]


def _for_calls(numbers: Sequence[int], action: int) -> Iterator[Instruction]:
    for number in numbers:
        yield from ((_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, action))


def _without_executable(number: int) -> Sequence[Instruction]:
    return (
        (_IF_EQUAL, 0, 4, number),
        (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * 2),
        (_IF_ANY_BIT, 0, 1, mmap.PROT_EXEC),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    )


def _only_abort(number: int, own_pid: int) -> Sequence[Instruction]:
    """Permit `tgkill(own_pid, any thread, SIGABRT)`. The kernel reads only the low half of these arguments, too."""
    return (
        (_IF_EQUAL, 0, 6, number),
        (_LOAD, 0, 0, _ARGUMENTS_AT),
        (_IF_EQUAL, 0, 3, own_pid),
        (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * 2),
        (_IF_EQUAL, 0, 1, signal.SIGABRT),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _KILL),
    )


class _Program(ctypes.Structure):
    """struct sock_fprog (linux/filter.h)."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def install(instructions: Sequence[Instruction], architecture: Architecture) -> None:
    """Install the filter in all threads of this process, for good. PR_SET_NO_NEW_PRIVS has to be set before.

    Raises:
        OSError: the kernel refuses it.
    """
    code = b"".join(struct.pack("=HBBI", *step) for step in instructions)
    argument = _Program(len(instructions), code)
    libc = ctypes.CDLL(None, use_errno=True)
    numbers = map(ctypes.c_long, (architecture.calls["seccomp"], _SET_MODE_FILTER, _ALL_THREADS))
    failed = libc.syscall(*numbers, ctypes.byref(argument))
    if failed:  # -1, or the number of a thread with another filter
        error = ctypes.get_errno() if failed < 0 else 0
        raise OSError(error, os.strerror(error) if error else f"thread {failed} has another filter")


def restrict(machine: str = MACHINE) -> str:
    """Restrict this process; returns what the filter is for.

    Raises:
        OSError: this kernel or this container does not permit it, or the processor has no table here.
    """
    if machine not in ARCHITECTURES:
        raise OSError(0, f"there is no table of system calls for {machine}")
    architecture = ARCHITECTURES[machine]
    install(program(architecture, os.getpid()), architecture)
    return "system calls"
