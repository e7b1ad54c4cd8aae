"""`/probe` over HTTP: which report it gives, what that costs, and what it never does."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import ProbeError
from exporter.judge import Judge
from exporter.model import IpProtocol, Reason
from exporter.net.resolve import Lookup
from tests.support import web
from tests.support.probing import NO_RESOLVER, Daemon, Names, Untouched, probed_daemon
from tests.support.scripted import End, Seen, Stack, scripted_server
from tests.support.servers import make_pki
from tests.web.client import Answer

STACK = Stack({0x0303: (0xC030, 0xC02F)})
LIMIT = "X-Prometheus-Scrape-Timeout-Seconds: "
NAMED = "{hosts: ['*.example'], cidrs: [127.0.0.0/8], ports: [PORT]}"


class Clock:
    """The real time plus an offset."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def configuration(port: int, allow: str = NAMED, more: str = "", probe: str = "") -> str:
    """Rules for this port of loopback, and other sections."""
    usual = f"scan_interval: 1h, timeout: 300ms, vulnerability_interval: never, {NO_RESOLVER}"
    return f"global: {{{usual}}}\nprobe: {{allow: [{allow.replace('PORT', str(port))}]{probe}}}\n{more}"


Steps = Callable[[Daemon, Seen], Awaitable[None]]


def with_server(
    folder: Path,
    steps: Steps,
    *,
    script: Any = STACK,  # noqa: ANN401 - any script
    lookup: Lookup | None = None,
    now: Clock | None = None,
    **sections: str,
) -> None:
    """Run the steps with a daemon and a server that it may scan as www.example."""

    async def run() -> None:
        async with scripted_server(script) as server:
            names = lookup or Names({"www.example": [("127.0.0.1",)], "two.example": [("127.0.0.1",)]})
            async with probed_daemon(folder, configuration(server.port, **sections), names, now or Clock()) as daemon:
                await steps(daemon, server)

    asyncio.run(run())


def text(answer: Answer) -> str:
    return answer.body.decode()


def connections(answer: Answer) -> int:
    """What the scan cost by its own count."""
    return int(text(answer).split("\ntls_posture_scan_connections{")[1].split("} ")[1].split("\n")[0])


def test_many_who_ask_together_and_later_cost_one_scan(tmp_path: Path) -> None:
    async def steps(daemon: Daemon, server: Seen) -> None:
        answers = await asyncio.gather(*(daemon.probe(f"www.example:{server.port}") for _ in range(8)))
        assert {answer.status for answer in answers} == {200}
        assert len({answer.body for answer in answers}) == 1
        assert server.connections == connections(answers[0]) > 1
        assert f'tls_posture_protocol_accepted{{target="www.example:{server.port}",protocol="TLSv1.2"}} 1' in text(
            answers[0]
        )
        assert daemon.count("scanned") == 8
        before = server.connections
        for spelling in ("www.example", "WWW.Example.", "https://www.example"):
            assert (await daemon.probe(f"{spelling}:{server.port}")).body == answers[0].body
        assert server.connections == before
        assert daemon.count("stored") == 3

    with_server(tmp_path, steps)


def test_a_scan_is_made_again_when_the_interval_is_over_and_its_facts_are_merged(tmp_path: Path) -> None:
    clock, ends = Clock(), [False]

    def script(hello: Any) -> Any:  # noqa: ANN401 - as scripts have it
        return End.RESET if ends[0] else STACK(hello)

    async def steps(daemon: Daemon, server: Seen) -> None:
        target = f"www.example:{server.port}"
        accepted = f'tls_posture_protocol_accepted{{target="{target}",protocol="TLSv1.2"}} 1'
        assert accepted in text(await daemon.probe(target))
        before, ends[0] = server.connections, True
        clock.ahead = timedelta(minutes=59)
        await daemon.probe(target)
        assert server.connections == before
        clock.ahead = timedelta(minutes=61)
        failed = text(await daemon.probe(target))
        assert server.connections > before
        assert f'tls_posture_scan_success{{target="{target}"}} 0' in failed
        assert accepted in failed  # for max_age
        clock.ahead = timedelta(hours=5)
        assert "tls_posture_protocol_accepted{" not in text(await daemon.probe(target))

    with_server(tmp_path, steps, script=script, now=clock)


