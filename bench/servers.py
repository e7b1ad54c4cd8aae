"""The servers that are scanned: nginx on loopback, with certificates created for the run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.servers import SEED_NGINX, make_pki, nginx

OLD_NGINX = """
    ssl_protocols TLSv1 TLSv1.1 TLSv1.2; ssl_prefer_server_ciphers off;
    ssl_ciphers ALL:COMPLEMENTOFALL:@SECLEVEL=0;
"""
"""All suites of OpenSSL for one RSA certificate, except DHE. With OpenSSL 3.0 these are 58: 12, 12 and 34."""


@dataclass(frozen=True, slots=True)
class Server:
    """One server: its name for `--servers`, its title, its nginx directives, its certificates."""

    name: str
    title: str
    directives: str
    kinds: tuple[str, ...]

    @contextmanager
    def running(self, folder: Path) -> Iterator[int]:
        """The server, while the block runs; yields its port."""
        pki = make_pki(folder)
        certificates = [{"ecdsa": pki.ecdsa, "rsa": pki.rsa}[kind] for kind in self.kinds]
        with nginx(folder, self.directives, certificates) as port:
            yield port


SERVERS = (
    Server("checklist", "nginx as the checklist requires", SEED_NGINX, ("ecdsa", "rsa")),
    Server("weak", "weak nginx, TLS 1.0 to 1.2", OLD_NGINX, ("rsa",)),
)
BY_NAME = {server.name: server for server in SERVERS}
