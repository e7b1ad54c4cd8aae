"""The servers that are scanned. Each runs on loopback with its own configuration."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from oracles import toolchains
from oracles.certificates import Certificates
from oracles.toolchains import GO, JAVA, NODE, OPENSSL, RUST, Toolchain
from tests.support import starttls_servers as mail
from tests.support.processes import free_port, running
from tests.support.servers import (
    APACHE_SEED_LINES,
    SEED_NGINX,
    SEED_SUITES,
    apache,
    haproxy,
    nginx,
    tlslite,
)
from tests.support.stacks import asyncio_server, bearssl, botan, caddy, gnutls, lighttpd, openssl_server, stunnel

Start = Callable[[Path, Certificates], AbstractContextManager[int]]

EVERYTHING = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
OLD_TO_1_2 = f"ssl_protocols TLSv1 TLSv1.1 TLSv1.2; ssl_ciphers {EVERYTHING};"
DH_1024, DH_2048 = (Path(__file__).with_name(f"dh{bits}.pem") for bits in (1024, 2048))
"""Primes that no other server uses, made by `openssl dhparam`."""

OPENSSL_CURVES = (
    "secp521r1:secp384r1:secp256r1:secp256k1:secp224r1:secp224k1:secp192r1:secp192k1:secp160r2:secp160r1:secp160k1:"
    "sect571r1:sect571k1:sect409r1:sect409k1:sect283r1:sect283k1:sect239k1:sect233r1:sect233k1:sect193r2:sect193r1:"
    "sect163r2:sect163r1:sect163k1:brainpoolP512r1:brainpoolP384r1:brainpoolP256r1:X25519:X448"
)
WOLFSSL_OLD = "ALL:RC4-SHA:RC4-MD5:DES-CBC3-SHA:ECDHE-RSA-DES-CBC3-SHA:ECDHE-RSA-RC4-SHA"
"""All suites of wolfSSL, from its own list. Debian's build supports TLS 1.1 and newer."""
POST_QUANTUM = (
    "MLKEM512:MLKEM768:MLKEM1024:X25519MLKEM768:SecP256r1MLKEM768:SecP384r1MLKEM1024:X25519:secp256r1:secp384r1"
)


@dataclass(frozen=True, slots=True)
class Server:
    """One server.

    Attributes:
        name: its name in `--servers` and the explanations.
        starttls: the dialogue before TLS, if there is one.
        start: context manager that runs it and yields its port.
        root: whether it can only run as root.
        toolchain: needed to build or run it. None for a Debian package that the tests also need.
    """

    name: str
    start: Start
    starttls: str | None = None
    root: bool = False
    toolchain: Toolchain | None = None

    @property
    def missing(self) -> str | None:
        """Why it cannot be used; None if it can. Builds it if necessary."""
        if self.root and not mail.ROOT:
            return "runs as root only"
        return toolchains.unavailable(self.toolchain) if self.toolchain else None


def _nginx(name: str, directives: str, *kinds: str) -> Server:
    return Server(name, lambda folder, made: nginx(folder, directives, [made[kind] for kind in kinds]))


def _apache(name: str, lines: str, *kinds: str) -> Server:
    return Server(name, lambda folder, made: apache(folder, lines, [made[kind] for kind in kinds]))


def _haproxy(name: str, options: str, *kinds: str) -> Server:
    return Server(name, lambda folder, made: haproxy(folder, options, [made[kind] for kind in kinds]))


def _gnutls(name: str, priority: str, *options: str, kind: str = "ec") -> Server:
    return Server(name, lambda folder, made: gnutls(folder, made[kind], priority, *options))


def _openssl(name: str, *options: str, kind: str = "rsa") -> Server:
    return Server(name, lambda folder, made: openssl_server(folder, made[kind], *options))


def _tlslite(name: str, *settings: str) -> Server:
    return Server(name, lambda folder, made: tlslite(folder, made["rsa"], *settings))


def _mail(name: str, key: str) -> Server:
    dialogue, start = mail.SERVERS[key]
    return Server(name, lambda _, made: start(made.pki), dialogue, root=key in mail.ROOT_ONLY)


