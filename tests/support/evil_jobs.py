"""Jobs that misbehave. The process of the worker loads them instead of the attacks."""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from exporter.workers.child import Network
from exporter.workers.wire import HEAD, MAX_PAYLOAD_BYTES, FrameKind
from tests.support import intrusion

LIBC = ctypes.CDLL(None)
PyLIBC = ctypes.PyDLL(None)  # its calls keep the interpreter's lock, as native code that hangs does


def echo(arguments: Mapping[str, Any], _network: Network) -> object:
    return dict(arguments)


def pid(_arguments: Mapping[str, Any], _network: Network) -> object:
    return os.getpid()


def fetch(arguments: Mapping[str, Any], network: Network) -> object:
    """Send something to the server, and return its answer and how the connection ends."""
    socket = network.connect()
    answer = b""
    try:
        socket.send(arguments["say"].encode())
        while data := socket.recv(1000):
            answer += data
    except OSError as error:
        return {"answer": answer.decode(), "error": type(error).__name__, "ending": socket.ending}
    return {"answer": answer.decode(), "error": None, "ending": socket.ending}


def connect_twice(_arguments: Mapping[str, Any], network: Network) -> object:
    for _ in range(2):
        with contextlib.suppress(OSError):
            network.connect()
    return len(network.sockets)


def segfault(_arguments: Mapping[str, Any], _network: Network) -> NoReturn:
    LIBC.memset(8, 0, 8)
    raise AssertionError("unreachable")


def abort(_arguments: Mapping[str, Any], _network: Network) -> NoReturn:
    os.abort()


def raises(_arguments: Mapping[str, Any], _network: Network) -> NoReturn:
    raise RuntimeError("a bug of ours")


def leaves(_arguments: Mapping[str, Any], _network: Network) -> NoReturn:
    os._exit(0)


def stuck_in_native_code(_arguments: Mapping[str, Any], _network: Network) -> object:
    """Block every signal that can be blocked, and sleep in C with the interpreter's lock held."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    PyLIBC.sleep(600)
    return None


def spins(_arguments: Mapping[str, Any], _network: Network) -> NoReturn:
    while True:
        pass


def starts_another(arguments: Mapping[str, Any], _network: Network) -> NoReturn:
    """Take too long, and start a process that does too."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(arguments["file"]).write_text(str(child.pid))
    while True:
        pass


def runs(arguments: Mapping[str, Any], _network: Network) -> object:
    """Run any program, as an attacker does who has taken over the worker; return what its `result` is then."""
    names: dict[str, Any] = {"parent": os.getppid()} | vars(intrusion)
    try:
        exec(arguments["program"], names)  # noqa: S102 - that is its purpose
    except OSError as error:
        return type(error).__name__
    return names["result"]


def eats_memory(_arguments: Mapping[str, Any], _network: Network) -> NoReturn:
    eaten = []
    while True:
        eaten.append(bytearray(16 << 20))


def eats_native_memory(_arguments: Mapping[str, Any], _network: Network) -> NoReturn:
    """Write to a null pointer, like a C library that does not check the result of malloc."""
    LIBC.malloc.restype = ctypes.c_void_p
    while True:
        LIBC.memset(ctypes.c_void_p(LIBC.malloc(ctypes.c_size_t(64 << 20))), 1, ctypes.c_size_t(64 << 20))


def floods_errors(_arguments: Mapping[str, Any], _network: Network) -> object:
    for _ in range(2000):
        os.write(2, b"x" * 9000)
    return "done"


def prints(_arguments: Mapping[str, Any], _network: Network) -> object:
    """Print like a library; this must not be treated as an answer."""
    sys.stdout.write("hello")
    sys.stdout.flush()
    os.write(1, b"\x00\x00\x00\x05\x15garbage")
    return "done"


def _pipe(network: Network) -> Any:  # noqa: ANN401 - the inside of another class
    return network._pipes._outgoing  # noqa: SLF001 - to break what must not be broken


def _says(network: Network, data: bytes) -> object:
    _pipe(network).write(data)
    _pipe(network).flush()
    time.sleep(600)
    return None


def garbage(_arguments: Mapping[str, Any], network: Network) -> object:
    return _says(network, bytes(range(256)) * 8)


def announces_too_much(_arguments: Mapping[str, Any], network: Network) -> object:
    return _says(network, HEAD.pack(MAX_PAYLOAD_BYTES + 1, FrameKind.DONE))


def no_json(_arguments: Mapping[str, Any], network: Network) -> object:
    return _says(network, HEAD.pack(3, FrameKind.DONE) + b"{{{")


def deep_json(_arguments: Mapping[str, Any], network: Network) -> object:
    return _says(network, HEAD.pack(60000, FrameKind.DONE) + b"[" * 60000)


def out_of_turn(_arguments: Mapping[str, Any], network: Network) -> object:
    return _says(network, HEAD.pack(0, FrameKind.JOB))


def sends_without_connection(_arguments: Mapping[str, Any], network: Network) -> object:
    return _says(network, HEAD.pack(1, FrameKind.SEND) + b"x")


def asks_without_end(_arguments: Mapping[str, Any], network: Network) -> NoReturn:
    """Send without waiting for answers."""
    network.connect().send(b"hello")
    while True:
        _pipe(network).write(HEAD.pack(0, FrameKind.RECEIVE) * 1000)


def connects_without_end(_arguments: Mapping[str, Any], network: Network) -> NoReturn:
    while True:
        network.connect()


def sends_without_end(_arguments: Mapping[str, Any], network: Network) -> NoReturn:
    socket = network.connect()
    while True:
        socket.send(bytes(MAX_PAYLOAD_BYTES))


def half_a_frame(_arguments: Mapping[str, Any], network: Network) -> NoReturn:
    _pipe(network).write(HEAD.pack(100, FrameKind.DONE) + json.dumps("half").encode())
    _pipe(network).flush()
    os._exit(0)


JOBS = {
    job.__name__: job
    for job in (
        *(echo, pid, fetch, connect_twice, segfault, abort, raises, leaves, stuck_in_native_code, spins),
        *(runs, starts_another, eats_memory, eats_native_memory, floods_errors, prints, garbage, announces_too_much),
        *(no_json, deep_json, out_of_turn, sends_without_connection, half_a_frame),
        *(asks_without_end, connects_without_end, sends_without_end),
    )
}
