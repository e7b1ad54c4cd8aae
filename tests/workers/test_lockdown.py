"""A worker that was taken over: whatever it tries, it gets nothing, and the others go on.

The programs run in real workers, on the kernel of this machine.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.errors import ProbeError
from exporter.model import Reason
from exporter.workers import ProtectionLog, Workers, landlock
from exporter.workers.protection import Protection, from_json, to_json
from exporter.workers.seccomp import MACHINE
from tests.support.intrusion import OTHER_CALLS
from tests.workers.test_pool import EVIL, LIMITS, UNPROTECTED, nowhere

NO_LANDLOCK = "tests.support.refusing_kernels.no_landlock"
NO_SECCOMP = "tests.support.refusing_kernels.no_seccomp"
SIGNALS_SINCE, TCP_SINCE = 6, 4


def landlock_version() -> int:
    try:
        return landlock.version()
    except OSError:
        return 0


def run(*programs: str, module: str = EVIL) -> list[object]:
    """What each of the programs comes to, one after the other: its `result`, the name of its error, or its death.

    A worker that is left over does its next job.
    """

    async def main() -> list[object]:
        workers = Workers(module, LIMITS)

        async def one(program: str) -> object:
            try:
                return await workers.run("runs", {"program": program}, nowhere, 60.0)
            except ProbeError as error:
                return error.detail if error.reason is Reason.WORKER_CRASHED else error.reason

        try:
            results = [await one(program) for program in programs]
            assert await workers.run("echo", {"n": 1}, nowhere, 60.0) == {"n": 1}
        finally:
            await workers.close()
        return results

    return asyncio.run(main())


def call(name: str, *arguments: str | int) -> str:
    """A program that makes this system call directly."""
    return f"result = call({', '.join([repr(name), *map(str, arguments)])})"


KILLED = "runs: SIGSYS"
READ_PARENT = """
buffer = ctypes.create_string_buffer(8)
piece = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)
result = call('process_vm_readv', parent, bytes(piece), 1, bytes(piece), 1, 0)
"""

# --- calls that end a worker ------------------------------------------------------------------------------------------

BY_PYTHON = {
    "a TCP socket": "result = socket.socket()",
    "a datagram socket": "result = socket.socket(type=socket.SOCK_DGRAM)",
    "a name from the resolver": "result = socket.getaddrinfo('localhost', 1, type=socket.SOCK_STREAM)",
    "another process": "result = os.fork()",
    "another program": "result = os.posix_spawn('/bin/true', ['true'], {})",
    "another program in its place": "result = os.execv('/bin/true', ['true'])",
    "a file in memory": "result = os.memfd_create('x')",
    "a signal to the exporter": "result = os.kill(parent, 0)",
    "a signal that does nothing to the exporter": "result = os.kill(parent, signal.SIGCONT)",
    "a signal to all processes": "result = os.kill(-1, 0)",
    "SIGSTOP for itself": "result = os.kill(os.getpid(), signal.SIGSTOP)",
}
FATAL = {
    "socket": (2, 1, 0),
    "socketpair": (1, 1, 0, "bytes(8)"),
    "connect": (3, "bytes(16)", 16),
    "sendto": (4, "b'x'", 1, 0, "None", 0),
    "recvmsg": (3, "bytes(56)", 0),
    "clone": (17, "None", "None", "None", 0),
    "clone3": ("bytes(64)", 64),
    "execve": ("b'/bin/true'", "None", "None"),
    "execveat": (3, "b''", "None", "None", 0x1000),
    "tgkill": ("parent", "parent", 0),
    "rt_sigqueueinfo": ("parent", 0, "bytes(128)"),
    "pidfd_open": ("parent", 0),
    "ptrace": (0x4206, "parent", 0, 0),  # PTRACE_SEIZE
    "process_vm_writev": ("parent", "None", 0, "None", 0, 0),
    "io_uring_setup": (1, "bytes(120)"),
    "memfd_create": ("b'x'", 0),
    "shmget": (0, 4096, 0o1600),
    "bpf": (0, "bytes(72)", 72),
    "userfaultfd": (0,),
    "perf_event_open": ("bytes(112)", 0, -1, -1, 0),
    "unshare": (0x10000000,),
    "keyctl": (0, -3, 0),
}


@pytest.mark.parametrize("what", BY_PYTHON)
def test_what_no_job_does_ends_the_worker(what: str) -> None:
    assert run(BY_PYTHON[what]) == [KILLED]


def test_a_worker_does_not_read_memory_of_the_exporter() -> None:
    assert run(READ_PARENT) == [KILLED]


@pytest.mark.parametrize("name", FATAL)
def test_a_direct_system_call_ends_the_worker(name: str) -> None:
    assert run(call(name, *FATAL[name])) == [KILLED]


@pytest.mark.skipif(MACHINE != "x86_64", reason="other processors have no second numbers")
def test_the_same_calls_by_other_numbers_end_the_worker() -> None:
    x32 = "result = call('getpid', offset=0x40000000)"
    by_32_bit, by_x32 = run("result = call_32_bit()", x32)
    assert by_x32 == KILLED
    assert by_32_bit in {KILLED, "runs: SIGSEGV"}, "the second is a kernel without these calls"


def test_abort_is_reported_as_what_it_is() -> None:
    assert run("os.abort()") == ["runs: SIGABRT"]


def test_another_signal_than_that_of_abort_ends_the_worker() -> None:
    assert run(call("tgkill", "os.getpid()", "os.getpid()", "signal.SIGTERM")) == [KILLED]


# --- calls that fail --------------------------------------------------------------------------------------------------

REFUSED = {
    "a file to read": "result = open('/etc/passwd')",
    "memory of the exporter": "result = open(f'/proc/{parent}/mem', 'rb')",
    "a device": "result = open('/dev/urandom', 'rb')",
    "a folder": "result = os.listdir('/')",
    "whether a file exists": "result = os.stat('/etc/passwd')",
    "another folder": "result = os.chdir('/tmp')",
    "the removal of a file": "result = os.unlink('/tmp/exporter-worker')",
    "a pipe": "result = os.pipe()",
    "a program by subprocess, which opens a pipe first": "result = subprocess.run(['/bin/true'])",
    "another number for its pipe": "result = os.dup(3)",
    "signals by a pipe": "import fcntl; result = fcntl.fcntl(3, fcntl.F_SETOWN, parent)",
    "a terminal": "result = os.get_terminal_size(2)",
    "shared memory": "result = multiprocessing.shared_memory.SharedMemory(create=True, size=4096)",
    "limits of the exporter": "result = resource.prlimit(parent, resource.RLIMIT_NOFILE)",
    "a group of its own, which is not killed with it": "result = os.setpgid(0, 0)",
    "another user": "result = os.setuid(65534)",
    "another priority": "result = os.setpriority(os.PRIO_PROCESS, parent, 0)",
    "executable memory": "result = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)",
}
REFUSED_CALLS: dict[str, tuple[str | int, ...]] = {
    "openat": (-100, "b'/etc/passwd'", 0),
    "openat2": (-100, "b'/etc/passwd'", "bytes(24)", 24),
    "open": ("b'/etc/passwd'", 0),
    "creat": ("b'/tmp/exporter-worker'", 0o600),
    "stat": ("b'/etc/passwd'", "bytes(144)"),
    "truncate": ("b'/tmp/exporter-worker'", 0),
    "chmod": ("b'/tmp/exporter-worker'", 0o600),
    "ioctl": (4, 0x5421, "bytes(8)"),
    "fcntl": (4, 8, "parent"),
    "dup": (4,),
    "prctl": (4, 1, 0, 0, 0),  # PR_SET_DUMPABLE
    "seccomp": (1, 0, "None"),
    "landlock_create_ruleset": ("None", 0, 1),
    "prlimit64": ("parent", 7, "None", "bytes(16)"),
    "mprotect": (0, 4096, 4),  # PROT_EXEC
    "pkey_mprotect": (0, 4096, 4, -1),
    "splice": (3, "None", 4, "None", 1, 0),
    "vmsplice": (4, "None", 0, 0),
    "timer_create": (0, "None", "bytes(8)"),
    "epoll_create1": (0,),
    "kcmp": ("parent", "parent", 0, 0, 0),
    "setsid": (),
}


def test_what_libraries_may_try_fails() -> None:
    assert dict(zip(REFUSED, run(*REFUSED.values()), strict=True)) == dict.fromkeys(REFUSED, "PermissionError")


def test_direct_system_calls_fail() -> None:
    here = {name: one for name, one in REFUSED_CALLS.items() if name in OTHER_CALLS[MACHINE]}
    results = run(*(call(name, *arguments) for name, arguments in here.items()))
    assert dict(zip(here, results, strict=True)) == dict.fromkeys(here, "EPERM")


def test_a_file_is_neither_made_nor_changed(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("as it was")
    programs = [f"result = open({str(file)!r}, {mode!r})" for file in (old, new) for mode in "wa"]
    assert run(*programs) == ["PermissionError"] * 4
    assert old.read_text() == "as it was"
    assert not new.exists()


def test_the_protections_cannot_be_taken_off() -> None:
    programs = [
        call("prctl", 22, 0, 0, 0, 0),  # PR_SET_SECCOMP
        call("prctl", 38, 0, 0, 0, 0),  # PR_SET_NO_NEW_PRIVS
        "result = open('/etc/passwd')",
    ]
    assert run(*programs) == ["EPERM", "EPERM", "PermissionError"]


# --- descriptors ------------------------------------------------------------------------------------------------------


def test_a_worker_has_its_pipes_and_no_other_descriptor(tmp_path: Path) -> None:
    """Not those of the exporter either, even if they are inheritable: listening sockets, files."""
    with (tmp_path / "database").open("wb") as file, socket.create_server(("127.0.0.1", 0)) as listening:
        os.set_inheritable(file.fileno(), True)
        os.set_inheritable(listening.fileno(), True)
        assert run("result = usable_descriptors()") == [[0, 1, 2, 3, 4]]


# --- what a worker needs ----------------------------------------------------------------------------------------------

NEEDED = {
    "random numbers": "result = len(os.urandom(16)) == 16",
    "random numbers of OpenSSL": "result = call('getrandom', bytes(64), 64, 0) == 'done'",
    "time": "time.sleep(0.001); result = time.time() > 0 and time.monotonic() > 0",
    "much memory": "result = all(len(bytearray(size << 20)) for size in (1, 20, 60))",
    "signal handlers": "signal.signal(signal.SIGTERM, signal.SIG_IGN); result = True",
}


def test_what_jobs_need_works() -> None:
    assert dict(zip(NEEDED, run(*NEEDED.values()), strict=True)) == dict.fromkeys(NEEDED, True)


# --- one protection alone ---------------------------------------------------------------------------------------------


def test_the_programs_work_without_protections() -> None:
    """So the tests above are not about programs that fail anyway."""
    programs = {
        "socket": "result = bool(socket.socket())",
        "fork": "pid = os.fork()\nif not pid: os._exit(0)\nresult = os.waitpid(pid, 0)[1]",
        "program": "result = subprocess.run(['/bin/true']).returncode",
        "file in memory": "result = os.memfd_create('x') > 0",
        "signal": "result = os.kill(parent, 0)",
        "file": "result = len(open('/etc/passwd').read()) > 0",
        "pipe": "result = len(os.pipe())",
        "dup": "result = os.dup(3) > 0",
        "signals by a pipe": "import fcntl; result = fcntl.fcntl(3, fcntl.F_SETOWN, parent)",
        "memory of the exporter": READ_PARENT,
        "executable memory": "result = len(mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC))",
    }
    results = dict(zip(programs, run(*programs.values(), module=UNPROTECTED), strict=True))
    assert results == {
        **dict.fromkeys(("socket", "file in memory", "file", "dup"), True),
        "memory of the exporter": "EFAULT",  # it is permitted, but nothing is at this address
        **dict.fromkeys(("fork", "program", "signals by a pipe"), 0),
        "signal": None,
        "pipe": 2,
        "executable memory": 4096,
    }


def test_seccomp_alone_refuses_all() -> None:
    fatal = ["result = socket.socket()", "result = os.fork()", "result = os.kill(parent, 0)"]
    assert run(*fatal, module=NO_LANDLOCK) == [KILLED] * 3
    assert run(*REFUSED.values(), module=NO_LANDLOCK) == ["PermissionError"] * len(REFUSED)


@pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")
def test_landlock_alone_refuses_files_ports_and_signals() -> None:
    """It does not see new processes and datagram sockets."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        programs = {
            "open('/etc/passwd')": 1,
            "open('/tmp/exporter-worker', 'w')": 1,
            "os.listdir('/')": 1,
            "open(f'/proc/{parent}/mem', 'rb')": 1,
            f"socket.create_connection(('127.0.0.1', {port}))": TCP_SINCE,
            "socket.create_server(('127.0.0.1', 0))": TCP_SINCE,
            "os.kill(parent, 0)": SIGNALS_SINCE,
        }
        refused = [one for one, since in programs.items() if landlock_version() >= since]
        results = run(*(f"result = {one}" for one in refused), module=NO_SECCOMP)
    assert dict(zip(refused, results, strict=True)) == dict.fromkeys(refused, "PermissionError")
    attached = call("ptrace", 0x4206, "parent", 0, 0)  # PTRACE_SEIZE
    assert run(READ_PARENT, attached, module=NO_SECCOMP) == ["EPERM", "EPERM"]
    assert run("result = bool(socket.socket(type=socket.SOCK_DGRAM))", module=NO_SECCOMP) == [True]