def test_the_answer_has_no_series_of_others_and_none_of_the_exporter(tmp_path: Path) -> None:
    async def steps(daemon: Daemon, server: Seen) -> None:
        await daemon.probe(f"two.example:{server.port}")
        page = text(await daemon.probe(f"www.example:{server.port}"))
        samples = [line for line in page.splitlines() if not line.startswith("#")]
        assert samples
        assert all(f'{{target="www.example:{server.port}"' in line for line in samples)
        assert "www.example" not in daemon.app.metrics("")[0].decode()
        headers = "Accept: application/openmetrics-text; version=1.0.0", "Accept-Encoding: gzip"
        packed = await daemon.probe(f"www.example:{server.port}", *headers)
        assert packed.all("content-encoding") == ["gzip"]
        assert packed.all("content-type")[0].startswith("application/openmetrics-text")

    with_server(tmp_path, steps)


def test_other_policies_judge_the_same_scan(tmp_path: Path) -> None:
    own = "name: own\ntitle: Own\nversion: '1'\nsource: ours\ndescription: ours\nextends: mozilla-old\nchecks: {}\n"
    (tmp_path / "own.yaml").write_text(own)

    async def steps(daemon: Daemon, server: Seen) -> None:
        target = f"www.example:{server.port}"
        usual = text(await daemon.probe(target))
        before = server.connections
        assert 'policy="kopano-checklist",check="' in usual
        other = text(await daemon.probe(target, policy="mozilla-modern"))
        assert 'policy="mozilla-modern",check="protocols"' in other
        assert "kopano-checklist" not in other
        both = text(await daemon.get(f"/probe?target={target}&policy=bcp195&policy=own"))
        assert 'policy="bcp195"' in both
        assert 'policy="own"' in both
        assert server.connections == before
        for wrong in ("nothing", "own.yaml", str(tmp_path / "own.yaml"), "../policies/own.yaml", ""):
            assert (await daemon.probe(target, policy=wrong)).status == 400
        assert (await daemon.get(f"/probe?target={target}&policy=own&policy=own")).status == 400

    with_server(tmp_path, steps, more="policy_files: [own.yaml]\n")


def test_a_scan_ends_in_time_with_what_it_knows(tmp_path: Path) -> None:
    """The server answers the first hellos and then no more: what it was not asked is unknown, not refused."""
    asked = []

    def script(hello: Any) -> Any:  # noqa: ANN401 - as scripts have it
        asked.append(hello)
        return STACK(hello) if len(asked) < 3 else End.SILENCE

    async def steps(daemon: Daemon, server: Seen) -> None:
        target = f"www.example:{server.port}"
        page = text(await daemon.probe(target, LIMIT + "4"))
        assert f'tls_posture_scan_success{{target="{target}"}} 0' in page
        assert 'reason="deadline_exceeded"' in page
        assert "tls_posture_compliant{" not in page or 'policy="kopano-checklist"} 1' not in page
        before = server.connections
        await daemon.probe(target, LIMIT + "4")
        assert server.connections == before  # no more time than the scan before
        await daemon.probe(target, LIMIT + "8")
        assert server.connections > before

    with_server(tmp_path, steps, script=script)


