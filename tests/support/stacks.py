"""More real servers, for the TLS stacks and settings that those in `servers` do not have."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import find_program, free_port, running

HERE = Path(__file__).parent


@contextmanager
def lighttpd(folder: Path, certificate: Path, module: str = "openssl", lines: str = "") -> Iterator[int]:
    """Lighttpd with its TLS by this module, and these lines; gives the port."""
    port = free_port()
    config = folder / "lighttpd.conf"
    config.write_text(
        f"""server.modules = ("mod_{module}")
server.document-root = "{folder}"
server.bind = "127.0.0.1"
server.port = {port}
ssl.engine = "enable"
ssl.pemfile = "{certificate}"
{lines}
"""
    )
    with running([find_program("lighttpd"), "-D", "-f", str(config)], folder / "lighttpd.log", port=port):
        yield port


@contextmanager
def stunnel(folder: Path, certificate: Path, lines: str = "") -> Iterator[int]:
    """Stunnel before a program that answers nothing, with these lines for its one service; gives the port."""
    port = free_port()
    config = folder / "stunnel.conf"
    config.write_text(
        f"""foreground = yes
pid =
syslog = no
[test]
accept = 127.0.0.1:{port}
exec = {find_program("cat")}
cert = {certificate}
{lines}
"""
    )
    with running([find_program("stunnel4"), str(config)], folder / "stunnel.log", port=port):
        yield port


@contextmanager
def caddy(folder: Path, certificate: Path, **fields: str) -> Iterator[int]:
    """Caddy as it comes, which is TLS by Go, with these header fields on its one page; gives the port."""
    port = free_port()
    config = folder / "caddy.json"
    headers = {name: [value] for name, value in fields.items()}
    site = {
        "listen": [f"127.0.0.1:{port}"],
        "automatic_https": {"disable": True},
        "tls_connection_policies": [{}],
        "routes": [{"handle": [{"handler": "static_response", "body": "hello", "headers": headers}]}],
    }
    files = [{"certificate": str(certificate), "key": str(certificate)}]
    config.write_text(
        json.dumps(
            {
                "admin": {"disabled": True},
                "storage": {"module": "file_system", "root": str(folder / "storage")},
                "apps": {"http": {"servers": {"test": site}}, "tls": {"certificates": {"load_files": files}}},
            }
        )
    )
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    command = [find_program("caddy"), "run", "--config", str(config)]
    with running(command, folder / "caddy.log", port=port, environment=home):
        yield port


@contextmanager
def openssl_server(folder: Path, certificate: Path | None, *options: str) -> Iterator[int]:
    """The test server of OpenSSL with these options; it serves one connection after the other. Gives the port."""
    port = free_port()
    files = ["-cert", str(certificate), "-key", str(certificate)] if certificate else ["-nocert"]
    command = [find_program("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-www", *files, *options]
    with running(command, folder / "s_server.log", port=port):
        yield port


@contextmanager
def gnutls(folder: Path, certificate: Path, priority: str, *options: str) -> Iterator[int]:
    """A server on GnuTLS with this priority string; options are those of gnutls_server.py. Gives the port.

    gnutls-serv itself can only listen on every address of the machine.
    """
    yield from _program(folder, "gnutls_server.py", str(certificate), priority, *options)


@contextmanager
def bearssl(folder: Path, certificate: Path) -> Iterator[int]:
    """A server on BearSSL with everything that it has, for a key of RSA or on P-256; gives the port."""
    yield from _program(folder, "bearssl_server.py", str(certificate))


@contextmanager
def botan(folder: Path, certificate: Path, policy: str = "default") -> Iterator[int]:
    """The test server of Botan with this policy, a name or a file; it echoes, one connection after the other.

    It listens on every address of the machine: it has no option for one.
    """
    port = free_port()
    key = folder / "botan.key"
    pem = certificate.read_text()
    key.write_text(pem[pem.index("-----BEGIN PRIVATE KEY") :])
    command = [find_program("botan"), "tls_server", str(certificate), str(key), f"--port={port}", f"--policy={policy}"]
    with running(command, folder / "botan.log", port=port):
        yield port


@contextmanager
def asyncio_server(folder: Path, certificate: Path) -> Iterator[int]:
    """A server on Python's asyncio and ssl with their defaults; gives the port."""
    yield from _program(folder, "asyncio_server.py", str(certificate))


def _program(folder: Path, script: str, *arguments: str) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, str(HERE / script), str(port), *arguments]
    with running(command, folder / f"{script}.log", port=port):
        yield port
