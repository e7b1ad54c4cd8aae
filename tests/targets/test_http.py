"""http_sd_configs against scripted servers: what is asked, what is accepted, and that the last good list stays."""

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from exporter import __version__
from exporter.config import Config
from exporter.config.http_client import HttpSource
from exporter.files import MAX_BYTES
from exporter.targets.http import MOST_REDIRECTS, PolledUrl, make_source
from tests.support.clock import MovedLoop
from tests.support.processes import free_port
from tests.support.sources import Pauses, RememberingSink, following
from tests.support.web import Handler, Served, serving

GOOD = [{"targets": ["a:1", "b"], "labels": {"team": "web"}}]
BODY = json.dumps(GOOD).encode()
SECRET = "hunter2"  # noqa: S105

Exchange = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


def _run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=MovedLoop) as runner:
        runner.run(main)


def _pass_time() -> None:
    """Let a minute pass at once."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, MovedLoop)
    loop.ahead_seconds += 61


def _answer(body: bytes = BODY, fields: str = "Content-Type: application/json\r\n", status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{fields}\r\n".encode() + body


class Script:
    """A server that answers each connection with the next of these: bytes, or a dialogue. The last one is repeated."""

    def __init__(self, *answers: bytes | Exchange) -> None:
        self._answers = list(answers)

    @property
    def handler(self) -> Handler:
        return self._handle

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: list[bytes]) -> None:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        if isinstance(answer, bytes):
            writer.transport.set_write_buffer_limits(0)  # all is sent before the end, which aborts the connection
            writer.write(answer)
            await writer.drain()
        else:
            await answer(reader, writer)


def _follow(
    script: Script,
    steps: Callable[[RememberingSink, Pauses, Served], Coroutine[Any, Any, None]],
    path: str = "/sd",
    **settings: Any,  # noqa: ANN401 - any key of the section
) -> None:
    async def run() -> None:
        async with serving(script.handler, None) as served:
            pauses = Pauses()
            source = HttpSource(url=f"http://127.0.0.1:{served.port}{path}", **settings)
            async with following(PolledUrl(source, {}, pauses), pauses) as sink:
                await steps(sink, pauses, served)

    _run(run())


def test_a_list_is_asked_for_at_once_and_then_at_the_interval() -> None:
    more = _answer(json.dumps([*GOOD, {"targets": ["c"]}]).encode())

    async def steps(sink: RememberingSink, pauses: Pauses, served: Served) -> None:
        url = f"http://127.0.0.1:{served.port}/sd?key=1"
        assert sink.groups is not None
        assert [group.source for group in sink.groups] == [f"http://127.0.0.1:{served.port}/sd?...:0"]
        assert [list(group.label_sets()) for group in sink.groups] == [
            [{"__address__": name, "team": "web", "__meta_url": url} for name in ("a:1", "b")]
        ]
        await pauses.round()
        assert sink.addresses == ["a:1", "b", "c"]
        assert pauses.seconds == [90, 90]
        await pauses.round()
        assert (sink.addresses, sink.errors) == (["a:1", "b"], [])

    _follow(Script(_answer(), more, _answer()), steps, "/sd?key=1", refresh_interval="90s")


def test_the_request_is_that_of_prometheus() -> None:
    async def steps(_sink: RememberingSink, _pauses: Pauses, served: Served) -> None:
        assert served.requests == [
            b"GET /sd HTTP/1.1\r\n"
            b"Host: 127.0.0.1:%d\r\n"
            b"User-Agent: tls-posture-exporter/%s\r\n"
            b"Accept: application/json\r\n"
            b"Accept-Encoding: gzip\r\n"
            b"X-Prometheus-Refresh-Interval-Seconds: 90\r\n"
            b"Connection: close\r\n\r\n" % (served.port, __version__.encode())
        ]

    _follow(Script(_answer()), steps, refresh_interval="1m30s")


CHUNKED = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
ZIPPED = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n"


def _without_length(fields: str, body: bytes) -> bytes:
    return f"HTTP/1.1 200 OK\r\n{fields}\r\n".encode() + body


@pytest.mark.parametrize(
    "answer",
    [
        *(
            _answer(fields=f"Content-Type: {kind}\r\n")
            for kind in (
                "application/json",
                "application/json;charset=utf-8",
                "application/json; charset=UTF-8",
                'Application/JSON;Charset="utf-8"',
                ' application/json; charset="utf-8" ',
            )
        ),
        _answer(gzip.compress(BODY), ZIPPED),
        _answer(BODY, "Content-Type: application/json\r\nContent-Encoding: identity\r\n"),
        _without_length(CHUNKED, b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)),
        _without_length("Content-Type: application/json\r\n", BODY),
        b"HTTP/1.1 100 Continue\r\n\r\n" + _answer(),
        b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + BODY,
    ],
)
def test_answers_that_prometheus_accepts(answer: bytes) -> None:
    async def steps(sink: RememberingSink, _pauses: Pauses, _served: Served) -> None:
        assert (sink.addresses, sink.errors) == (["a:1", "b"], [])

    _follow(Script(answer), steps)


def _drip(start: bytes, drop: bytes) -> Exchange:
    """A server that sends one part after the other, for ever. A minute passes after the first hundred."""

    async def exchange(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        for count in range(1_000_000):
            writer.write(drop)
            await writer.drain()
            if count == 100:
                _pass_time()
            await asyncio.sleep(0.001)

    return exchange


def _endless(start: bytes, drop: bytes) -> Exchange:
    async def exchange(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        for _ in range(100_000):
            writer.write(drop)
            await writer.drain()

    return exchange


async def _silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    _pass_time()
    await reader.read()


def _bomb() -> bytes:
    """Some hundred bytes that become 1 GiB by one pass of gzip over a hundred MiB of its output."""
    stream = zlib.compressobj(9, wbits=31)
    return b"".join([*(stream.compress(bytes(2**20)) for _ in range(64)), stream.flush()])


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
HOSTILE: dict[str, tuple[bytes | Exchange, str]] = {
    "silent": (_silent, "no complete answer within 60 s"),
    "drips its head": (_drip(b"HTTP/1.1 200 OK\r\nX: ", b"x"), "no complete answer within 60 s"),
    "drips its body": (_drip(HEAD + b"Content-Length: 900000\r\n\r\n[", b" "), "no complete answer within 60 s"),
    "drips chunks": (_drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"), "no complete answer within"),
    "drips interim responses": (_drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), "no complete answer within 60 s"),
    "endless head": (_endless(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 10_000), "the response is not HTTP, or is incomplete"),
    "endless interim responses": (
        _endless(b"", b"HTTP/1.1 103 A\r\n\r\n" * 1000),
        "too many bytes that are not its body",
    ),
    "endless body": (_endless(HEAD + b"\r\n", b" " * 100_000), "the response is larger than 16 MiB"),
    "endless chunks": (
        _endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65536 + b"\r\n"),
        "the response is larger than 16 MiB",
    ),
    "tiny chunks": (
        _endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 5000),
        "too many bytes that are not its body",
    ),
    "closes at once": (b"", "the server closed the connection without a response"),
    "not HTTP": (b"220 mail.test ESMTP\r\n", "the response is not HTTP, or is incomplete"),
    "TLS": (b"\x15\x03\x01\x00\x02\x02\x46", "the response is not HTTP, or is incomplete"),
    "truncated": (HEAD + b"Content-Length: 900\r\n\r\n[]", "the response is not HTTP, or is incomplete"),
    "truncated chunks": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n",
        "the response is not HTTP, or is incomplete",
    ),
    "truncated without length": (HEAD + b"\r\n" + BODY[:-3], "not valid JSON"),
    "two lengths": (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n[]", "the response is not HTTP"),
    "gzip bomb": (_answer(_bomb(), ZIPPED), "the response is larger than 16 MiB"),
    "half of gzip": (_answer(gzip.compress(BODY)[:-9], ZIPPED), "the response is incomplete"),
    "not gzip": (_answer(BODY, ZIPPED), "the response is not gzip"),
    "another coding": (_answer(BODY, ZIPPED.replace("gzip", "br")), "the content coding is 'br'; gzip was asked for"),
    **{
        f"status {status}": (_answer(status=f"{status} Text of the server"), f"answered with status {status}")
        for status in (201, 206, 300, 301, 400, 401, 403, 404, 407, 429, 500, 503)
    },
    "status 204": (b"HTTP/1.1 204 No Content\r\n\r\n", "answered with status 204"),
    "status 304": (b"HTTP/1.1 304 Not Modified\r\n\r\n", "answered with status 304"),
    **{
        f"type {kind}": (_answer(fields=f"Content-Type: {kind}\r\n"), f"the content type is '{kind}'")
        for kind in (
            "",
            "text/html",
            "text/plain; charset=utf-8",
            "application/jsonl",
            "application/json;",
            "application/json;charset=UTF-9",
            "application /json",
            "application/ json;charset=UTF-8",
            "charset=UTF-8",
        )
    },
    "no type": (_answer(fields=""), "the content type is '', not application/json"),
    "escapes in the type": (_answer(fields="Content-Type: \xa0\u0085x\r\n"), "the content type is "),
    "HTML": (_answer(b"<html>"), "not valid JSON"),
    "empty": (_answer(b""), "not valid JSON"),
    "mapping": (_answer(b"{}"), "is not a list of groups"),
    "null group": (_answer(b"[null]"), "0: is empty"),
    "bad label": (_answer(b'[{"targets": ["a"], "labels": {"a-b": "c"}}]'), "'a-b' is not a label name"),
    "number": (_answer(b'[{"targets": [1]}]'), "0.targets.0: is not text"),
    "deep": (_answer(b"[" * 1_000_000), "nested too deep"),
    "redirect to nothing": (_answer(b"", "Location: \r\n", "302 Found"), "answered with status 302"),
    "redirect to ftp": (
        _answer(b"", "Location: ftp://x.test/\r\n", "302 Found"),
        "redirects to a URL that is not a URL that starts with http",
    ),
    "redirect with a password": (
        _answer(b"", f"Location: http://user:{SECRET}@127.0.0.1/\r\n", "302 Found"),
        "redirects to a URL that has a user or a password",
    ),
    "redirect to a file": (_answer(b"", "Location: file:///etc/passwd\r\n", "307 x"), "redirects to a URL that is not"),
    "redirects without end": (_answer(b"", "Location: /sd\r\n", "301 x"), "more than 10 redirects"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_bad_answer_is_an_error_and_the_last_list_stays(name: str) -> None:
    answer, message = HOSTILE[name]
    repeated = MOST_REDIRECTS + 1 if name == "redirects without end" else 1

    async def steps(sink: RememberingSink, pauses: Pauses, served: Served) -> None:
        assert sink.addresses == ["a:1", "b"]
        await pauses.round()
        assert (sink.addresses, sink.lists) == (["a:1", "b"], 1)
        (error,) = sink.new_errors()
        assert error.startswith(f"http://127.0.0.1:{served.port}/sd?...:")
        assert message in error
        assert SECRET not in error
        assert error.isprintable()
        await pauses.round()
        assert (sink.addresses, sink.lists, sink.errors) == (["a:1", "b"], 2, [])

    _follow(Script(_answer(), *[answer] * repeated, _answer()), steps, f"/sd?key={SECRET}")


@pytest.mark.parametrize("drop", [b"", b"\x16"])
def test_a_handshake_without_end_is_an_error(drop: bytes) -> None:
    """A server that is silent, or sends the header of a record and then its bytes one by one."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _requests: list[bytes]) -> None:
        await reader.read(100)
        writer.write(b"\x16\x03\x03\x40\x00" if drop else b"")
        for count in range(1_000_000):
            writer.write(drop)
            await writer.drain()
            if count == 10:
                _pass_time()
            await asyncio.sleep(0.001)

    async def run() -> None:
        async with serving(handle, None) as served:
            pauses = Pauses()
            url = f"https://127.0.0.1:{served.port}/"
            async with following(PolledUrl(HttpSource(url=url), {}, pauses), pauses) as sink:
                assert sink.errors == [f"{url}: no complete answer within 60 s"]

    _run(run())


