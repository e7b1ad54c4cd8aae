"""Certificates and keys of the farm, made once."""

import functools
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from exporter.demo.certificates import Authority
from tests.support.certificates import Issued, issue

DOMAIN = "hostile.example"
NAMES = f"*.{DOMAIN}"


@dataclass(frozen=True)
class Material:
    """What servers of the farm have in common; `bundle` is the authority that the daemon trusts."""

    folder: Path
    bundle: Path
    ecdsa: Path
    rsa: Path

    @classmethod
    def make(cls, folder: Path) -> "Material":
        """Make the keys and the certificates."""
        authority = Authority(folder, datetime.now(UTC))
        return cls(
            folder,
            authority.bundle,
            authority.issue(NAMES, ec.generate_private_key(ec.SECP256R1()), "hostile-ec.pem"),
            authority.issue(NAMES, rsa.generate_private_key(public_exponent=65537, key_size=2048), "hostile-rsa.pem"),
        )

    @classmethod
    def of(cls, folder: Path) -> "Material":
        """What another process made in this folder."""
        return cls(folder, folder / "ca.pem", folder / "hostile-ec.pem", folder / "hostile-rsa.pem")

    @functools.cached_property
    def context(self) -> ssl.SSLContext:
        """An ordinary server."""
        return self.server(self.ecdsa)

    @functools.cached_property
    def other(self) -> ssl.SSLContext:
        """An ordinary server with the other certificate."""
        return self.server(self.rsa)

    @functools.cached_property
    def only_http2(self) -> ssl.SSLContext:
        """A server whose only protocol is HTTP/2."""
        context = self.server(self.ecdsa)
        context.set_alpn_protocols(["h2"])
        return context

    @functools.cached_property
    def authority(self) -> Issued:
        """An authority of the farm that nobody trusts."""
        return issue("Hostile CA", ca=True)

    def server(self, pem: Path) -> ssl.SSLContext:
        """A server with the certificates and the key in this file."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        return context

    def serving(self, name: str, chain: list[bytes], key: Issued) -> ssl.SSLContext:
        """A server with these certificates (DER) and the key of this one."""
        file = self.folder / f"{name}.pem"
        file.write_text("".join(map(ssl.DER_cert_to_PEM_cert, chain)) + key.key_pem().decode())
        return self.server(file)
