"""Lists and watches of a scripted API server; some of its answers were recorded from a real one."""

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from exporter import threads
from exporter.config import Config
from exporter.config.kubernetes import KubernetesSource
from exporter.targets.groups import ADDRESS
from exporter.targets.kubernetes import make_source
from exporter.targets.kubernetes.access import connect, own_namespace
from exporter.targets.kubernetes.api import AnswerLimits
from exporter.targets.kubernetes.collection import Pacing
from exporter.targets.kubernetes.source import GATHER_SECONDS, KubernetesTargets
from tests.support.kubernetes import (
    ListSink,
    Request,
    ScriptedApiServer,
    answer,
    ingress,
    listed,
    recorded,
    recorded_lines,
    running_source,
    scripted,
    source_settings,
)

FORBIDDEN = answer(403, {"kind": "Status", "message": 'User "it" cannot list resource "ingresses"', "code": 403})
GONE = {"kind": "Status", "message": "too old resource version: 1 (9)", "reason": "Expired", "code": 410}


class Time:
    """A clock that the test moves, and pauses that it can hold up.

    Attributes:
        now: seconds.
        waits: every pause between requests.
        gathering: set while changes may be passed on.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self.gathering = asyncio.Event()
        self.gathering.set()

    async def pause(self, seconds: float) -> None:
        if seconds == GATHER_SECONDS:
            await self.gathering.wait()
        else:
            self.waits.append(seconds)
        await asyncio.sleep(0)

    def pacing(self) -> Pacing:
        return Pacing(self.pause, lambda: self.now, lambda: 1.0)


class Play:
    """A source that runs against a scripted server."""

    def __init__(self, api: ScriptedApiServer, sink: ListSink, time: Time) -> None:
        self.api, self.sink, self.time = api, sink, time

    async def begin(self, *things: dict[str, Any]) -> Request:
        """Answer the first list; the first watch, accepted."""
        await (await self.api.next(watch=False)).reply(listed(*things))
        watch = await self.watch()
        await self.sink.until(lambda sink: sink.lists)
        return watch

    async def watch(self) -> Request:
        """The next watch, accepted."""
        watch = await self.api.next(watch=True)
        await watch.accept()
        return watch

    async def count(self, lists: int) -> None:
        """Return when the sink has this number of lists."""
        await self.sink.until(lambda sink: len(sink.lists) >= lists)
        assert len(self.sink.lists) == lists


def play(
    script: Callable[[Play], Coroutine[Any, Any, None]],
    settings: Callable[[str], KubernetesSource] | None = None,
    limits: AnswerLimits | None = None,
    pod: Path = Path("/nonexistent"),
) -> None:
    """Run the script."""

    async def main() -> None:
        async with scripted() as api:
            time = Time()
            chosen = settings(api.url) if settings else source_settings("ingress", api_server=api.url)
            source = KubernetesTargets(
                chosen,
                lambda: threads.FILES.run(partial(connect, chosen, pod), api),
                lambda: threads.FILES.run(partial(own_namespace, pod), api),
                limits=limits,
                pacing=time.pacing(),
            )
            async with running_source(source) as sink:
                await script(Play(api, sink, time))

    asyncio.run(main())


def test_a_list_has_all_pages() -> None:
    async def script(it: Play) -> None:
        first = await it.api.next(watch=False)
        assert (first.path, first.query) == ("/apis/networking.k8s.io/v1/ingresses", {"limit": "100"})
        await first.reply(listed(ingress("a", "a.example"), more="next"))
        second = await it.api.next(watch=False)
        assert second.query == {"limit": "100", "continue": "next"}
        await second.reply(listed(ingress("b", "b.example")))
        await it.sink.until(lambda sink: sink.lists)
        assert it.sink.names == ["ingress/shop/a", "ingress/shop/b"]

    play(script)


def test_recorded_pages_are_read() -> None:
    async def script(it: Play) -> None:
        await (await it.api.next()).reply(recorded("ingresses_page_1"))
        await (await it.api.next()).reply(recorded("ingresses_page_2"))
        await it.sink.until(lambda sink: sink.lists)
        assert [labels[ADDRESS] for labels in it.sink.targets] == ["www.shop.example:443", "a.assets.shop.example:443"]

    play(script)


def test_a_recorded_watch_is_followed() -> None:
    """An Ingress was created, changed and deleted."""

    async def script(it: Play) -> None:
        watch = await it.begin()
        lines = recorded_lines("watch")
        assert [json.loads(line)["type"] for line in lines] == ["ADDED", "MODIFIED", "DELETED"]
        for number, line in enumerate(lines, start=2):
            await watch.send(line)
            await it.count(number)
        added, changed, deleted = it.sink.lists[1:]
        assert [labels[ADDRESS] for group in added for labels in group.targets] == ["new.shop.example:443"]
        assert changed[0].labels["__meta_kubernetes_ingress_label_changed"] == "yes"
        assert not deleted

    play(script)


def test_a_recorded_bookmark_moves_the_version() -> None:
    async def script(it: Play) -> None:
        watch = await it.begin()
        bookmark = recorded_lines("bookmark")[-1]
        await watch.send(bookmark)
        await watch.end()
        version = json.loads(bookmark)["object"]["metadata"]["resourceVersion"]
        assert (await it.watch()).query["resourceVersion"] == version
        assert len(it.sink.lists) == 1

    play(script)


def test_a_watch_begins_at_the_version_of_the_list_and_ends_by_itself() -> None:
    async def script(it: Play) -> None:
        watch = await it.begin(ingress("a", "a.example"))
        assert watch.query["resourceVersion"] == "10"
        assert watch.query["allowWatchBookmarks"] == "true"
        assert 240 <= int(watch.query["timeoutSeconds"]) <= 300
        await watch.event("MODIFIED", ingress("a", "b.example", version="11"))
        await watch.end()
        assert (await it.watch()).query["resourceVersion"] == "11"
        assert it.time.waits == [1.0]
        assert not it.sink.errors

    play(script)


def test_a_thousand_events_are_one_list() -> None:
    async def script(it: Play) -> None:
        watch = await it.begin()
        it.time.gathering.clear()
        for number in range(1000):
            await watch.event("ADDED", ingress(f"i{number}", f"h{number}.example", version=str(11 + number)))
        await watch.end()
        assert (await it.watch()).query["resourceVersion"] == "1010"  # all of them were read
        assert len(it.sink.lists) == 1
        it.time.gathering.set()
        await it.count(2)
        assert len(it.sink.targets) == 1000

    play(script)


@pytest.mark.parametrize("recording", [False, True])
def test_after_410_gone_the_list_is_read_again(recording: bool) -> None:
    async def script(it: Play) -> None:
        watch = await it.begin(ingress("a", "a.example"))
        await (watch.send(recorded_lines("gone")[0]) if recording else watch.event("ERROR", GONE))
        await watch.end()
        await (await it.api.next(watch=False)).reply(listed(ingress("b", "b.example"), version="99"))
        assert (await it.watch()).query["resourceVersion"] == "99"
        await it.count(2)
        assert it.sink.names == ["ingress/shop/b"]
        assert not it.sink.errors

    play(script)


def test_410_as_a_status_does_the_same() -> None:
    async def script(it: Play) -> None:
        await (await it.begin(ingress("a", "a.example"))).end()
        await (await it.api.next(watch=True)).reply(answer(410, GONE))
        await it.api.next(watch=False)

    play(script)


def test_a_page_that_expired_begins_the_list_again_later() -> None:
    async def script(it: Play) -> None:
        await (await it.api.next()).reply(listed(ingress("a", "a.example"), more="old"))
        await (await it.api.next()).reply(recorded("expired_page"))
        assert "continue" not in (await it.api.next(watch=False)).query
        assert it.time.waits == [2.0]

    play(script)


def test_410_again_and_again_is_reported_and_slows_down() -> None:
    async def script(it: Play) -> None:
        watch = await it.begin()
        for _ in range(8):
            await watch.event("ERROR", GONE)
            await watch.end()
            await (await it.api.next(watch=False)).reply(listed())
            watch = await it.watch()
        assert it.time.waits == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
        await it.sink.until(lambda sink: sink.errors)

    play(script)


def test_the_list_is_read_again_at_the_interval() -> None:
    """An event that the server forgot would otherwise be missed for ever."""

    async def script(it: Play) -> None:
        watch = await it.begin(ingress("a", "a.example"))
        it.time.now += 3_601
        await watch.end()
        await (await it.api.next(watch=False)).reply(listed(ingress("b", "b.example")))
        await it.count(2)
        assert it.sink.names == ["ingress/shop/b"]

    play(script)


def test_a_refused_list_names_verb_and_resource() -> None:
    async def script(it: Play) -> None:
        await (await it.api.next(watch=False)).reply(recorded("forbidden_list"))
        await it.sink.until(lambda sink: sink.errors)
        text = str(it.sink.errors[0])
        assert text.startswith("list of ingresses.networking.k8s.io in all namespaces (403): ")
        assert 'cannot list resource "secrets"' in text
        assert not it.sink.lists

    play(script)


def test_a_refused_watch_is_reported_although_the_list_was_read() -> None:
    async def script(it: Play) -> None:
        await (await it.api.next(watch=False)).reply(listed(ingress("a", "a.example")))
        await (await it.api.next(watch=True)).reply(recorded("forbidden_watch"))
        await it.sink.until(lambda sink: sink.errors)
        assert str(it.sink.errors[0]).startswith("watch of ingresses.networking.k8s.io in all namespaces (403): ")
        assert it.sink.names == ["ingress/shop/a"]

    play(script)


def test_a_watch_that_is_accepted_ends_the_failure() -> None:
    async def script(it: Play) -> None:
        await (await it.begin(ingress("a", "a.example"))).end()
        await (await it.api.next(watch=True)).reply(FORBIDDEN)
        await it.sink.until(lambda sink: sink.errors)
        failed, lists = len(it.sink.errors), len(it.sink.lists)
        await it.watch()
        await it.sink.until(lambda sink: len(sink.lists) > lists)
        assert len(it.sink.errors) == failed

    play(script)


def test_what_was_found_stays_when_a_later_list_is_refused() -> None:
    async def script(it: Play) -> None:
        watch = await it.begin(ingress("a", "a.example"))
        it.time.now += 3_601
        await watch.end()
        await (await it.api.next(watch=False)).reply(FORBIDDEN)
        await it.sink.until(lambda sink: sink.errors)
        assert it.sink.names == ["ingress/shop/a"]

    play(script)


@pytest.mark.parametrize("status", [301, 404, 429, 500, 503])
def test_other_statuses_are_failures(status: int) -> None:
    async def script(it: Play) -> None:
        await (await it.api.next()).reply(answer(status, {"message": "wait\u202e"}))
        await it.sink.until(lambda sink: sink.errors)
        assert str(it.sink.errors[0]).endswith(f"({status}): wait\\u202e")

    play(script)


def test_a_missing_resource_is_named() -> None:
    async def script(it: Play) -> None:
        await (await it.api.next()).reply(recorded("not_found"))
        await it.sink.until(lambda sink: sink.errors)
        assert "(404)" in str(it.sink.errors[0])

    play(script)


def test_a_connection_that_is_cut_within_an_event_resumes_where_it_was() -> None:
    async def script(it: Play) -> None:
        watch = await it.begin(ingress("a", "a.example"))
        await watch.event("ADDED", ingress("b", "b.example", version="11"))
        await watch.send(json.dumps({"type": "DELETED", "object": ingress("a", version="12")}).encode()[:60])
        await it.count(2)
        watch.cut()
        watch = await it.watch()
        assert watch.query["resourceVersion"] == "11"
        await watch.event("DELETED", ingress("a", version="12"))
        await it.count(3)
        assert it.sink.names == ["ingress/shop/b"]
        assert not it.sink.errors

    play(script)


def test_a_connection_that_breaks_twice_is_reported_and_the_list_read_again() -> None:
    async def script(it: Play) -> None:
        watch = await it.begin(ingress("a", "a.example"))
        watch.cut()
        (await it.api.next(watch=True)).cut()
        await it.sink.until(lambda sink: sink.errors)
        await (await it.api.next(watch=False)).reply(listed(ingress("c", "c.example")))
        await it.sink.until(lambda sink: sink.names == ["ingress/shop/c"])

    play(script)


@pytest.mark.parametrize(
    "line",
    [
        b"garbage\n",
        b"\xff\xfe\n",
        b"[]\n",
        b'{"type":"ADDED"}\n',
        b'{"type":"ADDED","object":7}\n',
        b'{"type":"SHOUTED","object":{"metadata":{"name":"x"}}}\n',
        b'{"type":"ERROR","object":{"code":500}}\n',
        b'{"type":"ADDED","object":' + b"[" * 5_000 + b"]" * 5_000 + b"}\n",
    ],
)
def test_an_event_that_is_none_is_a_failure_and_changes_nothing(line: bytes) -> None:
    async def script(it: Play) -> None:
        watch = await it.begin(ingress("a", "a.example"))
        for _ in range(2):
            await watch.send(line)
            watch.cut()
            watch = await it.api.next()
            if "watch" in watch.query:
                await watch.accept()
        await it.sink.until(lambda sink: sink.errors)
        assert it.sink.names == ["ingress/shop/a"]

    play(script)


@pytest.mark.parametrize(
    "body", [b"", b"garbage", b"{}", b'{"metadata":{}}', b'{"metadata":{"resourceVersion":"1"},"items":[7]}', b"\xff"]
)
def test_a_list_that_is_none_is_a_failure(body: bytes) -> None:
    async def script(it: Play) -> None:
        watch = await it.begin(ingress("a", "a.example"))
        it.time.now += 3_601
        await watch.end()
        request = await it.api.next(watch=False)
        await request.reply(type(FORBIDDEN)(200, body))
        await it.sink.until(lambda sink: sink.errors)
        assert it.sink.names == ["ingress/shop/a"]

    play(script)


def test_a_server_that_does_not_answer_a_list_is_a_failure() -> None:
    async def script(it: Play) -> None:
        await it.api.next()
        await it.sink.until(lambda sink: sink.errors)
        assert "no complete answer" in str(it.sink.errors[0])

    play(script, limits=AnswerLimits(answer_seconds=0.05))


def test_a_watch_that_the_server_forgot_is_begun_again() -> None:
    """The server was asked to end it after 300 s, and did not. The limit is moved to the start of the watch."""

    async def script(it: Play) -> None:
        await it.begin()
        assert (await it.watch()).query["resourceVersion"] == "10"

    play(script, limits=AnswerLimits(grace_seconds=-299.8))


def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones() -> None:
    big = ingress("a", "a.example", annotations={"note": "x" * 9_000})

    async def script(it: Play) -> None:
        for page in ("100", "10"):
            request = await it.api.next(watch=False)
            assert request.query == {"limit": page}
            await request.reply(listed(big, big))
        request = await it.api.next(watch=False)
        assert request.query == {"limit": "1"}
        await request.reply(listed(big))
        await it.sink.until(lambda sink: sink.lists)
        assert it.sink.names == ["ingress/shop/a"]

    play(script, limits=AnswerLimits(page_bytes=10_000))


def test_an_object_that_is_too_large_is_a_failure() -> None:
    async def script(it: Play) -> None:
        for _ in range(3):
            request = await it.api.next(watch=False)
            await request.reply(listed(ingress("a", "a.example", annotations={"note": "x" * 20_000})))
        await it.sink.until(lambda sink: sink.errors)
        assert "larger than" in str(it.sink.errors[0])

    play(script, limits=AnswerLimits(page_bytes=10_000))


def test_an_event_without_end_is_a_failure() -> None:
    async def script(it: Play) -> None:
        watch = await it.begin()
        for _ in range(2):
            for _ in range(5):
                await watch.send(b"x" * 10_000)
            watch = await it.api.next()
            if "watch" in watch.query:
                await watch.accept()
        await it.sink.until(lambda sink: sink.errors)
        assert "too large" in str(it.sink.errors[0])

    play(script, limits=AnswerLimits(event_bytes=20_000))


def test_too_many_objects_are_a_failure() -> None:
    async def script(it: Play) -> None:
        await (await it.api.next()).reply(listed(*(ingress(f"i{n}") for n in range(4))))
        await it.sink.until(lambda sink: sink.errors)
        assert "more than 3 objects" in str(it.sink.errors[0])

    play(script, limits=AnswerLimits(objects=3))


def test_more_targets_than_the_limit_are_a_failure_before_all_are_in_memory() -> None:
    def settings(url: str) -> KubernetesSource:
        return source_settings("ingress", api_server=url, target_limit=3)

    async def script(it: Play) -> None:
        watch = await it.begin(ingress("a", "a.example", "b.example", "c.example"))
        await watch.event("MODIFIED", ingress("a", "a.example", "b.example", "d.example"))  # as many as before
        await it.count(2)
        await watch.event("ADDED", ingress("b", "e.example"))
        await it.sink.until(lambda sink: sink.errors)
        assert "more targets than target_limit, which is 3" in str(it.sink.errors[0])

    play(script, settings)


def test_an_object_that_cannot_be_read_leaves_the_others(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "exporter")
    wrong = {"metadata": {"name": "wrong", "namespace": "x"}, "spec": {"tls": "no"}}

    async def script(it: Play) -> None:
        watch = await it.begin(ingress("a", "a.example"), wrong)
        assert it.sink.names == ["ingress/shop/a"]
        await watch.event("MODIFIED", ingress("a", "a.example", "*.example"))
        await it.count(2)
        await watch.event("MODIFIED", ingress("a", "a.example", "*.example"))
        await it.count(3)

    play(script)
    assert [line.getMessage() for line in caplog.records if line.name.startswith("exporter.targets")] == [
        "kubernetes_sd_configs, role ingress: objects that cannot be read: x/wrong",
        "kubernetes_sd_configs, role ingress: hosts with a wildcard cannot be scanned: *.example",
    ]


def _in(*names: str) -> Callable[[str], KubernetesSource]:
    return lambda url: source_settings("ingress", api_server=url, namespaces={"names": list(names)})


def test_nothing_is_found_before_each_namespace_was_listed() -> None:
    async def script(it: Play) -> None:
        requests = {request.path.split("/")[5]: request for request in [await it.api.next(), await it.api.next()]}
        await requests["one"].reply(listed(ingress("a", "a.example", namespace="one")))
        await requests["two"].reply(FORBIDDEN)
        await it.sink.until(lambda sink: sink.errors)
        assert "in namespace two (403)" in str(it.sink.errors[0])
        assert not it.sink.lists
        # Now both go on at the same time, each with its next request.
        request = await it.api.next()
        other = await it.api.next()
        of_two = request if "/two/" in request.path else other
        await of_two.reply(listed(ingress("b", "b.example", namespace="two")))
        await it.sink.until(lambda sink: sink.lists)
        assert it.sink.names == ["ingress/one/a", "ingress/two/b"]

    play(script, _in("one", "two"))


def test_a_namespace_that_fails_keeps_its_targets_and_the_others_change() -> None:
    async def script(it: Play) -> None:
        for _ in range(2):
            request = await it.api.next(watch=False)
            name = request.path.split("/")[5]
            await request.reply(listed(ingress(name, f"{name}.example", namespace=name)))
        watches = {request.path.split("/")[5]: request for request in [await it.api.next(), await it.api.next()]}
        await watches["two"].reply(FORBIDDEN)
        await watches["one"].accept()
        await watches["one"].event("ADDED", ingress("new", "new.example", namespace="one"))
        await it.sink.until(lambda sink: sink.lists and len(sink.lists[-1]) == 3 and sink.errors)
        assert it.sink.names == ["ingress/one/new", "ingress/one/one", "ingress/two/two"]
        assert "in namespace two" in str(it.sink.errors[-1])

    play(script, _in("one", "two"))


def _with_token(file: Path) -> Callable[[str], KubernetesSource]:
    return lambda url: source_settings("ingress", api_server=url, authorization={"credentials_file": str(file)})


def test_a_token_that_was_replaced_is_used_by_the_next_request(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")

    async def script(it: Play) -> None:
        watch = await it.begin()
        assert watch.token == "old"  # noqa: S105 - of a test
        file.write_text("new\n")
        await watch.end()
        assert (await it.watch()).token == "new"  # noqa: S105 - of a test

    play(script, _with_token(file))


def test_after_401_the_token_is_read_again_at_once(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")

    async def script(it: Play) -> None:
        request = await it.api.next(watch=False)
        assert request.token == "old"  # noqa: S105 - of a test
        file.write_text("new")
        await request.reply(recorded("unauthorized"))
        request = await it.api.next(watch=False)
        assert request.token == "new"  # noqa: S105 - of a test
        await request.reply(listed())
        await it.watch()
        assert not it.sink.errors
        assert not it.time.waits

    play(script, _with_token(file))


def test_a_second_401_is_a_failure_without_the_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("secret-token")

    async def script(it: Play) -> None:
        for _ in range(2):
            await (await it.api.next()).reply(recorded("unauthorized"))
        await it.sink.until(lambda sink: sink.errors)
        assert str(it.sink.errors[0]) == "list of ingresses.networking.k8s.io in all namespaces (401): Unauthorized"

    play(script, _with_token(file))


def test_a_token_that_is_missing_is_a_failure_until_it_is_there(tmp_path: Path) -> None:
    file = tmp_path / "token"

    async def script(it: Play) -> None:
        await it.sink.until(lambda sink: sink.errors)
        assert str(it.sink.errors[0]) == f"{file} cannot be read: No such file or directory"
        file.write_text("there")
        await it.begin()

    play(script, _with_token(file))


def test_the_namespace_of_the_pod_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    settings = source_settings("ingress", namespaces={"own_namespace": True, "names": ["two"]})

    async def script(it: Play) -> None:
        await it.sink.until(lambda sink: sink.errors)
        assert "namespace cannot be read" in str(it.sink.errors[0])
        (tmp_path / "namespace").write_text("one")
        (tmp_path / "token").write_text("token")
        (tmp_path / "ca.crt").write_text("not a certificate")
        await it.sink.until(lambda sink: "credentials" in str(sink.errors[-1]))

    play(script, lambda _url: settings, pod=tmp_path)


def test_a_server_that_nobody_runs_is_a_failure() -> None:
    async def script(it: Play) -> None:
        await it.sink.until(lambda sink: len(sink.errors) > 2)
        assert str(it.sink.errors[0]).startswith("list of ingresses.networking.k8s.io in all namespaces: ")
        assert it.time.waits[:2] == [2.0, 4.0]

    play(script, lambda _url: source_settings("ingress", api_server="http://127.0.0.1:1"))


def test_the_source_of_a_configuration_stops_at_once() -> None:
    async def main() -> None:
        async with scripted() as api:
            source = make_source(source_settings("service", api_server=api.url), Config())
            async with running_source(source) as sink:
                await (await api.next(plural="services")).reply(recorded("services"))
                await api.next(watch=True)
                await sink.until(lambda sink: sink.lists)
                assert len(sink.targets) > 5

    asyncio.run(main())


def test_gateways_and_routes_are_joined() -> None:
    async def script(it: Play) -> None:
        for _ in range(2):
            request = await it.api.next(watch=False)
            await request.reply(recorded(request.path.rpartition("/")[2]))
        await it.sink.until(lambda sink: sink.lists)
        assert {labels[ADDRESS] for labels in it.sink.targets} == {"api.shop.example:443", "mail.example.com:8443"}

    play(script, lambda url: source_settings("httproute", api_server=url))


def test_selectors_are_sent() -> None:
    chosen = [{"role": "httproute", "label": "a=b"}, {"role": "gateway", "field": "metadata.name=edge"}]

    async def script(it: Play) -> None:
        queries = {}
        for _ in range(2):
            request = await it.api.next(watch=False)
            queries[request.path.rpartition("/")[2]] = request.query
            await request.reply(listed())
        assert queries == {
            "httproutes": {"limit": "100", "labelSelector": "a=b"},
            "gateways": {"limit": "100", "fieldSelector": "metadata.name=edge"},
        }

    play(script, lambda url: source_settings("httproute", api_server=url, selectors=chosen))