def test_a_body_as_large_as_the_limit_is_read() -> None:
    body = BODY + b" " * (MAX_BYTES - len(BODY))

    async def steps(sink: RememberingSink, _pauses: Pauses, _served: Served) -> None:
        assert (sink.addresses, sink.errors) == (["a:1", "b"], [])

    _follow(Script(_answer(body), _answer(gzip.compress(body, 1), ZIPPED)), steps)


def test_a_port_that_nobody_listens_on_is_an_error() -> None:
    port = free_port()

    async def run() -> None:
        pauses = Pauses()
        source = PolledUrl(HttpSource(url=f"http://127.0.0.1:{port}/"), {}, pauses)
        async with following(source, pauses) as sink:
            assert sink.errors == [f"http://127.0.0.1:{port}/: 127.0.0.1 port {port}: Connection refused"]

    _run(run())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_unless_they_are_not_to_be(status: int) -> None:
    script = (_answer(b"", "Location: other?x=1#y\r\n", f"{status} x"), _answer())

    async def followed(sink: RememberingSink, _pauses: Pauses, served: Served) -> None:
        assert (sink.addresses, sink.errors) == (["a:1", "b"], [])
        assert [request.split()[1] for request in served.requests] == [b"/lists/sd", b"/lists/other?x=1"]
        assert sink.groups is not None
        assert sink.groups[0].labels["__meta_url"] == f"http://127.0.0.1:{served.port}/lists/sd"

    async def refused(sink: RememberingSink, _pauses: Pauses, served: Served) -> None:
        assert len(served.requests) == 1
        assert f"answered with status {status}" in sink.errors[0]

    _follow(Script(*script), followed, "/lists/sd")
    _follow(Script(*script), refused, "/lists/sd", follow_redirects=False)