def test_other_processes_of_the_user_cannot_attach_to_a_worker() -> None:
    assert run("result = ctypes.CDLL(None).prctl(3)", module=NO_SECCOMP) == [0]  # PR_GET_DUMPABLE


# --- what is reported -------------------------------------------------------------------------------------------------


def protections(module: str) -> list[tuple[Protection, ...]]:
    """What workers report that start one after the other."""
    reported: list[tuple[Protection, ...]] = []

    async def main() -> None:
        workers = Workers(module, LIMITS, on_start=reported.append)
        await workers.run("echo", {}, nowhere, 60.0)
        await workers.run("echo", {}, nowhere, 60.0)
        await workers.close()

    asyncio.run(main())
    return reported


LANDLOCK_OFF = Protection("landlock", on=False, detail="Function not implemented")
SECCOMP_ON = Protection("seccomp", on=True, detail="system calls")
SECCOMP_OFF = Protection("seccomp", on=False, detail="Operation not permitted")


def test_a_worker_reports_once_what_is_on() -> None:
    assert protections(NO_LANDLOCK) == [(LANDLOCK_OFF, SECCOMP_ON)]
    assert protections(UNPROTECTED) == [(LANDLOCK_OFF, SECCOMP_OFF)]


@pytest.mark.skipif(landlock_version() < SIGNALS_SINCE, reason="this kernel has an older Landlock")
def test_all_protections_are_on_with_a_kernel_that_has_them() -> None:
    assert protections(EVIL) == [(Protection("landlock", on=True, detail="files, TCP, signals"), SECCOMP_ON)]


