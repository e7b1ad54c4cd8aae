"""Records what `scan` prints on a terminal, and into a pipe: `python tools/sessions.py [NAME...]` writes docs/sessions.

The program runs in pseudo-terminals of a certain width, and scans servers of this process on loopback.
"""

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import selectors
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from exporter.demo.certificates import Authority
from exporter.demo.names import name_server
from exporter.demo.servers import GOOD_FIELDS, WEAK_FIELDS, good_context, weak_context
from exporter.environment import utc_now
from exporter.policies import shipped

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "sessions"
WIDTHS: Mapping[str, int | None] = {"80": 80, "200": 200, "piped": None}
"""What the name of a session ends in -> columns of its terminal; None is a pipe."""
_ADDRESSES = tuple(f"127.0.0.{number}" for number in range(1, 65))
"""The exporter limits connections by address, so several are faster than one."""
_HANDSHAKE_SECONDS = 5.0
"""After this time the servers close a connection without a complete handshake; some tests of attacks wait for that."""
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_OK = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n{}\r\nhello\n"
_NOT_FOUND = _OK.replace("200 OK", "404 Not Found")

Counts = Mapping[str, int]
"""Kind of server -> how many targets are of it."""
FLEETS: Mapping[str, Counts] = {
    "1-target": {"weak": 1},
    "1-target-unreachable": {"refused": 1},
    "5-targets": {"good": 2, "weak": 1, "no-hsts": 1, "refused": 1},
    "500-targets": {"good": 420, "weak": 12, "no-hsts": 40, "mute": 8, "refused": 14, "not-tls": 6},
}
_GOOD_HOST, _WEAK_HOST = "meets-the-checklist.demo.example", "fails-the-checklist.demo.example"
_NAMES = {
    "good": "www-{:03}.example.com",
    "weak": "legacy-{:03}.example.com",
    "no-hsts": "shop-{:03}.customers-of-the-webshop.example.com",
    "mute": "appliance-with-a-name-that-is-much-too-long-for-a-table-of-eighty-columns-{:03}.example.com",
    "refused": "retired-{:03}.example.com",
    "not-tls": "plain-{:03}.example.com",
}


@dataclass(frozen=True, slots=True)
class Recording:
    """What a command wrote.

    Attributes:
        shown: standard output, as text without colours.
        progress: the lines that standard error showed one after the other, if it was a terminal.
        code: the exit code.
    """

    shown: str
    progress: tuple[str, ...]
    code: int


