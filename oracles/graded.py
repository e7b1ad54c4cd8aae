"""The servers for the comparison of grades, with every letter. Each runs on loopback with its own configuration."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from exporter.demo.certificates import Authority
from oracles.certificates import Certificates
from oracles.servers import DH_1024, EVERYTHING, Server
from tests.support import starttls_servers as mail
from tests.support import vulnerable
from tests.support.certificates import AIA, dns, issue, p256, pem_file
from tests.support.servers import APACHE_SEED_LINES, HOST, SEED_NGINX, SEED_SUITES, apache, haproxy, nginx
from tests.support.stacks import caddy, gnutls, lighttpd, openssl_server, stunnel

OTHER = "other.test.example"


class Anchored(Certificates):
    """Certificates of one authority, and some with faults.

    Attributes:
        anchors: PEM file of all trust anchors for clients.
        headless: PEM file of a leaf whose intermediate is not served.
        sha1: PEM file of a leaf that is signed with SHA-1.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        now = datetime.now(UTC)
        valid = (now - timedelta(days=1), now + timedelta(days=30))
        root = issue("Graded Root", ca=True, valid=valid)
        intermediate = issue("Graded Intermediate", root, ca=True, valid=valid)
        leaf = issue(HOST, intermediate, names=dns(HOST), valid=valid, more=[AIA])
        self.anchors = folder / "anchors.pem"
        self.anchors.write_bytes(self.bundle.read_bytes() + root.pem())
        old = issue(HOST, root, names=dns(HOST), valid=valid).with_hash("sha1", root)
        self.sha1 = pem_file(folder / "sha1.pem", old, key=old)
        self.headless = pem_file(folder / "headless.pem", leaf, key=leaf)


Start = Callable[[Path, Anchored], AbstractContextManager[int]]


def _rsa(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def _nginx(directives: str, *kinds: str) -> Start:
    return lambda folder, made: nginx(folder, directives, [made[kind] for kind in kinds or ("ec",)])


def _modern(change: tuple[str, str] = ("", "")) -> str:
    return SEED_NGINX.replace(*change)


def _hsts(value: str) -> str:
    return _modern(("max-age=31536000", value))


def _small_key(folder: Path, made: Anchored) -> AbstractContextManager[int]:
    certificate = made.issue(HOST, _rsa(1024), "rsa1024.pem")
    return nginx(folder, _modern((SEED_SUITES, f"{SEED_SUITES}:@SECLEVEL=0")), [certificate])


def _other_name(folder: Path, made: Anchored) -> AbstractContextManager[int]:
    return nginx(folder, SEED_NGINX, [made.issue(OTHER, p256(), "other.pem")])


def _unknown_authority(folder: Path, _made: Anchored) -> AbstractContextManager[int]:
    return nginx(folder, SEED_NGINX, [Authority(folder, datetime.now(UTC)).issue(HOST, p256(), "leaf.pem")])


def _expired(folder: Path, _made: Anchored) -> AbstractContextManager[int]:
    made = Authority(folder, datetime.now(UTC) - timedelta(days=40))
    return nginx(folder, SEED_NGINX, [made.issue(HOST, p256(), "leaf.pem")])


def _old(key: str) -> Start:
    return lambda folder, made: vulnerable.HAS[key](folder, made.pki)


def _mail(key: str) -> Server:
    dialogue, start = mail.SERVERS[key]
    return Server(key.lower().replace(" ", "-"), lambda _, made: start(made.pki), dialogue, root=key in mail.ROOT_ONLY)


_STARTS: dict[str, Start] = {
    # Good servers, one for each program.
    "nginx": _nginx(SEED_NGINX, "ec", "rsa"),
    "apache": lambda folder, made: apache(folder, APACHE_SEED_LINES, [made["ec"], made["rsa"]]),
    "haproxy": lambda folder, made: haproxy(
        folder, f"ssl-min-ver TLSv1.2 ciphers {SEED_SUITES}", [made["ec"], made["rsa"]]
    ),
    "caddy": lambda folder, made: caddy(folder, made["ec"]),
    "lighttpd": lambda folder, made: lighttpd(folder, made["ec"]),
    # One thing changed in nginx.
    "only-1.2": _nginx(_modern((" TLSv1.3", "")), "rsa"),
    "only-1.3": _nginx(_modern(("TLSv1.2 ", ""))),
    "hsts-short": _nginx(_hsts("max-age=86400")),
    "hsts-zero": _nginx(_hsts("max-age=0")),
    "old-protocols": _nginx(
        _modern((SEED_SUITES, f"{SEED_SUITES}:ECDHE-RSA-AES128-SHA:@SECLEVEL=0")).replace(
            "TLSv1.2", "TLSv1 TLSv1.1 TLSv1.2"
        ),
        "rsa",
    ),
    "rsa-exchange": _nginx("ssl_protocols TLSv1.2; ssl_ciphers AES256-GCM-SHA384:AES128-SHA;", "rsa"),
    "no-aead": _nginx("ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA256;", "rsa"),
    "dh-1024": _nginx(
        f"ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers {SEED_SUITES}:DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0; "
        f"ssl_dhparam {DH_1024};",
        "rsa",
    ),
    "rsa-1024": _small_key,
    "rsa-4096": _nginx(SEED_NGINX, "rsa4096"),
    # Chains with faults.
    "other-name": _other_name,
    "unknown-authority": _unknown_authority,
    "expired": _expired,
    "sha1-signature": lambda folder, made: nginx(
        folder, _modern((SEED_SUITES, f"{SEED_SUITES}:@SECLEVEL=0")), [made.sha1]
    ),
    "headless": lambda folder, made: nginx(folder, SEED_NGINX, [made.headless]),
    # Faults that no good server has.
    "apache-everything": lambda folder, made: apache(
        folder, f"SSLProtocol all -SSLv3\nSSLCipherSuite {EVERYTHING}", [made["rsa"]]
    ),
    "openssl-everything": lambda folder, made: openssl_server(
        folder, made["rsa"], "-cipher", EVERYTHING, "-min_protocol", "TLSv1"
    ),
    "stunnel": lambda folder, made: stunnel(folder, made["rsa"]),
    "gnutls-rc4-3des": lambda folder, made: gnutls(
        folder, made["rsa"], "NORMAL:+VERS-ALL:+ARCFOUR-128:+3DES-CBC:+MD5:%VERIFY_ALLOW_BROKEN"
    ),
    **{
        f"has-{key.replace('_', '-')}": _old(key)
        for key in (
            *("heartbleed", "robot", "crime", "freak", "logjam", "drown", "poodle", "beast", "sweet32", "rc4"),
            "insecure_renegotiation",
        )
    },
}

SERVERS = {
    **{name: Server(name, start) for name, start in _STARTS.items()},  # type: ignore[arg-type]  # all get Anchored
    **{server.name: server for server in map(_mail, ("Postfix", "Dovecot IMAP"))},
}

NOT_HTTP = {"stunnel": "tls"}
"""Servers without HTTP and without a dialogue before TLS -> their protocol."""
