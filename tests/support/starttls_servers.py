"""Real servers that lead to TLS by a dialogue, each with the smallest configuration that does; they hold no data.

Some of them drop root for a user of their own, who cannot see pytest's folders: each runs in a folder that all may see.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import run

from tests.support.processes import find_program, free_port, running
from tests.support.servers import HOST, Pki

ROOT = os.geteuid() == 0
UNPACKED = Path(__file__).parents[2] / ".venv" / "debian"
"""Where tools/setup unpacks what cannot be installed beside the rest."""


@dataclass(frozen=True)
class Place:
    """Where one server lives; `pem` holds certificate and key, readable for its user alone."""

    folder: Path
    pem: Path

    def write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.write_text(text)
        return file

    def make(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(parents=True)
        return folder


@contextmanager
def _place(certificate: Path, user: str | None = None) -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="tls-posture-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        pem = folder / "server.pem"
        pem.touch(0o600)
        pem.write_bytes(certificate.read_bytes())
        if ROOT and user is not None:
            shutil.chown(folder, user, user)
            shutil.chown(pem, user, user)
        yield Place(folder, pem)


@contextmanager
def postfix(pki: Pki, more: str = "") -> Iterator[int]:
    """Postfix, with more lines of main.cf if there are any; its master runs as root only."""
    port = free_port()
    with _place(pki.ecdsa) as place:
        queue, data = place.make("queue"), place.make("data")
        shutil.chown(data, "postfix")
        for name in ("active", "bounce", "defer", "deferred", "flush", "hold", "incoming", "private", "public"):
            shutil.chown(place.make(f"queue/{name}"), "postfix")
        (queue / "pid").mkdir()
        config = place.make("config")
        place.write(
            "config/main.cf",
            f"""compatibility_level = 3.6
myhostname = {HOST}
queue_directory = {queue}
data_directory = {data}
daemon_directory = /usr/lib/postfix/sbin
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
maillog_file = {place.folder}/mail.log
maillog_file_prefixes = {place.folder}
smtpd_tls_security_level = may
smtpd_tls_eccert_file = {place.pem}
smtpd_tls_eckey_file = {place.pem}
{more}
""",
        )
        place.write(
            "config/master.cf",
            f"""127.0.0.1:{port} inet n - n - - smtpd
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
proxymap unix - - n - - proxymap
rewrite unix - - n - - trivial-rewrite
tlsmgr unix - - n 1000? 1 tlsmgr
""",
        )
        command = ["/usr/lib/postfix/sbin/master", "-d", "-c", str(config)]
        with running(command, place.folder / "log", port=port):
            yield port


@contextmanager
def exim(pki: Pki, more: str = "") -> Iterator[int]:
    """Exim, by GnuTLS, with more main options if there are any.

    It conflicts with Postfix, so its package is only unpacked, and its user feigned.
    """
    port = free_port()
    program = UNPACKED / "usr/sbin/exim4"
    assert program.exists(), "Exim is not unpacked; `make setup` does it"
    with _place(pki.rsa, "mail") as place:
        owner = place.folder.stat()
        user_line = f"Debian-exim:x:{owner.st_uid}:{owner.st_gid}::/nonexistent:/bin/false\n"
        users = place.write("passwd", Path("/etc/passwd").read_text() + user_line)
        groups = place.write("group", Path("/etc/group").read_text() + f"Debian-exim:x:{owner.st_gid}:\n")
        feigned = {
            "LD_PRELOAD": "libnss_wrapper.so",
            "NSS_WRAPPER_PASSWD": str(users),
            "NSS_WRAPPER_GROUP": str(groups),
        }
        config = place.write(
            "exim.conf",
            f"""primary_hostname = {HOST}
spool_directory = {place.folder}/spool
log_file_path = {place.folder}/%slog
pid_file_path = {place.folder}/pid
tls_advertise_hosts = *
tls_certificate = {place.pem}
tls_privatekey = {place.pem}
host_lookup =
helo_lookup_domains =
smtp_accept_max = 0
{more}
begin acl
begin routers
begin transports
begin retry
begin rewrite
begin authenticators
""",
        )
        command = [str(program), "-C", str(config), "-bdf", "-oX", f"127.0.0.1.{port}"]
        with running(command, place.folder / "log", port=port, environment=feigned):
            yield port


DOVECOT_SERVICES = {
    "imap": ("imap-login", "imap"),
    "pop3": ("pop3-login", "pop3"),
    "sieve": ("managesieve-login", "sieve"),
    "lmtp": ("lmtp", "lmtp"),
}


def dovecot_version() -> tuple[int, ...]:
    """The installed Dovecot's, of which 2.4 has another syntax than its predecessors."""
    said = run([find_program("dovecot"), "--version"], check=True, capture_output=True, text=True).stdout
    return tuple(int(part) for part in said.partition("-")[0].partition(" ")[0].strip().split("."))


