"""Configurations of real servers, with the lines of a remedy at the place that its note names."""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from exporter.remedies.servers import Server
from tests.support.processes import find_program, free_port, running
from tests.support.servers import HOST
from tests.support.starttls_servers import dovecot_basics

MODULES = "/usr/lib/apache2/modules"


def split(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """The lines of a block next to the server with TLS, and the others."""
    begin = next((at for at, line in enumerate(lines) if line.startswith(("server {", "<VirtualHost"))), len(lines))
    end = next((at for at, line in enumerate(lines) if line in {"}", "</VirtualHost>"}), begin - 1) + 1
    return list(lines[begin:end]), [*lines[:begin], *lines[end:]]


def nginx(folder: Path, lines: Sequence[str], pem: Path, port: int) -> list[str]:
    beside, inside = ("\n".join(part) for part in split(lines))
    config = folder / "nginx.conf"
    config.write_text(
        f"""daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} ssl; server_name {HOST}; ssl_certificate {pem}; ssl_certificate_key {pem};
    {inside}
    location = / {{ return 200 "hello"; }}
  }}
  {beside}
}}
"""
    )
    return [find_program("nginx"), "-p", str(folder), "-c", str(config), "-e", "stderr"]


def apache(folder: Path, lines: Sequence[str], pem: Path, port: int) -> list[str]:
    beside, inside = ("\n".join(part) for part in split(lines))
    names = ("mpm_event", "alias", "authz_core", "headers", "socache_shmcb", "ssl")
    load = "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in names)
    config = folder / "apache.conf"
    (folder / "htdocs").mkdir(exist_ok=True)
    (folder / "htdocs" / "index.html").write_text("hello")
    listens = f"Listen {beside.split(':')[1].split('>')[0]}" if beside else ""
    config.write_text(
        f"""ServerRoot {folder}
ServerName {HOST}
Listen 127.0.0.1:{port}
{listens}
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
DefaultRuntimeDir {folder}
User www-data
Group www-data
{load}
SSLStaplingCache shmcb:{folder}/stapling(32768)
<VirtualHost 127.0.0.1:{port}>
DocumentRoot {folder}/htdocs
SSLEngine on
SSLCertificateFile {pem}
SSLCertificateKeyFile {pem}
{inside}
</VirtualHost>
{beside}
"""
    )
    return [find_program("apache2"), "-f", str(config)]


def haproxy(folder: Path, lines: Sequence[str], pem: Path, port: int) -> list[str]:
    of_global = [line for line in lines if line.startswith("ssl-")]
    of_frontend = [line for line in lines if line not in of_global]
    config = folder / "haproxy.cfg"
    text = "\n  ".join(
        [
            "global",
            *of_global,
            "\ndefaults",
            "mode http",
            *(f"timeout {which} 5s" for which in ("client", "server", "connect")),
            "\nfrontend test",
            f"bind 127.0.0.1:{port} ssl crt {pem}",
            *of_frontend,
            'http-request return status 200 content-type text/plain string "hello" if { path / }',
            "http-request deny deny_status 404",
        ]
    )
    config.write_text(f"{text}\n")
    return [find_program("haproxy"), "-f", str(config)]


def postfix(folder: Path, lines: Sequence[str], _pem: Path, _port: int) -> list[str]:
    (folder / "main.cf").write_text(
        f"compatibility_level = 3.6\nmyhostname = {HOST}\n" + "".join(f"{line}\n" for line in lines)
    )
    (folder / "master.cf").write_text("")
    os.utime(folder / "main.cf", (0, 0))  # one that is just being written it waits for
    return [find_program("postconf"), "-c", str(folder), *(line.partition(" = ")[0] for line in lines)]


def dovecot(folder: Path, lines: Sequence[str], pem: Path, _port: int) -> list[str]:
    config = folder / "dovecot.conf"
    config.write_text(dovecot_basics(pem) + "".join(f"{line}\n" for line in lines))
    return [find_program("doveconf"), "-c", str(config), "-n"]


def openssl(folder: Path, lines: Sequence[str], _pem: Path, _port: int) -> list[str]:
    config = folder / "openssl.cnf"
    config.write_text(
        "openssl_conf = all\nconfig_diagnostics = 1\n[all]\nssl_conf = programs\n[programs]\nsystem_default = every\n"
        "[every]\n" + "".join(f"{line}\n" for line in lines)
    )
    return ["/usr/bin/env", f"OPENSSL_CONF={config}", find_program("openssl"), "ciphers", "-s"]


Layout = Callable[[Path, Sequence[str], Path, int], list[str]]
LAYOUTS: dict[Server, tuple[Layout, list[str]]] = {
    Server.NGINX: (nginx, ["-t"]),
    Server.APACHE: (apache, ["-t"]),
    Server.HAPROXY: (haproxy, ["-c"]),
    Server.POSTFIX: (postfix, []),
    Server.DOVECOT: (dovecot, []),
    Server.DOVECOT_2_4: (dovecot, []),
    Server.ANY: (openssl, []),
}
"""How the lines of each server are laid out, and what asks it whether it would take them."""


def complaints(server: Server, pem: Path, folder: Path, lines: Sequence[str]) -> str:
    """What the server says against these lines; nothing when it takes them."""
    folder.mkdir()
    layout, check = LAYOUTS[server]
    # nginx binds the ports, which is for root alone below 1024.
    lines = [line.replace("listen 80;", f"listen {free_port()};") for line in lines]
    command = [*layout(folder, lines, pem, free_port()), *check]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    said = [line for line in done.stderr.splitlines() if any(word in line for word in ("warn", "WARNING", "ALERT"))]
    of_lines = [line for line in said if "issuer certificate not found" not in line]  # it is of the certificate
    return done.stderr if done.returncode else "\n".join(of_lines)


@contextmanager
def serving(server: Server, folder: Path, lines: Sequence[str], pem: Path, port: int) -> Iterator[None]:
    """The server with these lines, with TLS at this port."""
    folder.mkdir()
    layout, _ = LAYOUTS[server]
    foreground = {Server.APACHE: ["-DFOREGROUND"], Server.HAPROXY: ["-db"]}.get(server, [])
    with running([*layout(folder, lines, pem, port), *foreground], folder / "log", port=port):
        yield
