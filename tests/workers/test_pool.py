import asyncio
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from exporter.errors import ProbeError
from exporter.model import Reason, Target
from exporter.net.connection import Connection
from exporter.net.dial import Dialer
from exporter.net.gate import HostGate
from exporter.net.service import ready_for_tls
from exporter.workers import NoWorkerError, Turn, WorkerLimits, Workers
from exporter.workers.process import MOST_CONNECTIONS, MOST_SENT_BYTES, Worker
from tests.support.plain import Handler, drip, plain_server
from tests.support.processes import wait_for

EVIL = "tests.support.evil_jobs"
NO_NASSL = "tests.support.no_nassl"
UNPROTECTED = "tests.support.refusing_kernels.neither"
LIMITS = WorkerLimits(most=2, jobs_each=50, memory_bytes=256 << 20, idle_seconds=60.0)


@asynccontextmanager
async def nowhere() -> AsyncIterator[Connection]:
    raise ProbeError(Reason.CONNECT_REFUSED, "nobody is there")
    yield  # type: ignore[unreachable]  # makes it a generator


class Pool:
    """Workers with misbehaving jobs, and how often one was started anew."""

    def __init__(self, limits: WorkerLimits = LIMITS, module: str = EVIL) -> None:
        self.restarts = 0
        self.workers = Workers(module, limits, on_restart=self._count)

    def _count(self) -> None:
        self.restarts += 1

    async def run(self, name: str, seconds: float = 20.0, **arguments: object) -> object:
        return await self.workers.run(name, arguments, nowhere, seconds)


def with_pool(test: Callable[[Pool], Awaitable[None]], limits: WorkerLimits = LIMITS, module: str = EVIL) -> Pool:
    """Run the test; whatever it did, no process, no thread and no descriptor is left."""
    pool = Pool(limits, module)

    async def run() -> None:
        await pool.run("echo")  # threads and descriptors of the first start stay
        before = descriptors()
        try:
            await test(pool)
        finally:
            await pool.workers.close()
        assert len(descriptors()) <= len(before)

    asyncio.run(run())
    no_worker_is_left()
    return pool


def no_worker_is_left() -> None:
    """They are killed by now, and a busy system takes its time to end them."""
    wait_for("the end of all workers", 60, lambda: not children())


def descriptors() -> list[Path]:
    return list(Path("/proc/self/fd").iterdir())


OTHERS: set[int] = set()
"""Workers that were there when the test began: `tests/real` keeps some until the end of the session."""


def children() -> list[int]:
    """Processes below this one that were started by the worker's command, without those of other tests' fixtures."""
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        try:
            status = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            if folder.name.isdigit() and int(status[1]) == os.getpid() and b"exporter.workers" in command(folder):
                found += {int(folder.name)} - OTHERS
        except (OSError, IndexError):
            continue
    return found


def command(folder: Path) -> bytes:
    return (folder / "cmdline").read_bytes()


