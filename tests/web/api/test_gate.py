"""Who may change something: the flag or authentication, and no page of another site."""

import asyncio

import pytest

from exporter.web import Gate
from tests.support.known_fleet import KnownFleet, error_of, served
from tests.support.targets import make_target

CLOSED, OPEN = Gate(), Gate(enabled=True)
KNOWN = Gate(authenticated=lambda request: request.headers.get("authorization") == "Basic eDp5")
OWN = "Origin: http://exporter.example:19443"
LOGIN = "Authorization: Basic eDp5"

GATES = [
    (CLOSED, (), 403),
    (CLOSED, (LOGIN,), 403),
    (OPEN, (), 202),
    (KNOWN, (), 403),
    (KNOWN, ("Authorization: Basic eDp6",), 403),
    (KNOWN, (LOGIN,), 202),
    (KNOWN, (LOGIN, "Origin: https://evil.example"), 403),
    (OPEN, (OWN,), 202),
    (OPEN, ("Origin: HTTP://EXPORTER.example:19443",), 202),
    (OPEN, ("Origin: https://exporter.example:19443",), 202),
    (OPEN, ("Origin: null",), 403),
    (OPEN, ("Origin: ",), 403),
    (OPEN, ("Origin: http://exporter.example",), 403),
    (OPEN, ("Origin: http://exporter.example:80",), 403),
    (OPEN, ("Origin: http://evil.example:19443",), 403),
    (OPEN, ("Origin: http://exporter.example:19443.evil.example",), 403),
    (OPEN, ("Origin: http://exporter.example:19443@evil.example",), 403),
    (OPEN, ("Origin: http://evil.example@exporter.example:19443/",), 403),
    (OPEN, ("Origin: http://x@exporter.example:19443",), 202),
    (OPEN, ("Origin: http://exporter.example:19443/x",), 403),
    (OPEN, ("Origin: http://exporter.example:19443x",), 403),
    (OPEN, ("Origin: http://[exporter.example:19443",), 403),
    (OPEN, ("Origin: file://exporter.example:19443",), 403),
    (OPEN, ("Origin: exporter.example:19443",), 403),
    (OPEN, (OWN, OWN), 403),
    (OPEN, (OWN, "Origin: http://evil.example"), 403),
    (OPEN, ("Sec-Fetch-Site: same-origin", OWN), 202),
    (OPEN, ("Sec-Fetch-Site: none",), 202),
    (OPEN, ("Sec-Fetch-Site: cross-site",), 403),
    (OPEN, ("Sec-Fetch-Site: same-site", OWN), 403),
    (OPEN, ("Sec-Fetch-Site: cross-site", OWN), 403),
    (OPEN, ("Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site"), 403),
]


async def _posted(gate: Gate, headers: tuple[str, ...]) -> tuple[int, int, bool]:
    """Status of a scan and of a reload, and whether a scan was asked for."""
    async with served(KnownFleet(make_target(name="a")), gate) as api:
        scan = await api.ask("/api/v1/targets/a/scan", *headers, method="POST")
        reload = await api.ask("/-/reload", *headers, method="POST")
        if scan.status == 403:
            assert error_of(scan)[1] == "forbidden"
            assert reload.body.decode().strip() == error_of(scan)[2]
        return scan.status, reload.status, api.fleet.data.scans.get("00000001") is not None


@pytest.mark.parametrize(("gate", "headers", "status"), GATES)
def test_a_post_needs_permission(
    gate: Gate, headers: tuple[str, ...], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.web.client.HOST", "exporter.example:19443")
    done = status == 202
    assert asyncio.run(_posted(gate, headers)) == (status, 200 if done else 403, done)


@pytest.mark.parametrize(
    ("host", "origin", "allowed"),
    [
        ("exporter.example", "http://exporter.example", True),
        ("exporter.example", "https://exporter.example", True),
        ("exporter.example:80", "http://exporter.example", True),
        ("exporter.example:443", "https://exporter.example", True),
        ("exporter.example:443", "http://exporter.example", False),
        ("[::1]:19443", "http://[::1]:19443", True),
        ("[::1]:19443", "http://[::2]:19443", False),
        ("", "http://", False),
    ],
)
def test_an_origin_is_ours_if_it_has_the_host_of_the_request(
    host: str, origin: str, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.web.client.HOST", host)
    assert asyncio.run(_posted(OPEN, (f"Origin: {origin}",)))[0] == (202 if allowed else 403)


def test_the_reason_begins_as_in_prometheus_and_names_the_flag() -> None:
    async def run() -> None:
        async with served(KnownFleet()) as api:
            assert await api.error("/targets/a/scan", method="POST") == (
                403,
                "forbidden",
                "Lifecycle API is not enabled: this needs --web.enable-lifecycle, or authentication.",
            )

    asyncio.run(run())


def test_no_answer_allows_other_sites_to_read_it_or_sets_a_cookie() -> None:
    async def run() -> None:
        async with served(KnownFleet(make_target(name="a")), OPEN) as api:
            for method, path in (("GET", "/api/v1/targets"), ("OPTIONS", "/api/v1/targets"), ("GET", "/api/v1/x")):
                answer = await api.ask(path, "Origin: https://evil.example", method=method)
                assert {name for name, _ in answer.fields} <= {
                    *("date", "content-type", "content-length", "cache-control", "x-content-type-options", "allow"),
                }

    asyncio.run(run())


def test_a_get_changes_nothing() -> None:
    async def run() -> None:
        async with served(KnownFleet(make_target(name="a")), OPEN) as api:
            for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
                answer = await api.ask("/api/v1/targets/a/scan", method=method)
                assert (answer.status, answer.all("allow")) == (405, ["POST"])
            assert api.fleet.data.scans.get("00000001") is None

    asyncio.run(run())