def _answer(fields: str | None) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """A web server with these header fields; None closes each connection without an answer."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            async with asyncio.timeout(10):
                request = await reader.readuntil(b"\r\n\r\n")
                if fields is not None:
                    known = request.startswith((b"GET / ", b"HEAD / "))
                    writer.write((_OK if known else _NOT_FOUND).format(fields).encode())
                    await writer.drain()
        writer.close()

    return answer


@asynccontextmanager
async def _listening(fields: str | None, context: ssl.SSLContext | None) -> AsyncIterator[int]:
    """One port on all addresses."""
    with socket.socket() as first:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        first.bind((_ADDRESSES[0], 0))
        port = first.getsockname()[1]
    limit = None if context is None else _HANDSHAKE_SECONDS
    server = await asyncio.start_server(
        _answer(fields), _ADDRESSES, port, ssl=context, backlog=500, ssl_handshake_timeout=limit
    )
    try:
        yield port
    finally:
        server.close()


@asynccontextmanager
async def fleet(folder: Path) -> AsyncIterator[Callable[[Counts], Path]]:
    """Servers of every kind; yields what writes a configuration with targets of these kinds."""
    authority = Authority(folder, utc_now())
    good, weak = good_context(authority, _GOOD_HOST), weak_context(authority, _WEAK_HOST)
    async with (
        name_server([_GOOD_HOST]) as dns,
        _listening(GOOD_FIELDS, good) as of_good,
        _listening(WEAK_FIELDS, weak) as of_weak,
        _listening("", good) as of_no_hsts,
        _listening(None, good) as of_mute,
        _listening("", None) as of_plain,
    ):
        ports = {"good": of_good, "weak": of_weak, "no-hsts": of_no_hsts, "mute": of_mute, "not-tls": of_plain}

        def write(counts: Counts) -> Path:
            file = folder / "fleet.yaml"
            head = (
                f"global:\n  policy: {_quick_policy(folder)}\n  vulnerability_interval: never\n"
                f"  ca_file: {authority.bundle}\n  scan_timeout: 10m\n"
                f"  resolver: {{nameservers: [127.0.0.1], port: {dns}}}\ntargets:\n"
            )
            file.write_text(head + "".join(_targets(counts, ports)), encoding="utf-8")
            return file

        yield write


def _quick_policy(folder: Path) -> Path:
    """The checklist without what needs tests of attacks, for which servers wait."""
    policy = yaml.safe_load(shipped()["kopano-checklist"].read_text(encoding="utf-8"))
    policy["name"] = "checklist-without-attacks"
    for check in ("vulnerabilities", "grade"):
        del policy["checks"][check]
    file = folder / "policy.yaml"
    file.write_text(yaml.safe_dump(policy), encoding="utf-8")
    return file


def _targets(counts: Counts, ports: Mapping[str, int]) -> Iterator[str]:
    for kind, number in counts.items():
        for n in range(1, number + 1):
            name, host = _NAMES[kind].format(n), _WEAK_HOST if kind == "weak" else _GOOD_HOST
            address, port = _ADDRESSES[n % len(_ADDRESSES)], ports.get(kind, 1)
            software = "" if kind == "weak" else ", distribution: debian 13"
            yield f"  - {{name: {name}, host: {host}, port: {port}, connect_address: {address}{software}}}\n"


def record(arguments: Sequence[str], columns: int | None) -> Recording:
    """Run the program with these arguments, on a terminal with so many columns; None is two pipes."""
    environment = {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "NO_COLOR", "FORCE_COLOR"}}
    ends = [_pair(columns), _pair(columns)]
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "exporter", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=ends[0][1],
        stderr=ends[1][1],
        env=environment | {"TERM": "xterm-256color", "PYTHONUTF8": "1"},
    )
    for _, written in ends:
        os.close(written)
    shown, errors = _read([read for read, _ in ends])
    code = process.wait()
    frames = [frame.rstrip() for frame in re.split(r"[\r\n]+", _plain(errors)) if frame.strip()]
    return Recording(_plain(shown).replace("\r\n", "\n"), tuple(dict.fromkeys(frames)), code)


def _pair(columns: int | None) -> tuple[int, int]:
    """The end to read, and the end to write."""
    if columns is None:
        return os.pipe()
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    return ours, theirs


def _plain(text: bytes) -> str:
    return _ESCAPE.sub("", text.decode())


def _read(ends: Sequence[int]) -> list[bytes]:
    """What comes from each of them until all are closed."""
    texts = dict.fromkeys(ends, b"")
    with selectors.DefaultSelector() as selector:
        for end in ends:
            selector.register(end, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                try:
                    data = os.read(key.fd, 65536)
                except OSError:  # a pseudo-terminal that nobody has open
                    data = b""
                texts[key.fd] += data
                if not data:
                    selector.unregister(key.fd)
                    os.close(key.fd)
    return [texts[end] for end in ends]


def session(config: Path, columns: int | None) -> str:
    """The text of one session: the command, what it shows, its exit code."""
    done = record(["scan", f"--config.file={config}", "--concurrency=60"], columns)
    where = f"a terminal of {columns} columns" if columns else "into a pipe"
    lines = [f"# {where}", "$ tls-posture-exporter scan --config.file=fleet.yaml --concurrency=60"]
    if done.progress:
        some = dict.fromkeys((done.progress[0], done.progress[len(done.progress) // 2], done.progress[-1]))
        lines += [f"(standard error) {frame}" for frame in some]
    return "\n".join([*lines, done.shown.rstrip("\n"), "$ echo $?", str(done.code), ""])


async def sessions(names: Sequence[str]) -> AsyncIterator[tuple[str, str]]:
    """Each named session, such as `5-targets-80`, with its text."""
    with tempfile.TemporaryDirectory(prefix="tls-posture-sessions-") as folder:
        async with fleet(Path(folder)) as write:
            for name in names:
                of_fleet, _, width = name.rpartition("-")
                yield name, await asyncio.to_thread(session, write(FLEETS[of_fleet]), WIDTHS[width])


async def _main(names: Sequence[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    async for name, text in sessions(names or [f"{of_fleet}-{width}" for of_fleet in FLEETS for width in WIDTHS]):
        (FOLDER / f"{name}.txt").write_text(text, encoding="utf-8")
        sys.stdout.write(f"{name}: {len(text.splitlines())} lines\n")


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1:]))
