"""`report`: from a daemon's API, and from the folder in which a daemon has stored its results."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from exporter.environment import utc_now
from exporter.fleet import KeyIndex
from exporter.loading import Loader
from exporter.metrics import Exposition, OwnMetrics
from exporter.model import Facts, Failure, Protocol, Reason
from exporter.policies import read_config
from exporter.publisher import Publisher, Setup
from exporter.sharding import shard_of
from exporter.store import Store
from exporter.store.database import FILE_NAME, Database
from exporter.targets.groups import Group
from exporter.targets.lists import Lists
from tests.cli.test_command import Done, run
from tests.support.facts import CBC_RSA, GOOD_SUITES, facts, good_facts, handshake, result
from tests.support.known_fleet import KnownFleet, served
from tests.support.processes import free_port
from tests.support.targets import make_target

OLD = handshake({**GOOD_SUITES, Protocol.TLS1_0: (CBC_RSA,)})


# --- from a daemon ----------------------------------------------------------------------------------------------------


def asked(*arguments: str) -> Done:
    """The command, of a daemon with a good and a weak target; `URL` is its address."""

    async def steps() -> Done:
        fleet = KnownFleet(make_target(name="good"), make_target(name="weak"))
        await fleet.saw("good")
        await fleet.saw("weak", facts(OLD))
        async with served(fleet) as api:
            return await asyncio.to_thread(run, "report", f"--from=http://127.0.0.1:{api.port}/", *arguments)

    return asyncio.run(steps())


def test_a_daemon_gives_what_its_api_gives(tmp_path: Path) -> None:
    done = asked("--format=json", f"--output=junit:{tmp_path}/a.xml", f"--output=csv:{tmp_path}/a.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert [one["target"] for one in json.loads(done.stdout)["reports"]] == ["weak", "good"], "the worst first"
    assert "<testsuites " in (tmp_path / "a.xml").read_text()
    assert (tmp_path / "a.csv").read_bytes().startswith(b"target,address,")


def test_without_a_format_a_daemon_s_report_is_markdown_and_with_an_output_nothing_is_printed(tmp_path: Path) -> None:
    assert asked().stdout.startswith("## TLS posture: 1 of 2 targets fails\n")
    done = asked(f"--output=html:{tmp_path}/a.html")
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "a.html").exists()


def test_filters_are_those_of_the_api() -> None:
    done = asked("--format=json", "--verdict=fail", "--check=protocols", '--match={target=~"w.*"}')
    assert [one["target"] for one in json.loads(done.stdout)["reports"]] == ["weak"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--verdict=bad"], 'the server answered with status 400: invalid parameter "verdict"'),
        (["--format=table"], "a daemon has no tables for a terminal"),
        (["--from.token-file=/nonexistent"], "/nonexistent cannot be read"),
        (["--from.ca-file=/nonexistent"], "/nonexistent cannot be read"),
    ],
)
def test_what_cannot_be_asked_is_2(arguments: list[str], said: str) -> None:
    done = asked(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "ftp://h", "http://user:secret@h", "h"])
def test_a_daemon_that_cannot_be_asked_is_2(url: str) -> None:
    done = run("report", f"--from={url.format(port=free_port())}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr
    assert "secret" not in done.stderr


@asynccontextmanager
async def answering(response: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server with one response, and the requests that it got."""
    requests: list[bytes] = []
    connections: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):  # the client may have enough of a long response
            try:
                requests.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(response)
                await writer.drain()
            finally:
                writer.close()
                await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.create_task(handle(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], requests
    finally:
        server.close()
        await asyncio.gather(*connections)  # else a connection may outlive its event loop


def answered(response: bytes, *arguments: str) -> tuple[Done, list[bytes]]:
    async def steps() -> tuple[Done, list[bytes]]:
        async with answering(response) as (port, requests):
            done = await asyncio.to_thread(run, "report", f"--from=http://127.0.0.1:{port}/tls", *arguments)
            return done, requests

    return asyncio.run(steps())


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"


def test_secrets_are_read_from_files_and_sent_in_the_usual_field(tmp_path: Path) -> None:
    for name, text in (("user", "alice"), ("password", "pass\n"), ("token", "t0ken\n")):
        (tmp_path / name).write_text(text)
    basic = (f"--from.username-file={tmp_path}/user", f"--from.password-file={tmp_path}/password")
    done, [request] = answered(OK, "--format=csv", *basic)
    assert (done.returncode, done.stdout) == (0, "abc")
    assert request.startswith(b"GET /tls/api/v1/reports/csv HTTP/1.1\r\n"), "below the path of a proxy"
    assert b"Authorization: Basic YWxpY2U6cGFzcw==\r\n" in request
    _, [request] = answered(OK, "--format=csv", f"--from.token-file={tmp_path}/token")
    assert b"Authorization: Bearer t0ken\r\n" in request


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "status 401: it asks for authentication"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", "status 404: it is not a daemon of this version"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://h/\r\nContent-Length: 0\r\n\r\n", "status 302"),
        (b'HTTP/1.1 429 X\r\nContent-Length: 18\r\n\r\n{"error":"\x1b[31mx"}', "status 429"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "the response is not HTTP, or is incomplete"),
        (b"", "the server closed the connection without a response"),
    ],
)
def test_what_is_no_document_is_2_and_no_file_is_changed(response: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("before")
    done, _ = answered(response, f"--output=csv:{file}")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "\x1b" not in done.stderr
    assert file.read_text() == "before"


# --- from a store -----------------------------------------------------------------------------------------------------

CONFIG = """
targets:
  - {name: good, host: good.example}
  - {name: weak, host: weak.example, labels: {team: web}}
  - {name: never, host: never.example}
file_sd_configs: [{files: [list.yaml]}]
"""


def write_config(folder: Path) -> Path:
    file = folder / "config.yaml"
    file.write_text(CONFIG)
    return file


@contextmanager
def running(folder: Path, config_file: Path) -> Iterator[Path]:
    """A daemon's store with results, in use."""
    stored = folder / "stored"
    group = Group("list.yaml", ({"__address__": "listed.example:443"},), {})

    async def fill(store: Store) -> None:
        keys = KeyIndex()
        publisher = Publisher(store, Exposition(OwnMetrics()), keys, utc_now)
        config = read_config(config_file)
        _, _, setup = Loader(Setup, keys.neighbours).setup_of(config, {"file_sd_configs.0": [group]})
        publisher.apply(setup)
        now = utc_now()
        for name, seen in (("good", good_facts(now)), ("weak", facts(OLD, at=now)), ("listed.example:443", Facts())):
            failures = () if len(seen) else (Failure("handshake", Reason.CONNECT_REFUSED, "refused"),)
            target = setup.targets[name]
            await publisher.take([result(seen, target=target, ended_at=now, failures=failures, success=bool(seen))], 0)

    store = Store()
    database = Database(stored, timedelta(days=1), now=utc_now, failed=lambda _: None, everything=store.everything)
    store.use(database)
    asyncio.run(fill(store))
    Lists(stored).save("file_sd_configs.0", [group])
    try:
        yield stored
    finally:
        assert database.close(timedelta(seconds=60))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def of_store(stored: Path, config_file: Path, *arguments: str) -> Done:
    return run("report", f"--storage.path={stored}", f"--config.file={config_file}", *arguments)


def test_a_store_gives_what_the_daemon_knew_and_stays_as_it_is(tmp_path: Path) -> None:
    config_file = write_config(tmp_path)
    with running(tmp_path, config_file) as stored:
        pass
    before = contents(stored)
    done = of_store(stored, config_file, "--format=json", f"--output=csv:{tmp_path}/a.csv")
    assert done.returncode == 0, done.stderr
    found = {one["target"]: one for one in json.loads(done.stdout)["reports"]}
    assert list(found) == ["weak", "listed.example:443", "good"], "the worst first, those of sources too"
    assert found["weak"]["facts"]["protocols"]["TLSv1.0"] is True
    assert "never,,never.example" in (tmp_path / "a.csv").read_text()
    table = of_store(stored, config_file)
    assert table.stdout.index("weak") < table.stdout.index("good")
    assert contents(stored) == before


def test_the_store_of_a_shard_is_reported_with_the_targets_of_this_shard(tmp_path: Path) -> None:
    config_file = write_config(tmp_path)
    with running(tmp_path, config_file) as stored:
        pass
    shares = []
    for index in range(2):
        done = of_store(stored, config_file, "--format=csv", f"--shard.index={index}", "--shard.total=2")
        assert done.returncode == 0, done.stderr
        shares.append({line.split(",")[0] for line in done.stdout.splitlines()[1:]})
        assert {shard_of(name, 2) for name in shares[-1]} == {index}
    complete = of_store(stored, config_file, "--format=csv")
    assert shares[0] | shares[1] == {line.split(",")[0] for line in complete.stdout.splitlines()[1:]}


def test_a_store_can_be_read_without_the_right_to_write(tmp_path: Path) -> None:
    """As of another user: nothing but reading is tried. Root may write all the same, so the files are compared."""
    config_file = write_config(tmp_path)
    with running(tmp_path, config_file) as stored:
        pass
    before = {path.name: path.stat().st_mtime_ns for path in (stored, *stored.iterdir())}
    stored.chmod(0o555)
    try:
        assert of_store(stored, config_file, "--format=csv").returncode == 0
    finally:
        stored.chmod(0o755)
    assert {path.name: path.stat().st_mtime_ns for path in (stored, *stored.iterdir())} == before


def test_the_store_of_a_daemon_that_was_killed_is_read_with_its_log(tmp_path: Path) -> None:
    config_file = write_config(tmp_path)
    killed = tmp_path / "killed"
    with running(tmp_path, config_file) as stored:
        shutil.copytree(stored, killed)
    assert (killed / f"{FILE_NAME}-wal").stat().st_size > 0
    before = contents(killed)
    done = of_store(killed, config_file, "--format=json", '--match={team="web"}')
    assert [one["target"] for one in json.loads(done.stdout)["reports"]] == ["weak"]
    assert contents(killed) == before


def test_a_store_in_use_is_2_and_says_to_ask_the_daemon(tmp_path: Path) -> None:
    config_file = write_config(tmp_path)
    with running(tmp_path, config_file) as stored:
        done = of_store(stored, config_file)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is in use by a daemon; ask it by --from=http://HOST:PORT" in done.stderr


def test_filters_of_a_store_are_those_of_the_api(tmp_path: Path) -> None:
    config_file = write_config(tmp_path)
    with running(tmp_path, config_file) as stored:
        pass
    done = of_store(stored, config_file, "--format=json", "--verdict=fail", "--check=protocols")
    assert [one["target"] for one in json.loads(done.stdout)["reports"]] == ["weak"]
    wrong = of_store(stored, config_file, "--check=x")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert 'invalid parameter "check"' in wrong.stderr


def test_folders_without_results_are_2(tmp_path: Path) -> None:
    config_file = write_config(tmp_path)
    assert "is not the folder of a daemon" in of_store(tmp_path / "none", config_file).stderr
    (tmp_path / "lock").touch()
    done = of_store(tmp_path, config_file)
    assert done.returncode == 2
    assert "has no stored results" in done.stderr
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 1000)
    assert "cannot read" in of_store(tmp_path, config_file).stderr
    assert "needs --config.file" in run("report", f"--storage.path={tmp_path}").stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--storage.path=x", "--from.token-file=t"), "--from.token-file is for --from only"),
        (("--from=http://127.0.0.1:1", "--config.file=c.yaml"), "--config.file is for --storage.path only"),
        (
            ("--from=http://127.0.0.1:1", "--shard.index=0", "--shard.total=2"),
            "--shard.index is for --storage.path only",
        ),
    ],
)
def test_a_flag_of_the_other_source_is_refused(flags: tuple[str, ...], message: str) -> None:
    done = run("report", *flags)
    assert done.returncode == 2
    assert message in done.stderr
