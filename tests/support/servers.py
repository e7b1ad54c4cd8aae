"""Configurations of real servers, as an operator would write them, and the tlslite-ng server for what OpenSSL lost."""

import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from exporter.demo.certificates import Authority
from tests.support.processes import find_program, free_port, running

HOST = "www.test.example"

SEED_SUITES = (
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
    "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256"
)
"""The checklist's SSLCipherSuite."""

APACHE_SEED_LINES = f"""
SSLHonorCipherOrder     on
SSLProtocol             all -SSLv2 -SSLv3 -TLSv1 -TLSv1.1
SSLCipherSuite          {SEED_SUITES}
SSLCompression          off
Header always set Strict-Transport-Security "max-age=31536000"
"""
"""The checklist's lines for Apache, as they stand there."""


@dataclass(frozen=True)
class Pki:
    """Certificates of one authority for `HOST`: PEM files that hold certificate and key."""

    bundle: Path
    ecdsa: Path
    rsa: Path


def make_pki(folder: Path) -> Pki:
    authority = Authority(folder, datetime.now(UTC))
    return Pki(
        bundle=authority.bundle,
        ecdsa=authority.issue(HOST, ec.generate_private_key(ec.SECP256R1()), "ec.pem"),
        rsa=authority.issue(HOST, rsa.generate_private_key(public_exponent=65537, key_size=2048), "rsa.pem"),
    )


@contextmanager
def nginx(folder: Path, directives: str, certificates: list[Path], *, host: str = "127.0.0.1") -> Iterator[int]:
    """Nginx with these directives in its one TLS server at this address; gives the port."""
    port = free_port()
    files = "".join(f"ssl_certificate {c}; ssl_certificate_key {c};\n" for c in certificates)
    config = folder / "nginx.conf"
    config.write_text(
        f"""daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen {host}:{port} ssl; server_name {HOST};
    {files}
    {directives}
    location / {{ return 200 "hello"; }}
  }}
}}
"""
    )
    command = [find_program("nginx"), "-p", str(folder), "-c", str(config), "-e", "stderr"]
    with running(command, folder / "nginx.log", port=port):
        yield port


def this_distribution() -> str:
    """Whose packages the servers here are, as a configuration says it: `debian 12`."""
    system = platform.freedesktop_os_release()
    return f"{system['ID']} {system['VERSION_ID']}"


SEED_NGINX = f"""
    ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on; ssl_ciphers {SEED_SUITES};
    add_header Strict-Transport-Security "max-age=31536000" always;
"""
WEAK_NGINX = """
    ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers off;
    ssl_ciphers ALL:COMPLEMENTOFALL:@SECLEVEL=0;
"""


@contextmanager
def apache(folder: Path, lines: str, certificates: list[Path]) -> Iterator[int]:
    """Apache httpd with these lines in its one TLS host; gives the port."""
    port = free_port()
    modules = "/usr/lib/apache2/modules"
    load = "".join(
        f"LoadModule {name}_module {modules}/mod_{name}.so\n"
        for name in ("mpm_event", "authz_core", "headers", "socache_shmcb", "ssl")
    )
    files = "".join(f"SSLCertificateFile {c}\nSSLCertificateKeyFile {c}\n" for c in certificates)
    (folder / "htdocs").mkdir()
    (folder / "htdocs" / "index.html").write_text("hello")
    config = folder / "apache.conf"
    config.write_text(
        f"""ServerRoot {folder}
ServerName {HOST}
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
DefaultRuntimeDir {folder}
User www-data
Group www-data
{load}
<VirtualHost 127.0.0.1:{port}>
DocumentRoot {folder}/htdocs
SSLEngine on
{files}
{lines}
</VirtualHost>
"""
    )
    command = [find_program("apache2"), "-f", str(config), "-DFOREGROUND"]
    with running(command, folder / "apache.log", port=port):
        yield port


@contextmanager
def haproxy(folder: Path, bind_options: str, certificates: list[Path], *, host: str = "127.0.0.1") -> Iterator[int]:
    """HAProxy that answers every request itself, with these options on its bind line; gives the port."""
    port = free_port()
    store = folder / "certs"
    store.mkdir()
    for certificate in certificates:
        kind = "ecdsa" if certificate.name.startswith("ec") else "rsa"
        (store / f"site.pem.{kind}").write_bytes(certificate.read_bytes())  # one bundle of two kinds
    config = folder / "haproxy.cfg"
    config.write_text(
        f"""global
  ssl-default-bind-options no-sslv3
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 5s
frontend test
  bind {host}:{port} ssl crt {store} {bind_options}
  http-request return status 200 content-type text/plain string hello hdr Strict-Transport-Security max-age=31536000
"""
    )
    with running([find_program("haproxy"), "-db", "-f", str(config)], folder / "haproxy.log", port=port):
        yield port


@contextmanager
def tlslite(folder: Path, certificate: Path, *settings: str) -> Iterator[int]:
    """A tlslite-ng server, for SSL 3, RC4 and 3DES, which no packaged OpenSSL has; `settings` are NAME=json."""
    port = free_port()
    script = Path(__file__).with_name("tlslite_server.py")
    command = [sys.executable, str(script), str(port), str(certificate), *settings]
    with running(command, folder / "tlslite.log", port=port):
        yield port


@contextmanager
def limiting_front(folder: Path, upstream: int, rule: str) -> Iterator[int]:
    """HAProxy before a TLS server, passing bytes on, with this rule on its connections; gives the port."""
    port = free_port()
    config = folder / "front.cfg"
    config.write_text(
        f"""defaults
  mode tcp
  timeout client 5s
  timeout server 5s
  timeout connect 5s
frontend limits
  bind 127.0.0.1:{port}
  stick-table type ip size 1k expire 60s store conn_cur,conn_rate(60s)
  tcp-request connection track-sc0 src
  {rule}
  default_backend server
backend server
  server only 127.0.0.1:{upstream}
"""
    )
    with running([find_program("haproxy"), "-db", "-f", str(config)], folder / "front.log"):
        give_up = time.monotonic() + 10
        while time.monotonic() < give_up and not _bound(port):
            time.sleep(0.02)
        yield port


def _bound(port: int) -> bool:
    """Whether somebody listens, without a connection that would count."""
    want = f"0100007F:{port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    return any(row[1] == want and row[3] == "0A" for row in rows)