def _lighttpd(name: str, module: str, kind: str, **settings: str) -> Server:
    """A lighttpd with these settings of `ssl-conf-cmd`. Each TLS module interprets them in its own way.

    By default, lighttpd of Debian 13 only has TLS 1.3. That of Debian 12 also has TLS 1.2.
    """
    pairs = ", ".join(f'"{key}" => "{value}"' for key, value in ({"MinProtocol": "TLSv1.2"} | settings).items())
    lines = f"ssl.openssl.ssl-conf-cmd = ({pairs})"
    return Server(name, lambda folder, made: lighttpd(folder, made[kind], module, lines))


@contextmanager
def _run(folder: Path, command: Callable[[int], Sequence[object]], **environment: str) -> Iterator[int]:
    """Run the command for a free port; yields the port."""
    port = free_port()
    with running([*map(str, command(port))], folder / "server.log", port=port, environment=environment):
        yield port


def _go(name: str, *flags: str, kind: str = "ec", debug: str = "") -> Server:
    """`debug` is GODEBUG, which enables features that Go has disabled by default."""

    def start(folder: Path, made: Certificates) -> AbstractContextManager[int]:
        return _run(folder, lambda port: (toolchains.GO_SERVER, *flags, port, made[kind]), GODEBUG=debug)

    return Server(name, start, toolchain=GO)


def _jsse(name: str, *options: str, kind: str = "ec") -> Server:
    def start(folder: Path, made: Certificates) -> AbstractContextManager[int]:
        return _run(folder, lambda port: ("java", toolchains.JSSE_SERVER, port, made[kind], *options))

    return Server(name, start, toolchain=JAVA)


def _node(name: str, kind: str = "ec", **options: object) -> Server:
    def start(folder: Path, made: Certificates) -> AbstractContextManager[int]:
        return _run(folder, lambda port: ("node", toolchains.NODE_SERVER, port, made[kind], json.dumps(options)))

    return Server(name, start, toolchain=NODE)


def _rust(name: str, program: Path, option: str, kind: str = "ec") -> Server:
    def start(folder: Path, made: Certificates) -> AbstractContextManager[int]:
        return _run(folder, lambda port: (program, port, made[kind], option))

    return Server(name, start, toolchain=RUST)


def _new_openssl(name: str, *options: str, kind: str = "rsa", second: str = "") -> Server:
    """A server of OpenSSL 3.5 or newer."""

    def start(folder: Path, made: Certificates) -> AbstractContextManager[int]:
        files = ("-cert", made[kind], "-key", made[kind])
        others = ("-dcert", made[second], "-dkey", made[second]) if second else ()
        program = (toolchains.NEW_OPENSSL, "s_server", "-www", "-quiet")
        return _run(folder, lambda port: (*program, "-accept", f"127.0.0.1:{port}", *files, *others, *options))

    return Server(name, start, toolchain=OPENSSL)


def _nginx_client_certificate(folder: Path, made: Certificates) -> AbstractContextManager[int]:
    return nginx(folder, f"{SEED_NGINX} ssl_verify_client on; ssl_client_certificate {made.bundle};", [made["ec"]])


def _nginx_stapling(folder: Path, made: Certificates) -> AbstractContextManager[int]:
    return nginx(folder, f"{SEED_NGINX} ssl_stapling on; ssl_stapling_file {made.staple('ec')};", [made["ec"]])


def _openssl_two_keys(folder: Path, made: Certificates) -> AbstractContextManager[int]:
    second = ("-dcert", str(made["dsa"]), "-dkey", str(made["dsa"]))
    return openssl_server(folder, made["rsa"], "-cipher", EVERYTHING, "-dhparam", str(DH_2048), *second)