def _secret_files(folder: Path) -> dict[str, Any]:
    """Settings of each kind of credentials, with the field of the request."""
    (folder / "password").write_text(f" {SECRET}\n")
    (folder / "user").write_text("admin\n")
    (folder / "token").write_text(f"{SECRET}\n")
    basic = "Authorization: Basic YWRtaW46aHVudGVyMg=="
    files = {name: str(folder / name) for name in ("password", "user", "token")}
    return {
        "basic": ({"basic_auth": {"username": "admin", "password_file": files["password"]}}, basic),
        "user from file": ({"basic_auth": {"username_file": files["user"], "password_file": files["password"]}}, basic),
        "no password": ({"basic_auth": {"username": "admin"}}, "Authorization: Basic YWRtaW46"),
        "bearer": ({"authorization": {"credentials_file": files["token"]}}, f"Authorization: Bearer {SECRET}"),
        "own type": (
            {"authorization": {"type": "Token", "credentials_file": files["token"]}},
            f"Authorization: Token {SECRET}",
        ),
        "old spelling": ({"bearer_token_file": files["token"]}, f"Authorization: Bearer {SECRET}"),
        "header": ({"http_headers": {"X-Key": {"files": [files["token"]], "values": ["a"]}}}, f"X-Key: {SECRET}"),
    }