def gone(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_gives_what_the_job_gives_and_keeps_the_worker() -> None:
    async def test(pool: Pool) -> None:
        assert await pool.run("echo", word="ä", number=5, nothing=None) == {"word": "ä", "number": 5, "nothing": None}
        assert await pool.run("pid") == await pool.run("pid")

    assert with_pool(test).restarts == 0


@pytest.mark.parametrize(
    ("job", "detail"),
    [
        ("segfault", "SIGSEGV"),
        ("abort", "SIGABRT"),
        ("raises", "exit status 1: RuntimeError: a bug of ours"),
        ("leaves", "exit status 0"),
        ("eats_memory", "exit status 1: MemoryError"),
        ("eats_native_memory", "SIGSEGV"),
        ("garbage", "is not the head of a frame"),
        ("announces_too_much", "is not the head of a frame"),
        ("no_json", "not JSON"),
        ("deep_json", "not JSON"),
        ("out_of_turn", "sent JOB out of turn"),
        ("sends_without_connection", "sent SEND out of turn"),
        ("half_a_frame", "exit status 0"),
    ],
)
def test_a_worker_that_breaks_costs_its_job_and_no_other(job: str, detail: str) -> None:
    async def test(pool: Pool) -> None:
        neighbour = asyncio.create_task(pool.run("echo", n=1))
        with pytest.raises(ProbeError) as caught:
            await pool.run(job)
        assert caught.value.reason is Reason.WORKER_CRASHED
        assert detail in caught.value.detail
        assert await neighbour == {"n": 1}
        assert await pool.run("echo", n=2) == {"n": 2}

    assert with_pool(test).restarts == 1


@pytest.mark.parametrize("job", ["stuck_in_native_code", "spins"])
def test_a_job_that_is_late_is_over_soon_after_its_deadline(job: str) -> None:
    async def test(pool: Pool) -> None:
        pid = await pool.run("pid")
        assert isinstance(pid, int)
        began = time.monotonic()
        with pytest.raises(ProbeError) as caught:
            await pool.run(job, seconds=0.5)
        assert caught.value.reason is Reason.DEADLINE_EXCEEDED
        while not gone(pid):
            await asyncio.sleep(0.01)
        assert time.monotonic() - began < 15
        assert await pool.run("echo", n=1) == {"n": 1}

    assert with_pool(test).restarts == 1


def test_a_job_that_nobody_waits_for_any_more_is_killed() -> None:
    async def test(pool: Pool) -> None:
        pid = await pool.run("pid")
        assert isinstance(pid, int)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await pool.run("stuck_in_native_code")
        while not gone(pid):
            await asyncio.sleep(0.01)

    assert with_pool(test).restarts == 1


def test_what_a_late_worker_started_ends_with_it(tmp_path: Path) -> None:
    async def test(pool: Pool) -> None:
        with pytest.raises(ProbeError, match="not done within"):
            await pool.run("starts_another", seconds=2.0, file=str(tmp_path / "pid"))
        while not gone(int((tmp_path / "pid").read_text())):
            await asyncio.sleep(0.01)

    with_pool(test, module=UNPROTECTED)


@pytest.mark.parametrize("job", ["floods_errors", "prints"])
def test_what_a_library_prints_is_no_answer(job: str) -> None:
    async def test(pool: Pool) -> None:
        assert await pool.run(job) == "done"

    assert with_pool(test).restarts == 0


def test_a_server_that_is_not_reached_is_the_server_s_fault() -> None:
    async def test(pool: Pool) -> None:
        before = await pool.run("pid")
        with pytest.raises(ProbeError) as caught:
            await pool.run("connect_twice")
        assert caught.value.reason is Reason.CONNECT_REFUSED
        assert await pool.run("pid") == before

    assert with_pool(test).restarts == 0


def test_a_worker_is_replaced_after_its_share_of_jobs() -> None:
    async def test(pool: Pool) -> None:
        pids = [await pool.run("pid") for _ in range(7)]
        assert len(set(pids)) == 3  # one more job was done before
        assert pids[0] == pids[1] != pids[2] == pids[4] != pids[5]

    assert with_pool(test, WorkerLimits(most=1, jobs_each=3, memory_bytes=256 << 20)).restarts == 0


def test_a_worker_without_work_leaves() -> None:
    async def test(pool: Pool) -> None:
        pid = await pool.run("pid")
        assert isinstance(pid, int)
        while not gone(pid):
            await asyncio.sleep(0.01)
        assert await pool.run("pid") != pid

    assert with_pool(test, WorkerLimits(idle_seconds=0.1)).restarts == 0


def test_a_worker_that_died_in_its_sleep_is_replaced_before_a_job() -> None:
    async def test(pool: Pool) -> None:
        pid = await pool.run("pid")
        assert isinstance(pid, int)
        os.kill(pid, 9)
        while not gone(pid):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)  # until the event loop was told
        assert await pool.run("echo", n=1) == {"n": 1}

    assert with_pool(test).restarts == 1


def test_no_more_workers_than_places() -> None:
    async def test(pool: Pool) -> None:
        pids = await asyncio.gather(*(pool.run("pid") for _ in range(8)))
        assert len(set(pids)) <= 2
        assert len(children()) <= 2

    with_pool(test)


# --- fairness between owners ------------------------------------------------------------------------------------------


async def told(pool: Pool, owner: str, job: str = "echo", start_by: float | None = None) -> object:
    return await pool.workers.run(job, {}, nowhere, 600.0, Turn(owner, start_by))


