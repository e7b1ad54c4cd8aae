"""Web servers from Debian: the header with and without `always`, invalid requests, and the redirect."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from exporter.facts.http import Asked, HttpFacts
from exporter.model import HttpOptions
from exporter.probes.http.probe import look
from tests.support.processes import free_port
from tests.support.servers import Pki, apache, haproxy, nginx
from tests.support.stacks import caddy, lighttpd
from tests.support.targets import make_session, make_target

pytestmark = pytest.mark.real

Start = Callable[[Path, str, list[Path]], AbstractContextManager[int]]
HEADER = 'Strict-Transport-Security "max-age=31536000"'
PAGES = "location /tls-posture-exporter- { return 404; }"
"""The test server has a page at every path."""


def fetch(port: int, **changes: object) -> tuple[HttpFacts, int]:
    async def run() -> tuple[HttpFacts, int]:
        session = make_session(make_target(port, **changes))
        return await look(session), session.dialer.connections

    return asyncio.run(run())


SITE = "DocumentRoot /usr/share/apache2/default-site"
"""Where its user may read."""
LIGHTTPD = """server.modules += ("mod_setenv")
setenv.add-response-header = ("Strict-Transport-Security" => "max-age=31536000")"""
CASES: list[tuple[str, Start, str, bool]] = [
    ("nginx with always", nginx, f"add_header {HEADER} always; {PAGES}", True),
    ("nginx without always", nginx, f"add_header {HEADER}; {PAGES}", False),
    ("Apache httpd with always", apache, f"{SITE}\nHeader always set {HEADER}", True),
    ("Apache httpd without always", apache, f"{SITE}\nHeader set {HEADER}", False),
]


@pytest.mark.parametrize(("about", "start", "lines", "on_errors"), CASES, ids=[case[0] for case in CASES])
def test_the_header_is_on_error_responses_where_the_configuration_has_it_so(
    tmp_path: Path, pki: Pki, about: str, start: Start, lines: str, *, on_errors: bool
) -> None:
    with start(tmp_path, lines, [pki.rsa]) as port:
        facts, connections = fetch(port, http=HttpOptions(path="/index.html"))
    assert [(one.request, one.status, one.keeps_hsts) for one in facts.responses] == [
        (Asked.ROOT, 200, True),
        (Asked.NOT_FOUND, 404, on_errors),
        (Asked.MALFORMED, 400, on_errors),
    ], about
    assert facts.hsts_on_error_responses is on_errors
    assert connections == 1


OWN_ANSWERS: list[tuple[str, Callable[[Path, Path], AbstractContextManager[int]]]] = [
    ("HAProxy", lambda folder, pem: haproxy(folder, "", [pem])),
    ("lighttpd", lambda folder, pem: lighttpd(folder, pem, lines=LIGHTTPD)),
    ("Caddy", lambda folder, pem: caddy(folder, pem, **{"Strict-Transport-Security": "max-age=31536000"})),
]


@pytest.mark.parametrize(("about", "start"), OWN_ANSWERS, ids=[case[0] for case in OWN_ANSWERS])
def test_these_answer_what_is_no_request_by_themselves_without_the_header(
    tmp_path: Path, pki: Pki, about: str, start: Callable[[Path, Path], AbstractContextManager[int]]
) -> None:
    with start(tmp_path, pki.rsa) as port:
        facts, connections = fetch(port)
    assert [one.keeps_hsts for one in facts.responses] == [True, True, False]
    assert facts.responses[-1].status == 400
    assert facts.hsts_on_error_responses is False
    assert connections == 1, about


REDIRECTS = [
    ("return 301 https://$host:{tls}$request_uri;", True),
    ("return 302 https://$host:{tls}/welcome;", True),
    ("return 301 https://$host/;", False),  # the target is on another port
    ("return 301 https://elsewhere.example:{tls}/;", False),
    ("return 301 http://$host:{tls}/;", False),
    ("return 301 /login; absolute_redirect off;", False),
    ("return 200 hello;", False),
    ("return 403;", False),
]


@pytest.mark.parametrize(("directives", "redirects"), REDIRECTS)
def test_the_port_without_tls(tmp_path: Path, pki: Pki, directives: str, *, redirects: bool) -> None:
    beside, plain = tmp_path / "beside", free_port()
    beside.mkdir()
    with nginx(tmp_path, PAGES, [pki.rsa]) as port:
        server = f"}} server {{ listen 127.0.0.1:{plain}; {directives.replace('{tls}', str(port))}"
        with nginx(beside, server, [pki.rsa]):
            facts, connections = fetch(port, http=HttpOptions(port=plain))
    assert facts.http_redirect is not None
    assert facts.http_redirect.redirects_to_https is redirects
    assert facts.http_redirect.status == int(directives.split()[1].rstrip(";"))
    assert connections == 2