SERVERS: Sequence[Server] = (
    # nginx: the most common use of OpenSSL.
    _nginx("nginx-checklist", SEED_NGINX, "ec", "rsa"),
    _nginx("nginx-client-order", SEED_NGINX.replace("ciphers on", "ciphers off"), "ec", "rsa"),
    _nginx("nginx-weak", f"{OLD_TO_1_2} ssl_dhparam {DH_2048};", "ec", "rsa"),
    _nginx("nginx-weak-rsa", f"{OLD_TO_1_2} ssl_prefer_server_ciphers on; ssl_dhparam {DH_1024};", "rsa"),
    _nginx("nginx-chacha", f"{SEED_NGINX} ssl_conf_command Options PrioritizeChaCha;", "ec"),
    _nginx("nginx-1.3-only", "ssl_protocols TLSv1.3; ssl_session_tickets off;", "ec"),
    _nginx(
        "nginx-1.2-rsa-kx",
        "ssl_protocols TLSv1.2; ssl_ciphers AES256-GCM-SHA384:AES128-SHA; ssl_session_tickets off;",
        "rsa",
    ),
    _nginx("nginx-p384", "ssl_protocols TLSv1.2 TLSv1.3; ssl_ecdh_curve secp384r1;", "ec384"),
    _nginx("nginx-rsa4096", "ssl_protocols TLSv1.1 TLSv1.2; ssl_ciphers HIGH:@SECLEVEL=0;", "rsa4096"),
    _nginx("nginx-ed25519", "ssl_protocols TLSv1.2 TLSv1.3;", "ed25519"),
    _nginx("nginx-ffdhe", "ssl_protocols TLSv1.2 TLSv1.3; ssl_ecdh_curve ffdhe3072:ffdhe2048:X448;", "ec", "rsa"),
    Server("nginx-client-certificate", _nginx_client_certificate),
    Server("nginx-stapling", _nginx_stapling),
    # Apache and HAProxy: two more ways to use OpenSSL.
    _apache("apache-checklist", APACHE_SEED_LINES, "ec", "rsa"),
    _apache("apache-old", f"SSLProtocol all -SSLv3\nSSLCipherSuite {EVERYTHING}", "rsa"),
    _haproxy("haproxy-checklist", f"ssl-min-ver TLSv1.2 ciphers {SEED_SUITES}", "ec", "rsa"),
    _haproxy("haproxy-strict-sni", "strict-sni alpn h2,http/1.1 no-tls-tickets", "rsa"),
    _haproxy(
        "haproxy-old", f"ssl-min-ver TLSv1.0 ciphers {EVERYTHING} curves P-256 prefer-client-ciphers", "ec", "rsa"
    ),
    # Other programs that use OpenSSL.
    _lighttpd("lighttpd", "openssl", "ec"),
    Server("stunnel", lambda folder, made: stunnel(folder, made["rsa"])),
    Server(
        "stunnel-old",
        lambda folder, made: stunnel(
            folder, made["rsa"], f"sslVersionMin = TLSv1\nciphers = {EVERYTHING}\nsecurityLevel = 0\ncurves = P-521"
        ),
    ),
    Server("asyncio", lambda folder, made: asyncio_server(folder, made["ec"])),
    _openssl("openssl-everything", "-cipher", EVERYTHING, "-min_protocol", "TLSv1", "-dhparam", str(DH_2048)),
    Server("openssl-dsa", _openssl_two_keys),
    _openssl("openssl-curves", "-groups", OPENSSL_CURVES, "-cipher", EVERYTHING, "-max_protocol", "TLSv1.2", kind="ec"),
    _openssl("openssl-no-extras", "-no_etm", "-no_ticket", "-serverpref", "-tls1_2", "-alpn", "http/1.1,h2"),
    Server(
        "openssl-psk",
        lambda folder, _: openssl_server(folder, None, "-psk", "00112233", "-cipher", "PSK", "-tls1_2"),
    ),
    # GnuTLS.
    _gnutls("gnutls", "NORMAL", "tickets", "alpn=h2,http/1.1"),
    _gnutls(
        "gnutls-old",
        "NORMAL:+VERS-ALL:+ARCFOUR-128:+3DES-CBC:+MD5:+CAMELLIA-128-CBC:+CAMELLIA-256-GCM:%VERIFY_ALLOW_BROKEN",
        "heartbeat",
        kind="rsa",
    ),
    _gnutls(
        "gnutls-server-order", "NORMAL:-VERS-ALL:+VERS-TLS1.2:%SERVER_PRECEDENCE:%NO_ETM:%NO_SESSION_HASH", kind="rsa"
    ),
    _gnutls("gnutls-ffdhe", "NORMAL:-GROUP-ALL:+GROUP-FFDHE2048:+GROUP-FFDHE4096", kind="rsa"),
    _gnutls("gnutls-x448", "NORMAL:-GROUP-ALL:+GROUP-X448:+GROUP-SECP521R1"),
    _gnutls("gnutls-anonymous", "NORMAL:+ANON-ECDH:+ANON-DH:-VERS-TLS1.3", "anonymous", kind="rsa"),
    _lighttpd("lighttpd-gnutls", "gnutls", "ec"),
    # Other stacks in Debian.
    _lighttpd("wolfssl", "wolfssl", "ec"),
    _lighttpd("wolfssl-old", "wolfssl", "rsa", MinProtocol="TLSv1.1", CipherString=WOLFSSL_OLD),
    _lighttpd("mbedtls", "mbedtls", "rsa"),
    _lighttpd("mbedtls-old", "mbedtls", "ec", MinProtocol="TLSv1.0", CipherString="DEFAULT"),
    _lighttpd("nss", "nss", "ec"),
    _lighttpd("nss-old", "nss", "rsa", MinProtocol="TLSv1.0", CipherString="ALL"),
    Server("bearssl", lambda folder, made: bearssl(folder, made["ec"])),
    Server("bearssl-rsa", lambda folder, made: bearssl(folder, made["rsa"])),
    Server("botan", lambda folder, made: botan(folder, made["rsa"])),
    # tlslite-ng: features that no packaged OpenSSL has.
    _tlslite(
        "tlslite-old",
        "minVersion=[3,0]",
        "maxVersion=[3,3]",
        'cipherNames=["aes256","aes128","3des","rc4"]',
        'macNames=["sha","sha256","sha384","aead","md5"]',
    ),
    _tlslite("tlslite"),
    # Go.
    Server("caddy", lambda folder, made: caddy(folder, made["ec"])),
    _go("go"),
    _go("go-rsa-kx", "-min=1.0", kind="rsa", debug="tlsrsakex=1,tls3des=1"),
    _go("go-everything", "-min=1.0", "-suites=all", kind="rsa"),
    # Stacks of languages.
    _jsse("jsse", kind="rsa"),
    _jsse("jsse-client-order", "client-order"),
    _jsse("jsse-old", "old", kind="rsa"),
    _node("node"),
    _node("node-old", "rsa", minVersion="TLSv1", ciphers=EVERYTHING),
    _rust("rustls-ring", toolchains.RUSTLS_SERVER, "ring"),
    _rust("rustls-aws-lc", toolchains.RUSTLS_SERVER, "aws-lc", kind="rsa"),
    _rust("s2n", toolchains.S2N_SERVER, "default"),
    _rust("s2n-old", toolchains.S2N_SERVER, "test_all", kind="rsa"),
    # OpenSSL with post-quantum algorithms.
    _new_openssl("openssl-pq", "-groups", POST_QUANTUM, "-serverpref", second="mldsa65"),
    _new_openssl("openssl-mldsa", kind="mldsa65"),
    _new_openssl("openssl-new-old", "-cipher", EVERYTHING, "-min_protocol", "SSLv3", "-dhparam", str(DH_2048)),
    # With STARTTLS.
    _mail("postfix", "Postfix"),
    _mail("exim", "Exim"),
    _mail("dovecot-imap", "Dovecot IMAP"),
    _mail("dovecot-pop3", "Dovecot POP3"),
    _mail("postgresql", "PostgreSQL"),
    _mail("openldap", "OpenLDAP"),
    _mail("vsftpd", "vsftpd"),
    _mail("mariadb", "MariaDB"),
)
BY_NAME = {server.name: server for server in SERVERS}