def test_two_owners_of_endless_jobs_do_not_keep_the_others_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.workers.pool.QUICK_SECONDS", 0.2)

    async def test(pool: Pool) -> None:
        hostile = [asyncio.create_task(told(pool, f"hostile{n}", "spins")) for n in range(4)]
        try:
            await asyncio.sleep(0)
            async with asyncio.timeout(120):
                answers = await asyncio.gather(*(told(pool, f"healthy{n}") for n in range(10)))
            assert answers == [{}] * 10
            assert not any(task.done() for task in hostile)
            assert len(children()) <= 2
        finally:
            for task in hostile:
                task.cancel()
            await asyncio.wait(hostile)

    with_pool(test)


def test_the_next_job_of_an_owner_whose_last_one_was_slow_waits_for_the_slow_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("exporter.workers.pool.QUICK_SECONDS", 0.1)

    async def test(pool: Pool) -> None:
        with pytest.raises(ProbeError):
            await pool.workers.run("spins", {}, nowhere, 1.0, Turn("hostile"))
        other = asyncio.create_task(told(pool, "other", "spins"))
        try:
            async with asyncio.timeout(60):
                while not pool.workers.slow_jobs:
                    await asyncio.sleep(0.01)
            with pytest.raises(NoWorkerError):
                await told(pool, "hostile", start_by=asyncio.get_running_loop().time())
            assert await told(pool, "healthy") == {}
        finally:
            other.cancel()
            await asyncio.wait({other})
        assert await told(pool, "hostile") == {}

    with_pool(test)


def test_a_job_that_may_not_begin_any_more_is_not_begun() -> None:
    left_out: list[int] = []

    async def run() -> None:
        workers = Workers(EVIL, WorkerLimits(most=1), on_not_tried=lambda: left_out.append(1))
        running = asyncio.create_task(workers.run("spins", {}, nowhere, 600.0))
        await asyncio.sleep(0)
        with pytest.raises(NoWorkerError):
            await workers.run("echo", {}, nowhere, 1.0, Turn(start_by=asyncio.get_running_loop().time()))
        running.cancel()
        await asyncio.wait({running})
        await workers.close()

    asyncio.run(run())
    assert left_out == [1]


def test_a_worker_that_cannot_be_started_is_a_failed_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        pool = Workers(EVIL)
        monkeypatch.setattr("exporter.workers.process.sys.executable", "/no/such/python")
        with pytest.raises(ProbeError, match="cannot be started") as caught:
            await pool.run("echo", {}, nowhere, 5.0)
        assert caught.value.reason is Reason.WORKER_CRASHED

    asyncio.run(test())


