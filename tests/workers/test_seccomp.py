"""The filter as a program: it is for each architecture of the tables, and its numbers are those of the kernel."""

import re
from pathlib import Path

import pytest

from exporter.workers import seccomp
from exporter.workers.seccomp import ALLOWED, ARCHITECTURES, FATAL, NOT_EXECUTABLE, OWN_ABORT, program

HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
"""Of Debian's linux-libc-dev; the numbers of aarch64 are the generic ones."""


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_numbers_are_those_of_the_kernel(machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip("linux-libc-dev is not installed")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)$", HEADERS[machine].read_text(), re.MULTILINE)
    numbers = {name: int(number) for name, number in found}
    calls = ARCHITECTURES[machine].calls
    assert {name: numbers.get(name) for name in calls} == calls


def result(machine: str, call: int, *arguments: int, architecture: int | None = None) -> int:
    """What the filter of process 77 says of a call: runs its program as the kernel does."""
    chosen = ARCHITECTURES[machine]
    steps = program(chosen, 77)
    words = {0: call, 4: chosen.audit if architecture is None else architecture}
    words |= {16 + 8 * index: argument & 0xFFFFFFFF for index, argument in enumerate(arguments)}
    at = loaded = 0
    while True:
        code, if_true, if_false, constant = steps[at]
        at += 1
        match code:
            case 0x20:
                loaded = words[constant]
            case 0x06:
                return constant
            case 0x15:
                at += if_true if loaded == constant else if_false
            case 0x35:
                at += if_true if loaded >= constant else if_false
            case 0x45:
                at += if_true if loaded & constant else if_false
            case _:
                raise AssertionError(code)


ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050001, 0x80000000
READ, WRITE, EXECUTE = 1, 2, 4


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_each_call_has_its_action(machine: str) -> None:
    calls = ARCHITECTURES[machine].calls
    assert {result(machine, calls[name]) for name in ALLOWED} == {ALLOW}
    assert {result(machine, calls[name]) for name in FATAL} == {KILL}
    known = {*ALLOWED, *FATAL, *NOT_EXECUTABLE, OWN_ABORT, "time", "fork", "vfork"}
    named = {number for name, number in calls.items() if name in known}
    assert {result(machine, number) for number in set(range(500)) - named} == {REFUSE}


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_some_calls_depend_on_their_arguments(machine: str) -> None:
    calls = ARCHITECTURES[machine].calls
    for name in NOT_EXECUTABLE:
        assert result(machine, calls[name], 0, 4096, READ | WRITE) == ALLOW
        assert result(machine, calls[name], 0, 4096, READ | EXECUTE) == REFUSE
    assert result(machine, calls[OWN_ABORT], 77, 77, 6) == ALLOW
    assert result(machine, calls[OWN_ABORT], 78, 78, 6) == KILL
    assert result(machine, calls[OWN_ABORT], 77, 77, 9) == KILL


def test_calls_of_another_kind_of_program_are_fatal() -> None:
    assert result("x86_64", ARCHITECTURES["x86_64"].calls["read"], architecture=0x40000003) == KILL  # AUDIT_ARCH_I386
    assert result("x86_64", 0x40000000) == KILL
    assert result("aarch64", ARCHITECTURES["aarch64"].calls["read"], architecture=0x40000028) == KILL  # AUDIT_ARCH_ARM


def test_a_processor_without_a_table_has_no_filter() -> None:
    with pytest.raises(OSError, match="no table of system calls for riscv64"):
        seccomp.restrict("riscv64")
