"""Servers that request client certificates: what they show to a client without one, and to one with one."""

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from exporter.errors import ProbeError
from exporter.facts.http import HttpFacts
from exporter.model import ClientAuthentication, ClientCertificate, Reason, Target
from exporter.net.openssl import ClientOffer
from exporter.net.tls import tls_session
from exporter.probes.http import PROBE as HTTP
from tests.support.certificates import (
    HOST,
    Issued,
    dns,
    issue,
    p256,
    pem_file,
    probe_served,
    rsa_key,
    run_probe,
    server_context,
)
from tests.support.plain import plain_server
from tests.support.servers import nginx
from tests.support.targets import make_session, make_target

ROOT, STRANGER = issue("root", ca=True), issue("stranger", ca=True)
SERVER = issue(HOST, ROOT, names=dns(HOST))
OURS = issue("scanner", ROOT, usage=ExtendedKeyUsageOID.CLIENT_AUTH)
OTHERS = issue("scanner", STRANGER, usage=ExtendedKeyUsageOID.CLIENT_AUTH)
NEWEST = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
each_version = pytest.mark.parametrize("version", NEWEST)
C = ClientAuthentication


def wanting(folder: Path, version: str, mode: ssl.VerifyMode) -> ssl.SSLContext:
    context = server_context(pem_file(folder / "server.pem", SERVER, key=SERVER), NEWEST[version])
    context.load_verify_locations(pem_file(folder / "clients.pem", ROOT))
    context.verify_mode = mode
    return context


def client(folder: Path, issued: Issued) -> ClientCertificate:
    file = str(pem_file(folder / f"client{issued.certificate.serial_number}.pem", issued, key=issued))
    return ClientCertificate(file, file)


@each_version
@pytest.mark.parametrize(
    ("mode", "shown", "told"),
    [
        (ssl.CERT_NONE, None, C.NONE),
        (ssl.CERT_OPTIONAL, None, C.REQUESTED),
        (ssl.CERT_REQUIRED, None, C.REQUIRED),
        (ssl.CERT_REQUIRED, OTHERS, C.REQUIRED),
        (ssl.CERT_NONE, OURS, C.NONE),
        (ssl.CERT_OPTIONAL, OURS, None),
        (ssl.CERT_REQUIRED, OURS, None),
    ],
    ids=[
        "none",
        "optional",
        "required",
        "required, of a stranger",
        "none, shown",
        "optional, shown",
        "required, shown",
    ],
)
def test_the_certificate_is_told_whatever_the_server_wants(
    tmp_path: Path, version: str, mode: ssl.VerifyMode, shown: Issued | None, told: ClientAuthentication | None
) -> None:
    """A server that takes ours does not show whether it would have gone on without: that is not known."""
    facts, connections = probe_served(
        wanting(tmp_path, version, mode),
        ca_file=str(pem_file(tmp_path / "roots.pem", ROOT)),
        client_certificate=client(tmp_path, shown) if shown else None,
    )
    assert facts.first.leaf.subject == f"CN={HOST}"
    assert facts.trusted is True
    assert facts.client_authentication is told
    assert connections == 1


async def _http(context: ssl.SSLContext, certificate: ClientCertificate | None) -> HttpFacts:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    target = make_target(server.sockets[0].getsockname()[1], client_certificate=certificate)
    try:
        return await HTTP.run(make_session(target))
    finally:
        server.close()


@each_version
def test_with_the_certificate_there_is_a_response(tmp_path: Path, version: str) -> None:
    context = wanting(tmp_path, version, ssl.CERT_REQUIRED)
    assert asyncio.run(_http(context, client(tmp_path, OURS))).status == 204


@each_version
@pytest.mark.parametrize(
    ("shown", "said"),
    [(None, "wants a client certificate"), (OTHERS, "did not accept the client certificate")],
    ids=["none", "of a stranger"],
)
def test_without_one_that_it_takes_that_is_the_reason(
    tmp_path: Path, version: str, shown: Issued | None, said: str
) -> None:
    context = wanting(tmp_path, version, ssl.CERT_REQUIRED)
    with pytest.raises(ProbeError, match=said) as caught:
        asyncio.run(_http(context, client(tmp_path, shown) if shown else None))
    assert caught.value.reason is Reason.CLIENT_CERTIFICATE_REQUIRED


def test_a_server_that_breaks_off_without_asking_wants_no_certificate() -> None:
    async def run() -> None:
        async def handler(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.read(1)

        async with plain_server(handler) as port:
            session = make_session(make_target(port))
            async with tls_session(session.dialer, ClientOffer()) as tls:
                with pytest.raises(ProbeError) as caught:
                    await tls.handshake()
                assert caught.value.reason is Reason.HANDSHAKE_ERROR
                assert await tls.client_authentication() is None

    asyncio.run(run())


@pytest.mark.real
@each_version
@pytest.mark.parametrize(("verify", "told"), [("on", C.REQUESTED), ("optional", C.REQUESTED), ("off", C.NONE)])
def test_nginx_asks_and_goes_on_without(tmp_path: Path, version: str, verify: str, told: ClientAuthentication) -> None:
    """With `on` too: it says so in HTTP, by status 400."""
    server = pem_file(tmp_path / "server.pem", SERVER, key=SERVER)
    roots = pem_file(tmp_path / "roots.pem", ROOT)
    lines = f"ssl_protocols {version}; ssl_verify_client {verify}; ssl_client_certificate {roots};"
    with nginx(tmp_path, lines, [server]) as port:
        facts, _ = run_probe(make_target(port, ca_file=str(roots)))
    assert facts.client_authentication is told
    assert facts.trusted is True


def _broken(folder: Path) -> dict[str, ClientCertificate]:
    good = client(folder, OURS)
    return {
        "missing": replace(good, key_file=str(folder / "missing")),
        "another key": replace(good, key_file=client(folder, OTHERS).key_file),
        "no certificate": replace(good, cert_file=str(pem_file(folder / "empty.pem"))),
        "no key": replace(good, key_file=str(pem_file(folder / "nokey.pem", OURS))),
    }


@pytest.mark.parametrize("what", ["missing", "another key", "no certificate", "no key"])
def test_files_that_have_become_useless_are_told_and_nothing_is_sent(tmp_path: Path, what: str) -> None:
    target: Target = make_target(1, client_certificate=_broken(tmp_path)[what])
    with pytest.raises(ProbeError, match="the client certificate cannot be used") as caught:
        run_probe(target)
    assert caught.value.reason is Reason.INTERNAL
    assert "PRIVATE" not in caught.value.detail


@pytest.mark.parametrize("key", [rsa_key(2048), p256()], ids=["RSA", "EC"])
def test_a_renewed_file_is_used_with_the_next_scan(tmp_path: Path, key: object) -> None:
    file = client(tmp_path, OTHERS)
    context = wanting(tmp_path, "TLSv1.3", ssl.CERT_REQUIRED)
    told = [probe_served(context, client_certificate=file)[0].client_authentication]
    renewed = issue("renewed", ROOT, usage=ExtendedKeyUsageOID.CLIENT_AUTH, key=key)  # type: ignore[arg-type]
    pem_file(Path(file.cert_file), renewed, key=renewed)
    told.append(probe_served(context, client_certificate=file)[0].client_authentication)
    assert told == [C.REQUIRED, None]