def test_a_library_that_is_missing_is_looked_for_once_an_hour(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    starts: list[str] = []
    real = Worker.start

    async def start(module: str, memory_bytes: int) -> Worker:
        starts.append(module)
        return await real(module, memory_bytes)

    async def test() -> None:
        pool = Pool(module=NO_NASSL)

        async def fails() -> None:
            with pytest.raises(ProbeError) as caught:
                await pool.run("robot")
            assert caught.value.reason is Reason.LIBRARY_UNAVAILABLE
            assert caught.value.detail.startswith("attacks cannot be tried: import of nassl")

        await fails()
        await fails()
        assert len(starts) == len(caplog.records) == 1
        monkeypatch.setattr("exporter.workers.pool.UNAVAILABLE_SECONDS", 0.0)
        pool.workers = Workers(NO_NASSL, LIMITS, on_restart=lambda: starts.append("crash"))
        await fails()
        await fails()
        assert starts == [NO_NASSL] * 3, "nothing crashed"

    monkeypatch.setattr("exporter.workers.pool.Worker.start", start)
    with caplog.at_level(logging.WARNING, "exporter.workers"):
        asyncio.run(test())
    assert not children()


def test_workers_end_with_the_program_even_when_that_is_killed(tmp_path: Path) -> None:
    """SIGKILL to the program: a worker stuck in native code cannot see its pipe close."""
    script = tmp_path / "program.py"
    script.write_text(
        "import asyncio, os\n"
        "from tests.workers.test_pool import Pool\n"
        "async def main():\n"
        "    pool = Pool()\n"
        "    print(await pool.run('pid'), flush=True)\n"
        "    await pool.run('stuck_in_native_code', seconds=600)\n"
        "asyncio.run(main())\n"
    )

    async def test() -> None:
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        process = await asyncio.create_subprocess_exec(
            *(os.sys.executable, str(script)),  # type: ignore[attr-defined]
            stdout=asyncio.subprocess.PIPE,
            env=environment,
        )
        assert process.stdout is not None
        pid = int(await process.stdout.readline())
        await asyncio.sleep(0.3)
        process.kill()
        await process.wait()
        while not gone(pid):
            await asyncio.sleep(0.01)

    asyncio.run(test())


# --- connections ------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def dialing(handler: Handler) -> AsyncIterator[Dialer]:
    """To a server that behaves so."""
    async with plain_server(handler) as port:
        yield Dialer(Target("test", "127.0.0.1", port, ("policy",), timeout_seconds=0.3), HostGate())


async def fetched(answer: Handler) -> tuple[object, Dialer]:
    """What a job makes of a server that behaves so, and the dialer that its connection was counted by."""
    async with dialing(answer) as dialer:
        pool = Workers(EVIL, LIMITS)
        try:
            result = await pool.run("fetch", {"say": "hello"}, lambda: ready_for_tls(dialer, max_bytes=100), 10.0)
        finally:
            await pool.close()
    return result, dialer


def test_bytes_are_relayed_and_counted() -> None:
    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await reader.readexactly(5)
        writer.write(said.upper())
        writer.close()

    result, dialer = asyncio.run(fetched(server))
    assert result == {"answer": "HELLO", "error": None, "ending": 0}
    assert (dialer.connections, dialer.traffic.sent, dialer.traffic.received) == (1, 5, 5)


def test_silence_and_reset_end_as_a_socket_s_would_and_our_limits_otherwise() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(5)
        writer.transport.abort()

    async def flooding(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x" * 1000)
        writer.close()

    assert asyncio.run(fetched(silent))[0] == {"answer": "", "error": "TimeoutError", "ending": 2}

    async def dripping(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await drip(writer, b"x" * 20, 0.1)

    cut_off = {"error": "ConnectionAbortedError", "ending": 4}
    assert asyncio.run(fetched(flooding))[0] == {"answer": "", **cut_off}
    dripped = asyncio.run(fetched(dripping))[0]
    assert isinstance(dripped, dict)
    assert 1 < len(dripped.pop("answer")) < 20
    assert dripped == cut_off, "it was not silent, and did not close: that is no answer of any kind"
    ended = asyncio.run(fetched(resetting))[0]
    assert isinstance(ended, dict)
    assert ended["ending"] in {0, 1}  # asyncio's abort is a close where nothing is left to send


@pytest.mark.parametrize("job", ["connects_without_end", "sends_without_end"])
def test_a_worker_cannot_flood_its_server(job: str) -> None:
    async def read(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass

    async def run() -> None:
        async with dialing(read) as dialer:
            pool = Workers(EVIL, LIMITS)
            try:
                with pytest.raises(ProbeError, match="than any job needs") as caught:
                    await pool.run(job, {}, lambda: ready_for_tls(dialer, max_bytes=100), 10.0)
            finally:
                await pool.close()
        assert caught.value.reason is Reason.WORKER_CRASHED
        assert dialer.connections <= MOST_CONNECTIONS
        assert dialer.traffic.sent <= MOST_SENT_BYTES

    asyncio.run(run())


def test_a_worker_that_does_not_wait_for_answers_does_not_keep_the_loop_to_itself() -> None:
    async def leave(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readexactly(5)

    pauses: list[float] = []

    async def watch() -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.001)
            pauses.append(time.monotonic() - last)
            last = time.monotonic()

    async def run() -> None:
        async with dialing(leave) as dialer:
            pool = Workers(EVIL, LIMITS)
            await pool.run("echo", {}, nowhere, 10.0)
            watching = asyncio.create_task(watch())
            try:
                with pytest.raises(ProbeError, match="not done within"):
                    await pool.run("asks_without_end", {}, lambda: ready_for_tls(dialer, max_bytes=100), 1.0)
            finally:
                watching.cancel()
                await pool.close()

    asyncio.run(run())
    assert max(pauses) < 0.2


def test_no_thread_is_left() -> None:
    before = threading.active_count()
    with_pool(lambda pool: pool.run("echo"))  # type: ignore[arg-type,return-value]
    assert threading.active_count() <= before
