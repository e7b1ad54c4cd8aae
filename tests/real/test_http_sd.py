"""http_sd_configs over TLS and through proxies, against nginx and tinyproxy: what fits is accepted."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from exporter.config.http_client import HttpSource
from exporter.targets.http import PolledUrl
from tests.support.certificates import DAY, dns, issue, pem_file
from tests.support.processes import free_port
from tests.support.proxies import ONLY_FOR_PROXIES, PASSWORD, PROXIES, USER
from tests.support.servers import HOST, Pki, make_pki, nginx
from tests.support.sources import Pauses, RememberingSink, following

pytestmark = pytest.mark.real

TOKEN = "token-of-the-scanner"  # noqa: S105
LIST = """'[{"targets": ["a:1", "b"]}]'"""


@dataclass(frozen=True)
class SdServer:
    """An nginx with one list at several places, and files for its clients."""

    folder: Path
    pki: Pki
    port: int

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"https://{host}:{self.port}{path}"

    def file(self, name: str) -> str:
        return str(self.folder / name)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SdServer]:
    folder = tmp_path_factory.mktemp("sd")
    pki = make_pki(folder)
    now = datetime.now(UTC)
    for name in ("client", "stranger"):
        client = issue(name, valid=(now - DAY, now + DAY), usage=ExtendedKeyUsageOID.CLIENT_AUTH)
        pem_file(folder / f"{name}.pem", client)
        (folder / f"{name}.key").write_bytes(client.key_pem())
    pem_file(folder / "other-ca.pem", issue("another authority", ca=True, names=dns("other.test")))
    (folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
    for name, content in {"password": PASSWORD, "wrong": "wrong", "token": TOKEN}.items():
        (folder / name).write_text(f"{content}\n")
    places = f"""
    ssl_protocols TLSv1.2; ssl_verify_client optional; ssl_client_certificate {folder}/client.pem;
    default_type application/json;
    location /open {{ return 200 {LIST}; }}
    location /basic {{ auth_basic list; auth_basic_user_file {folder}/users; try_files /none @list; }}
    location @list {{ return 200 {LIST}; }}
    location /bearer {{ if ($http_authorization != "Bearer {TOKEN}") {{ return 401; }} return 200 {LIST}; }}
    location /client {{ if ($ssl_client_verify != SUCCESS) {{ return 403; }} return 200 {LIST}; }}
    location /downgrade {{ return 302 http://127.0.0.1/open; }}
    """
    with nginx(folder, places, [pki.ecdsa]) as port:
        yield SdServer(folder, pki, port)


def _ask(url: str, **settings: Any) -> RememberingSink:  # noqa: ANN401 - any key of the section
    """What one request finds."""

    async def run() -> RememberingSink:
        pauses = Pauses()
        source = HttpSource.model_validate({"url": url, **settings})
        async with following(PolledUrl(source, {}, pauses), pauses) as sink:
            return sink

    return asyncio.run(run())


def _tls(server: SdServer, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any key of the section
    """Settings that are right: the certificate is for a name, and the URL has an address."""
    return {"tls_config": {"ca_file": str(server.pki.bundle), "server_name": HOST, **changes}}


def test_a_list_over_tls_by_a_private_authority(server: SdServer) -> None:
    found = _ask(server.url("/open"), **_tls(server))
    assert (found.addresses, found.errors) == (["a:1", "b"], [])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ca_file": None}, "the certificate of 127.0.0.1 is not valid: unable to get"),
        ({"ca_file": "other-ca.pem"}, "the certificate of 127.0.0.1 is not valid: unable to get"),
        ({"server_name": None}, "the certificate of 127.0.0.1 is not valid: IP address mismatch"),
        ({"server_name": "other.test"}, "the certificate of 127.0.0.1 is not valid: Hostname mismatch"),
        ({"min_version": "TLS13"}, "TLS with 127.0.0.1: tlsv1 alert protocol version"),
        ({"ca_file": "missing.pem"}, "missing.pem cannot be read: No such file or directory"),
        ({"ca_file": "token"}, "token holds no certificate in PEM form"),
    ],
)
def test_tls_that_is_not_right_is_refused(server: SdServer, changes: dict[str, Any], message: str) -> None:
    if changes.get("ca_file"):
        changes = {**changes, "ca_file": server.file(changes["ca_file"])}
    found = _ask(server.url("/open"), **_tls(server, **changes))
    assert found.groups is None
    assert message in found.errors[0]


def test_verification_can_be_turned_off(server: SdServer) -> None:
    found = _ask(server.url("/open"), tls_config={"insecure_skip_verify": True, "max_version": "TLS12"})
    assert found.errors == []


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (("client", "client"), None),
        (("stranger", "stranger"), "answered with status 4"),
        (None, "answered with status 403"),
        (("client", "stranger"), "do not belong together, or are not PEM"),
        (("token", "token"), "do not belong together, or are not PEM"),
        (("missing", "missing"), "No such file or directory"),
    ],
)
def test_a_client_certificate(server: SdServer, pair: tuple[str, str] | None, message: str | None) -> None:
    files = {}
    if pair is not None:
        ends = ("", "") if pair[0] == "token" else (".pem", ".key")
        files = {"cert_file": server.file(pair[0] + ends[0]), "key_file": server.file(pair[1] + ends[1])}
    found = _ask(server.url("/client"), **_tls(server, **files))
    if message is None:
        assert (found.addresses, found.errors) == (["a:1", "b"], [])
    else:
        assert found.groups is None
        assert message in found.errors[0]


def test_a_certificate_that_is_renewed_on_disk_is_used(server: SdServer, tmp_path: Path) -> None:
    for end in (".pem", ".key"):
        (tmp_path / f"own{end}").write_bytes((server.folder / f"stranger{end}").read_bytes())

    async def run() -> None:
        pauses = Pauses()
        tls = _tls(server, cert_file=str(tmp_path / "own.pem"), key_file=str(tmp_path / "own.key"))
        source = HttpSource.model_validate({"url": server.url("/client"), **tls})
        async with following(PolledUrl(source, {}, pauses), pauses) as sink:
            assert "answered with status 4" in sink.new_errors()[0]
            for end in (".pem", ".key"):
                (tmp_path / f"own{end}").write_bytes((server.folder / f"client{end}").read_bytes())
            await pauses.round()
            assert (sink.addresses, sink.errors) == (["a:1", "b"], [])

    asyncio.run(run())


@pytest.mark.parametrize(
    ("path", "settings", "accepted"),
    [
        ("/basic", {"basic_auth": {"username": USER, "password_file": "password"}}, True),
        ("/basic", {"basic_auth": {"username": USER, "password_file": "wrong"}}, False),
        ("/basic", {"basic_auth": {"username": "nobody", "password_file": "password"}}, False),
        ("/basic", {"authorization": {"credentials_file": "token"}}, False),
        ("/basic", {}, False),
        ("/bearer", {"authorization": {"credentials_file": "token"}}, True),
        ("/bearer", {"bearer_token_file": "token"}, True),
        ("/bearer", {"http_headers": {"X-Authorization": {"files": ["token"]}}}, False),
        ("/bearer", {"authorization": {"type": "Token", "credentials_file": "token"}}, False),
        ("/bearer", {"authorization": {"credentials_file": "wrong"}}, False),
        ("/bearer", {}, False),
    ],
)
def test_credentials(server: SdServer, path: str, settings: dict[str, Any], accepted: bool) -> None:
    found = _ask(server.url(path), **_tls(server), **_in_folder(settings, server))
    if accepted:
        assert (found.addresses, found.errors) == (["a:1", "b"], [])
    else:
        assert found.groups is None
        assert "answered with status 401" in found.errors[0]
        assert PASSWORD not in found.errors[0]


def _in_folder(settings: Any, server: SdServer) -> Any:  # noqa: ANN401 - a part of a section
    """The settings with paths instead of names of files."""
    if isinstance(settings, dict):
        return {
            key: server.file(value) if key.endswith("_file") else _in_folder(value, server)
            for key, value in settings.items()
        }
    return [server.file(name) for name in settings] if isinstance(settings, list) else settings


def test_a_redirect_to_http_is_refused(server: SdServer) -> None:
    found = _ask(server.url("/downgrade"), **_tls(server))
    assert found.errors == [f"{server.url('/downgrade')}: the server redirects from https to http"]


@pytest.mark.parametrize("kind", PROXIES)
def test_a_proxy_on_the_way(server: SdServer, tmp_path: Path, kind: str) -> None:
    """To a name that only the proxy resolves."""
    with PROXIES[kind](tmp_path) as proxy:
        address = f"{proxy.host}:{proxy.port}"
        url, tls = server.url("/open", ONLY_FOR_PROXIES), _tls(server)
        found = _ask(url, **tls, proxy_url=f"{proxy.scheme}://{USER}:{PASSWORD}@{address}")
        assert (found.addresses, found.errors) == (["a:1", "b"], [])
        for login in (f"{USER}:wrong@", ""):
            found = _ask(url, **tls, proxy_url=f"{proxy.scheme}://{login}{address}")
            assert found.groups is None
            assert f"the proxy {replace(proxy, user=None)} " in found.errors[0]
            assert "wrong" not in found.errors[0]
        found = _ask(url, **tls)
        assert found.groups is None  # the name does not resolve here
        found = _ask(url, **tls, proxy_url=f"{proxy.scheme}://127.0.0.1:{free_port()}")
        assert "Connection refused" in found.errors[0]


@pytest.mark.parametrize("kind", PROXIES)
def test_a_proxy_on_the_way_to_http(tmp_path: Path, kind: str) -> None:
    """An HTTP proxy makes such a request itself."""
    pki = make_pki(tmp_path)
    plain = free_port()
    more = f"""
    listen 127.0.0.1:{plain}; default_type application/json;
    location /open {{ return 200 {LIST}; }}
    """
    with nginx(tmp_path, more, [pki.ecdsa]), PROXIES[kind](tmp_path) as proxy:
        url, address = f"http://{ONLY_FOR_PROXIES}:{plain}/open", f"{proxy.host}:{proxy.port}"
        found = _ask(url, proxy_url=f"{proxy.scheme}://{USER}:{PASSWORD}@{address}")
        assert (found.addresses, found.errors) == (["a:1", "b"], [])
        found = _ask(url, proxy_url=f"{proxy.scheme}://{USER}:wrong@{address}")
        assert found.groups is None
        assert "wrong" not in found.errors[0]
