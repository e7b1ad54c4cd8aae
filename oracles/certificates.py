"""Certificates for every kind of key that servers have. Each is created once, on first use."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, mldsa, rsa
from cryptography.x509 import ocsp

from exporter.demo.certificates import Authority, Key
from tests.support.servers import HOST, Pki

_KEYS: dict[str, Callable[[], object]] = {
    "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ec384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "rsa": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "rsa4096": lambda: rsa.generate_private_key(public_exponent=65537, key_size=4096),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "mldsa65": mldsa.MLDSA65PrivateKey.generate,
    "dsa": lambda: dsa.generate_private_key(key_size=1024),  # noqa: S505 - for servers as old as this size
}


class Certificates(Authority):
    """Certificates of one authority for `HOST`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, datetime.now(UTC))
        self._made: dict[str, Path] = {}
        self._lock = threading.Lock()

    def __getitem__(self, kind: str) -> Path:
        """PEM file of certificate and key: `ec`, `ec384`, `rsa`, `rsa4096`, `ed25519`, `mldsa65` or `dsa`."""
        with self._lock:
            if kind not in self._made:
                # The type of `issue` has the keys of the demonstration only, but it signs any key.
                self._made[kind] = self.issue(HOST, cast("Key", _KEYS[kind]()), f"{kind}.pem")
            return self._made[kind]

    @property
    def pki(self) -> Pki:
        """The two usual certificates, in the form that the servers of the tests use."""
        return Pki(bundle=self.bundle, ecdsa=self["ec"], rsa=self["rsa"])

    def staple(self, kind: str) -> Path:
        """DER file of an OCSP response with the status good for this certificate (RFC 6960)."""
        leaf = x509.load_pem_x509_certificate(self[kind].read_bytes())
        now = datetime.now(UTC)
        response = (
            ocsp.OCSPResponseBuilder()
            .add_response(
                cert=leaf,
                issuer=self._certificate,
                algorithm=hashes.SHA256(),
                cert_status=ocsp.OCSPCertStatus.GOOD,
                this_update=now - timedelta(hours=1),
                next_update=now + timedelta(days=1),
                revocation_time=None,
                revocation_reason=None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, self._certificate)
            .sign(self._key, hashes.SHA256())
        )
        file = self._folder / f"{kind}.ocsp"
        file.write_bytes(response.public_bytes(serialization.Encoding.DER))
        return file