def dovecot_basics(pem: Path) -> str:
    """What a configuration begins with: the version that it is written for, and TLS with this certificate and key."""
    version = dovecot_version()
    if version < (2, 4):
        return f"ssl = yes\nssl_cert = <{pem}\nssl_key = <{pem}\n"
    written = ".".join(str(part) for part in version)
    return f"""dovecot_config_version = {written}
dovecot_storage_version = {written}
ssl = yes
ssl_server_cert_file = {pem}
ssl_server_key_file = {pem}
"""


@contextmanager
def dovecot(pki: Pki, dialogue: str) -> Iterator[int]:
    """Dovecot with one of its services."""
    port = free_port()
    service, listener = DOVECOT_SERVICES[dialogue]
    with _place(pki.ecdsa) as place:
        user = "dovecot" if ROOT else _user()
        without_tls_port = f"inet_listener {dialogue}s {{\n port = 0\n }}" if dialogue in {"imap", "pop3"} else ""
        old = dovecot_version() < (2, 4)
        mail = f"maildir:{place.folder}/mail" if old else f"{place.folder}/mail"
        config = place.write(
            "dovecot.conf",
            f"""{dovecot_basics(place.pem)}
base_dir = {place.folder}/run
state_dir = {place.folder}/state
log_path = {place.folder}/dovecot.log
protocols = {dialogue}
listen = 127.0.0.1
default_internal_user = {user}
default_internal_group = {user if ROOT else _group()}
default_login_user = {"dovenull" if ROOT else user}
{"mail_location" if old else "mail_path"} = {mail}
passdb {"" if old else "static"} {{
  {"driver = static" if old else ""}
}}
service anvil {{
  chroot =
}}
service {service} {{
  chroot =
  {f"user = {user}" if dialogue == "lmtp" and not ROOT else ""}
  inet_listener {listener} {{
    port = {port}
  }}
  {without_tls_port}
}}
""",
        )
        with running([find_program("dovecot"), "-F", "-c", str(config)], place.folder / "log", port=port):
            yield port


def _user() -> str:
    return run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()