def test_a_scan_that_left_questions_out_is_made_again_for_who_has_more_time(tmp_path: Path) -> None:
    """The server answers the first HTTP request only. The scan does not fail by that."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: list[bytes]) -> None:
        while True:
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            if requests[-1].startswith(b"GET / "):
                writer.write(web.usual(requests[-1]))

    async def run() -> None:
        async with web.serving(handle, make_pki(tmp_path)) as server:
            config = configuration(server.port).replace("timeout: 300ms", "timeout: 40s")
            async with probed_daemon(tmp_path, config, Names({"www.example": [("127.0.0.1",)]})) as daemon:
                target = f"www.example:{server.port}"
                assert "tls_posture_scan_success" in text(await daemon.probe(target, LIMIT + "10"))
                before = len(server.connections)
                await daemon.probe(target, LIMIT + "10")
                assert len(server.connections) == before
                await daemon.probe(target, LIMIT + "14")
                assert len(server.connections) > before

    asyncio.run(run())


def test_a_lookup_that_fails_too_late_is_a_failed_scan(tmp_path: Path) -> None:
    """The next request does not ask the dead name server again."""
    asked, go_on = [], asyncio.Event()

    async def lookup(host: str, _port: int, _protocol: IpProtocol) -> tuple[str, ...]:
        asked.append(host)
        await go_on.wait()
        raise ProbeError(Reason.DNS_ERROR, host)

    async def steps(daemon: Daemon, server: Seen) -> None:
        target = f"www.example:{server.port}"
        assert (await daemon.probe(target, LIMIT + "0.9")).status == 503
        go_on.set()
        while "tls_posture_exporter_probe_scans_running 0.0" not in daemon.app.metrics("")[0].decode():
            await asyncio.sleep(0.01)
        assert 'reason="dns_error"' in text(await daemon.probe(target, LIMIT + "5"))
        assert asked == ["www.example"]

    with_server(tmp_path, steps, lookup=lookup)


def test_without_a_place_in_time_there_is_an_older_report_or_none(tmp_path: Path) -> None:
    clock, go_on = Clock(), asyncio.Event()

    async def lookup(host: str, _port: int, _protocol: IpProtocol) -> tuple[str, ...]:
        if host == "hangs.example":
            await go_on.wait()
        return ("127.0.0.1",)

    async def steps(daemon: Daemon, server: Seen) -> None:
        target = f"two.example:{server.port}"
        assert (await daemon.probe(target)).status == 200
        before, clock.ahead = server.connections, timedelta(hours=2)
        holds_the_place = asyncio.create_task(daemon.probe(f"hangs.example:{server.port}"))
        while "tls_posture_exporter_probe_scans_running 1.0" not in daemon.app.metrics("")[0].decode():
            await asyncio.sleep(0.01)
        assert (await daemon.probe(target, LIMIT + "1")).status == 200
        assert daemon.count("older") == 1
        nothing = await daemon.probe(f"www.example:{server.port}", LIMIT + "1")
        assert (nothing.status, daemon.count("unavailable")) == (503, 1)
        assert text(nothing).endswith("ask again\n")
        clock.ahead = timedelta(hours=6)  # longer than max_age
        assert (await daemon.probe(target, LIMIT + "1")).status == 503
        assert server.connections == before
        go_on.set()
        assert (await holds_the_place).status == 200

    with_server(tmp_path, steps, lookup=lookup, now=clock, probe=", max_concurrent_scans: 1")


def test_a_reload_that_forbids_a_service_counts_at_once(tmp_path: Path) -> None:
    async def steps(daemon: Daemon, server: Seen) -> None:
        target = f"www.example:{server.port}"
        assert (await daemon.probe(target)).status == 200
        before = server.connections
        daemon.file.write_text(configuration(server.port, allow="{hosts: [two.example], cidrs: [127.0.0.0/8]}"))
        assert await daemon.app.reload(daemon.file)
        assert (await daemon.probe(target)).status == 403
        daemon.file.write_text(configuration(server.port, allow="{hosts: ['*'], ports: [PORT]}"))
        assert await daemon.app.reload(daemon.file)
        refused = await daemon.probe(target)
        assert (refused.status, server.connections) == (403, before)
        assert "127.0.0.1" not in text(refused)

    with_server(tmp_path, steps)


def test_a_reload_counts_also_for_what_an_earlier_scan_saw(tmp_path: Path) -> None:
    """The name does not resolve any more, so the last scan itself was of no address."""
    clock, gone = Clock(), asyncio.Event()

    async def lookup(host: str, _port: int, _protocol: IpProtocol) -> tuple[str, ...]:
        if gone.is_set():
            raise ProbeError(Reason.DNS_ERROR, host)
        return ("127.0.0.1",)

    async def steps(daemon: Daemon, server: Seen) -> None:
        target = f"www.example:{server.port}"
        assert "tls_posture_protocol_accepted{" in text(await daemon.probe(target))
        gone.set()
        clock.ahead = timedelta(minutes=61)
        assert "tls_posture_protocol_accepted{" in text(await daemon.probe(target))  # for max_age
        allow = "{hosts: ['*.example'], cidrs: [127.0.0.2/32], ports: [PORT]}"
        daemon.file.write_text(configuration(server.port, allow=allow))
        assert await daemon.app.reload(daemon.file)
        page = text(await daemon.probe(target))
        assert 'reason="dns_error"' in page
        assert "tls_posture_protocol_accepted{" not in page

    with_server(tmp_path, steps, lookup=lookup, now=clock)


def test_addresses_are_asked_for_once_and_only_these_are_dialled(tmp_path: Path) -> None:
    """A name server that answers a permitted address first, and then another one."""
    other = Untouched("127.0.0.2")
    names = Names({"www.example": [("127.0.0.3",), ("127.0.0.2",)]})

    async def steps(daemon: Daemon, _server: Seen) -> None:
        answer = await daemon.probe(f"www.example:{other.port}")
        assert 'reason="connect_refused"' in text(answer)  # of 127.0.0.3, where nobody listens
        assert names.asked == ["www.example"]
        assert other.accepted() == 0

    allow = f"{{hosts: ['*.example'], cidrs: [127.0.0.3/32], ports: [{other.port}]}}"
    with_server(tmp_path, steps, lookup=names, allow=allow)
    other.close()


def test_a_name_that_changes_to_an_address_that_is_not_permitted_is_refused(tmp_path: Path) -> None:
    clock, names = Clock(), Names({"www.example": [("127.0.0.1",), ("127.0.0.2",)]})

    async def steps(daemon: Daemon, server: Seen) -> None:
        target = f"www.example:{server.port}"
        assert (await daemon.probe(target)).status == 200
        before, clock.ahead = server.connections, timedelta(hours=2)
        assert (await daemon.probe(target)).status == 403
        assert (await daemon.probe(target, LIMIT + "0.4")).status == 503  # nothing is kept of it
        assert server.connections == before

    allow = "{hosts: ['*.example'], cidrs: [127.0.0.1/32], ports: [PORT]}"
    with_server(tmp_path, steps, lookup=names, now=clock, allow=allow)


def test_a_name_without_addresses_is_a_failed_scan_only_where_a_rule_names_it(tmp_path: Path) -> None:
    async def steps(daemon: Daemon, server: Seen) -> None:
        page = text(await daemon.probe(f"missing.example:{server.port}"))
        assert 'reason="dns_nxdomain"' in page
        assert f'tls_posture_scan_success{{target="missing.example:{server.port}"}} 0' in page
        unnamed = await daemon.probe(f"missing.test:{server.port}")
        forbidden = await daemon.probe("www.test:1")
        assert (unnamed.status, unnamed.body) == (forbidden.status, forbidden.body)
        assert unnamed.status == 403

    with_server(tmp_path, steps, allow=f"{NAMED}, {{cidrs: [127.0.0.0/8], ports: [PORT]}}")


def test_a_name_server_that_hangs_does_not_take_more_threads_than_places(tmp_path: Path) -> None:
    asked, go_on = [], asyncio.Event()

    async def lookup(host: str, _port: int, _protocol: IpProtocol) -> tuple[str, ...]:
        asked.append(host)
        await go_on.wait()
        raise ProbeError(Reason.DNS_ERROR, host)

    async def steps(daemon: Daemon, server: Seen) -> None:
        hosts = [f"{number}.example:{server.port}" for number in range(6)]
        answers = await asyncio.gather(*(daemon.probe(host, LIMIT + "1") for host in hosts))
        assert {answer.status for answer in answers} == {503}
        assert len(asked) == 2
        go_on.set()

    with_server(tmp_path, steps, lookup=lookup)


def test_a_name_with_thousands_of_addresses_is_not_scanned(tmp_path: Path) -> None:
    """Each of them would be checked with each request, on the event loop."""
    many = tuple(f"127.1.{number // 250}.{number % 250 + 1}" for number in range(4000))
    names = Names({"www.example": [("127.0.0.1", *many)], "www.test": [("127.0.0.1", *many)]})

    async def steps(daemon: Daemon, server: Seen) -> None:
        assert 'reason="dns_error"' in text(await daemon.probe(f"www.example:{server.port}"))
        assert (await daemon.probe(f"www.test:{server.port}")).status == 403
        assert server.connections == 0

    with_server(tmp_path, steps, lookup=names, allow=f"{NAMED}, {{cidrs: [127.0.0.0/8], ports: [PORT]}}")


def test_a_proxy_gets_the_address_that_was_checked(tmp_path: Path) -> None:
    said: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.append(await reader.readline())
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
        writer.close()

    async def run() -> None:
        names = Names({"www.example": [("203.0.113.7",)], "inside.example": [("127.0.0.1",)]})
        listener = await asyncio.start_server(proxy, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        config = f"global: {{proxy_url: 'http://user:secret@127.0.0.1:{port}', {NO_RESOLVER}}}\n"
        config += "probe: {allow: [{hosts: ['*.example']}]}\n"
        async with listener, probed_daemon(tmp_path, config, names) as daemon:
            answer = await daemon.probe("www.example", debug="true")
            assert answer.status == 200
            assert "secret" not in text(answer)
            assert (await daemon.probe("inside.example")).status == 403
            missing = text(await daemon.probe("missing.example"))
            assert 'reason="dns_nxdomain"' in missing

    asyncio.run(run())
    assert {line.split()[1] for line in said} == {b"203.0.113.7:443"}


CONFIGURED = "targets:\n  - {name: shop, host: shop.example, port: 1, connect_address: 127.0.0.1}\n"


def test_a_configured_target_is_answered_from_the_store_by_name_and_by_text(tmp_path: Path) -> None:
    """Without any rule of `probe.allow`."""

    async def run() -> None:
        async with scripted_server(STACK) as server:
            lines = CONFIGURED.replace("port: 1", f"port: {server.port}")
            clock = Clock()
            async with probed_daemon(tmp_path, configuration(1, "", lines), now=clock) as daemon:
                first = await daemon.probe("shop")
                assert first.status == 200
                cost = server.connections
                assert cost == connections(first)
                for text_form in ("shop", f"shop.example:{server.port}", f"https://shop.example:{server.port}"):
                    assert (await daemon.probe(text_form)).body == first.body
                other = text(await daemon.probe("shop", policy="mozilla-old"))
                assert 'policy="mozilla-old"' in other
                assert server.connections == cost
                assert daemon.count("stored") >= 3
                clock.ahead = timedelta(minutes=61)
                answers = await asyncio.gather(*(daemon.probe("shop") for _ in range(4)))
                assert len({answer.body for answer in answers}) == 1
                assert server.connections == cost + connections(answers[0])
                page = daemon.app.metrics("")[0].decode()
                assert f'tls_posture_scan_connections{{target="shop"}} {connections(answers[0])}\n' in page

    asyncio.run(run())


def test_a_text_that_means_several_targets_is_refused_with_their_names(tmp_path: Path) -> None:
    lines = CONFIGURED + "  - {name: shop2, host: shop.example, port: 1, connect_address: 127.0.0.2}\n"

    async def steps(daemon: Daemon, _server: Seen) -> None:
        answer = await daemon.probe("shop.example:1")
        assert answer.status == 400
        assert "'shop', 'shop2'" in text(answer)

    with_server(tmp_path, steps, more=lines)


@pytest.mark.parametrize("asked", ["shop.example", "https://shop.example", "imaps://shop.example"])
def test_a_text_without_a_port_does_not_mean_a_target_on_another_port(tmp_path: Path, asked: str) -> None:
    async def steps(daemon: Daemon, _server: Seen) -> None:
        assert (await daemon.probe(asked)).status == 403

    with_server(tmp_path, steps, more=CONFIGURED)


def test_the_log_of_a_scan_is_shown_with_metrics_and_settings(tmp_path: Path) -> None:
    async def steps(daemon: Daemon, server: Seen) -> None:
        target = f"www.example:{server.port}"
        first = text(await daemon.probe(target, debug="true"))
        assert "Report: scanned; its scan began at" in first
        assert "level=debug logger=exporter.scan msg=" in first
        assert "probe=handshake address=127.0.0.1 seconds=" in first
        assert "tls_posture_scan_success" in first
        assert "policies: kopano-checklist" in first
        assert "\nhttp.path: /\n" in first
        assert "HttpOptions" not in first
        again = text(await daemon.probe(target, debug="true"))
        assert again.replace("Report: stored", "Report: scanned") == first  # the log was kept

    with_server(tmp_path, steps)


@pytest.mark.parametrize("more", ["", "targets: [{host: www.example, port: PORT, connect_address: 127.0.0.1}]\n"])
def test_the_log_of_a_scan_has_no_paths(tmp_path: Path, more: str) -> None:
    """The files of the client certificate are gone."""
    own, clock = make_pki(tmp_path).ecdsa.read_bytes(), Clock()
    cert, key = tmp_path / "own-cert.pem", tmp_path / "own-key.pem"

    async def run() -> None:
        async with scripted_server(STACK) as server:
            config = configuration(server.port, more=more.replace("PORT", str(server.port)))
            config = config.replace("global: {", f"global: {{tls_config: {{cert_file: {cert}, key_file: {key}}}, ")
            for file in (cert, key):
                file.write_bytes(own)
            async with probed_daemon(tmp_path, config, Names({"www.example": [("127.0.0.1",)]}), clock) as daemon:
                cert.unlink()
                target = f"www.example:{server.port}"
                if more:
                    await daemon.probe(target)
                    clock.ahead = timedelta(hours=2)
                page = text(await daemon.probe(target, debug="true"))
                assert "the client certificate cannot be used" in page
                assert str(tmp_path) not in page

    asyncio.run(run())


def test_the_log_of_a_scan_that_a_question_caused_is_shown_for_a_configured_target(tmp_path: Path) -> None:
    clock = Clock()

    async def run() -> None:
        async with scripted_server(STACK) as server:
            lines = CONFIGURED.replace("port: 1", f"port: {server.port}")
            async with probed_daemon(tmp_path, configuration(1, "", lines), now=clock) as daemon:
                assert (await daemon.probe("shop")).status == 200
                stored = text(await daemon.probe("shop", debug="true"))
                assert "Its scan is in the log of the exporter." in stored
                clock.ahead = timedelta(minutes=61)
                scanned = text(await daemon.probe("shop", debug="true"))
                assert "target=shop probe=handshake" in scanned

    asyncio.run(run())


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "parameter target is missing"),
        ("target=", "parameter target is missing"),
        ("target=a&target=b", "parameter target is there twice"),
        ("target=a&module=b", "unknown parameter 'module'; known are target, policy, debug"),
        ("target=a&debug=1", "parameter debug is neither true nor false"),
        ("target=a&debug=true&debug=true", "parameter debug is there twice"),
        ("target=a&policy=b", "unknown policy 'b'; known are "),
        ("target=a%0Ab", r"'a\nb' is not a target; "),
        ("target=a%E2%80%AEb", r"'a\u202eb' is not a host name"),
        ("target=[fe80::1%25lo]", "'[fe80::1%lo]' has a zone, which only configured targets can have"),
        ("target=tls://www.example", "has no usual port: port is required"),
    ],
)
def test_a_wrong_question_is_refused_with_the_reason(tmp_path: Path, query: str, message: str) -> None:
    async def steps(daemon: Daemon, _server: Seen) -> None:
        answer = await daemon.get(f"/probe?{query}")
        assert answer.status == 400
        assert message in text(answer)
        assert answer.all("content-type") == ["text/plain; charset=utf-8"]
        assert daemon.count("stored") == 0

    with_server(tmp_path, steps)


@pytest.mark.parametrize("value", ["", "x", "-1", "0", "0.0", "1e3", "NaN", "Inf", "1,2", "0x10", "١"])
def test_a_time_limit_that_is_none_is_refused(tmp_path: Path, value: str) -> None:
    async def steps(daemon: Daemon, server: Seen) -> None:
        field = (LIMIT + value).encode().decode("latin-1")
        answer = await daemon.probe(f"www.example:{server.port}", field)
        assert (answer.status, server.connections) == (400, 0)

    with_server(tmp_path, steps)


def test_all_addresses_are_scanned_where_the_configuration_says_so(tmp_path: Path) -> None:
    names = Names({"www.example": [("127.0.0.1", "127.0.0.2")]})

    async def run() -> None:
        async with scripted_server(STACK) as server:
            config = configuration(server.port).replace("global: {", "global: {addresses: all, ")
            async with probed_daemon(tmp_path, config, names) as daemon:
                target = f"www.example:{server.port}"
                page = text(await daemon.probe(target))
                assert f'tls_posture_scan_success{{target="{target}",address="127.0.0.2"}} 0' in page
                accepted = (
                    f'tls_posture_protocol_accepted{{target="{target}",address="127.0.0.1",protocol="TLSv1.2"}} 1'
                )
                assert accepted in page
                before = server.connections
                assert text(await daemon.probe(target)) == page
                assert (server.connections, names.asked) == (before, ["www.example"])

    asyncio.run(run())


def test_an_answer_about_several_addresses_leaves_others_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, judged, usual = [0], [], Judge.reports

    def reports(judge: Judge, seen: Any, *rest: Any) -> Any:  # noqa: ANN401 - as the original
        judged.extend([turns[0]] * len(seen))
        return usual(judge, seen, *rest)

    async def count() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    async def run() -> None:
        async with scripted_server(STACK) as server:
            config = configuration(server.port).replace("global: {", "global: {addresses: all, ")
            names = Names({"www.example": [("127.0.0.1", "127.0.0.2", "127.0.0.3")]})
            async with probed_daemon(tmp_path, config, names) as daemon:
                await daemon.probe(f"www.example:{server.port}")
                monkeypatch.setattr(Judge, "reports", reports)
                counting = asyncio.create_task(count())
                assert 'address="127.0.0.3"' in text(await daemon.probe(f"www.example:{server.port}"))
                counting.cancel()

    asyncio.run(run())
    assert len(judged) == len(set(judged)) == 3