KINDS = ("basic", "user from file", "no password", "bearer", "own type", "old spelling", "header")


@pytest.mark.parametrize("kind", KINDS)
def test_credentials_are_sent_to_the_configured_server_only(tmp_path: Path, kind: str) -> None:
    """Another port is another server."""
    settings, line = _secret_files(tmp_path)[kind]

    async def run() -> None:
        async with serving(Script(_answer()).handler, None) as other:
            away = _answer(b"", f"Location: http://127.0.0.1:{other.port}/\r\n", "302 x")
            here = _answer(b"", "Location: /here\r\n", "302 x")
            async with serving(Script(here, away).handler, None) as served:
                pauses = Pauses()
                source = HttpSource(url=f"http://127.0.0.1:{served.port}/", **settings)
                async with following(PolledUrl(source, {}, pauses), pauses) as sink:
                    assert (sink.addresses, sink.errors) == (["a:1", "b"], [])
                assert [line.encode() in request for request in served.requests] == [True, True]
                (request,) = other.requests
                assert b"authorization" not in request.lower()
                assert b"x-key" not in request.lower()
                assert SECRET.encode() not in request
                assert SECRET not in repr(source)

    _run(run())


def test_secrets_are_read_again_for_each_request(tmp_path: Path) -> None:
    settings, _ = _secret_files(tmp_path)["bearer"]

    async def steps(sink: RememberingSink, pauses: Pauses, served: Served) -> None:
        (tmp_path / "token").write_text("renewed")
        await pauses.round()
        (tmp_path / "token").unlink()
        await pauses.round()
        assert len(served.requests) == 2
        assert [b"Bearer hunter2" in request for request in served.requests] == [True, False]
        assert b"Authorization: Bearer renewed\r\n" in served.requests[1]
        (error,) = sink.errors
        assert error.endswith(f"{tmp_path}/token cannot be read: No such file or directory")
        assert sink.lists == 2

    _follow(Script(_answer()), steps, **settings)


@pytest.mark.parametrize("content", [b"", b"\n", b"hunter2\r\nX-Forged: 1", b"hunter2\xff", "hunter2\xe9".encode()])
def test_a_secret_that_cannot_be_sent_is_an_error_that_does_not_quote_it(tmp_path: Path, content: bytes) -> None:
    settings, _ = _secret_files(tmp_path)["bearer"]
    (tmp_path / "token").write_bytes(content)

    async def steps(sink: RememberingSink, _pauses: Pauses, served: Served) -> None:
        assert served.requests == []
        (error,) = sink.errors
        assert str(tmp_path / "token") in error
        assert SECRET not in error

    _follow(Script(_answer()), steps, **settings)


def test_a_request_that_is_cancelled_leaves_nothing_behind() -> None:
    """As at a reload that removes the source."""
    closed = asyncio.Event()

    async def exchange(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        closed.set()

    asked = asyncio.Event()

    async def run() -> None:
        async with serving(Script(exchange).handler, None) as served:
            source = PolledUrl(HttpSource(url=f"http://127.0.0.1:{served.port}/"), {})
            task = asyncio.create_task(source.run(RememberingSink()))
            async with asyncio.timeout(60):
                await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with asyncio.timeout(60):
                await closed.wait()

    _run(run())


def test_a_source_is_made_of_its_settings() -> None:
    assert isinstance(make_source(HttpSource(url="http://x.test/"), Config()), PolledUrl)