def _group() -> str:
    return run(["id", "-gn"], check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def vsftpd(pki: Pki) -> Iterator[int]:
    """vsftpd, without its sandbox, which needs rights that containers lack."""
    port = free_port()
    with _place(pki.rsa) as place:
        place.make("empty").chmod(0o555)
        config = place.write(
            "vsftpd.conf",
            f"""listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
run_as_launching_user=YES
secure_chroot_dir={place.folder}/empty
anonymous_enable=NO
local_enable=YES
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
xferlog_enable=NO
ssl_enable=YES
rsa_cert_file={place.pem}
rsa_private_key_file={place.pem}
""",
        )
        with running([find_program("vsftpd"), str(config)], place.folder / "log", port=port):
            yield port


def slapd_has_gnutls() -> bool:
    """Whether OpenLDAP is built with GnuTLS; else it is with OpenSSL."""
    return "libgnutls" in run(["ldd", find_program("slapd")], check=True, capture_output=True, text=True).stdout


@contextmanager
def slapd(pki: Pki) -> Iterator[int]:
    """OpenLDAP, by GnuTLS or by OpenSSL."""
    port = free_port()
    with _place(pki.ecdsa) as place:
        config = place.write(
            "slapd.conf",
            f"""pidfile {place.folder}/pid
TLSCertificateFile {place.pem}
TLSCertificateKeyFile {place.pem}
database config
""",
        )
        command = [find_program("slapd"), "-h", f"ldap://127.0.0.1:{port}", "-f", str(config), "-d", "0"]
        with running(command, place.folder / "log", port=port):
            yield port


@contextmanager
def prosody(pki: Pki, kind: str) -> Iterator[int]:
    """Prosody with its port for clients (`c2s`) or the one for servers (`s2s`)."""
    port = free_port()
    with _place(pki.ecdsa) as place:
        config = place.write(
            "prosody.cfg.lua",
            f"""run_as_root = true
data_path = "{place.make("data")}"
pidfile = "{place.folder}/pid"
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port if kind == "c2s" else ""} }}
s2s_ports = {{ {port if kind == "s2s" else ""} }}
modules_enabled = {{ "tls", "saslauth" }}
modules_disabled = {{ {'"s2s"' if kind == "c2s" else '"c2s"'} }}
log = {{ info = "*console" }}
VirtualHost "{HOST}"
  ssl = {{ certificate = "{place.pem}", key = "{place.pem}" }}
""",
        )
        with running([find_program("prosody"), "-F", "--config", str(config)], place.folder / "log", port=port):
            yield port


@contextmanager
def inspircd(pki: Pki) -> Iterator[int]:
    """InspIRCd, by GnuTLS."""
    port = free_port()
    with _place(pki.ecdsa) as place:
        config = place.write(
            "inspircd.conf",
            f"""<server name="{HOST}" description="test" network="test" id="1AA">
<admin name="test" nick="test" email="test@{HOST}">
<bind address="127.0.0.1" port="{port}" type="clients">
<connect allow="*" timeout="60" localmax="1000" globalmax="1000" resolvehostnames="no">
<pid file="{place.folder}/pid">
<path datadir="{place.folder}" logdir="{place.folder}">
<module name="ssl_gnutls">
<module name="starttls">
<sslprofile name="test" provider="gnutls" certfile="{place.pem}" keyfile="{place.pem}" requestclientcert="no">
""",
        )
        root = ["--runasroot"] if ROOT else []
        no_core = ["prlimit", "--core=0"]  # it crashes when it is told to end
        command = [*no_core, find_program("inspircd"), "--nofork", *root, f"--config={config}"]
        with running(command, place.folder / "log", port=port):
            yield port


@contextmanager
def postgres(pki: Pki) -> Iterator[int]:
    """PostgreSQL, of whichever version; it does not run as root."""
    port = free_port()
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    assert programs, "PostgreSQL is not installed; `make setup` installs what the tests need"
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if ROOT else []
    with _place(pki.ecdsa, "postgres") as place:
        data = place.folder / "data"
        initdb = [str(programs[-1] / "initdb"), "-D", str(data), "-A", "reject", "--no-sync", "--no-locale"]
        run([*as_user, *initdb], check=True, capture_output=True, cwd=place.folder)
        settings = {
            "ssl": "on",
            "ssl_cert_file": place.pem,
            "ssl_key_file": place.pem,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": place.folder,
            "fsync": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [*as_user, str(programs[-1] / "postgres"), "-D", str(data), "-p", str(port), *options]
        with running(command, place.folder / "log", port=port):
            yield port


@contextmanager
def mariadb(pki: Pki) -> Iterator[int]:
    """MariaDB, without tables of its own."""
    port = free_port()
    with _place(pki.rsa) as place:
        command = [
            find_program("mariadbd"),
            "--no-defaults",
            *(["--user=root"] if ROOT else []),
            f"--datadir={place.make('data')}",
            f"--socket={place.folder}/socket",
            f"--pid-file={place.folder}/pid",
            "--skip-grant-tables",
            "--skip-innodb",
            "--default-storage-engine=Aria",
            "--bind-address=127.0.0.1",
            f"--port={port}",
            f"--ssl-cert={place.pem}",
            f"--ssl-key={place.pem}",
        ]
        with running(command, place.folder / "log", port=port):
            yield port


@contextmanager
def xrdp(pki: Pki) -> Iterator[int]:
    """The listener of xrdp."""
    port = free_port()
    with _place(pki.rsa) as place:
        config = place.write(
            "xrdp.ini",
            f"""[Globals]
ini_version=1
fork=true
port=tcp://127.0.0.1:{port}
security_layer=negotiate
certificate={place.pem}
key_file={place.pem}
ssl_protocols=TLSv1.2, TLSv1.3
[Logging]
LogFile={place.folder}/xrdp.log
LogLevel=INFO
EnableSyslog=false
[Xvnc]
name=Xvnc
""",
        )
        command = [find_program("xrdp"), "--nodaemon", "--config", str(config)]
        with running(command, place.folder / "log", port=port):
            yield port


SERVERS: dict[str, tuple[str, Callable[[Pki], AbstractContextManager[int]]]] = {
    "Postfix": ("smtp", postfix),
    "Exim": ("smtp", exim),
    "Dovecot LMTP": ("lmtp", lambda pki: dovecot(pki, "lmtp")),
    "Dovecot IMAP": ("imap", lambda pki: dovecot(pki, "imap")),
    "Dovecot POP3": ("pop3", lambda pki: dovecot(pki, "pop3")),
    "Dovecot ManageSieve": ("sieve", lambda pki: dovecot(pki, "sieve")),
    "vsftpd": ("ftp", vsftpd),
    "OpenLDAP": ("ldap", slapd),
    "Prosody for clients": ("xmpp", lambda pki: prosody(pki, "c2s")),
    "Prosody for servers": ("xmpp-server", lambda pki: prosody(pki, "s2s")),
    "InspIRCd": ("irc", inspircd),
    "PostgreSQL": ("postgres", postgres),
    "MariaDB": ("mysql", mariadb),
    "xrdp": ("rdp", xrdp),
}
"""Name -> the dialogue, and the server."""

ROOT_ONLY = frozenset({"Postfix"})