@pytest.mark.parametrize("payload", [b"", b"{", b"[1]", b'[["seccomp", true]]', b"5"])
def test_a_malformed_report_is_an_error(payload: bytes) -> None:
    assert from_json(to_json((LANDLOCK_OFF, SECCOMP_ON))) == (LANDLOCK_OFF, SECCOMP_ON)
    with pytest.raises(ValueError, match="not a list of protections"):
        from_json(payload)


@pytest.mark.parametrize(
    ("report", "level", "message"),
    [
        (
            (Protection("landlock", on=True, detail="files"), SECCOMP_ON),
            logging.INFO,
            "protections of workers: landlock is on (files), seccomp is on (system calls)",
        ),
        (
            (LANDLOCK_OFF, SECCOMP_ON),
            logging.WARNING,
            "protections of workers: landlock is off (Function not implemented), seccomp is on (system calls)",
        ),
    ],
)
def test_protections_are_logged_when_they_change(
    report: tuple[Protection, ...], level: int, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    shown: dict[str, bool] = {}
    note: Callable[[tuple[Protection, ...]], None] = ProtectionLog(shown.__setitem__)
    with caplog.at_level(logging.INFO):
        note(report)
        note(report)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [(level, message)]
    assert shown == {one.name: one.on for one in report}
    note((SECCOMP_OFF,))
    assert len(caplog.records) == 2
    assert shown["seccomp"] is False
