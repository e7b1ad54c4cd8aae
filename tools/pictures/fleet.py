"""A fleet for pictures: real servers with different postures on loopback."""

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from tests.support.certificates import Issued, dns, issue, p256, pem_file, rsa_key
from tests.support.processes import find_program, free_port, running
from tests.support.servers import SEED_NGINX, WEAK_NGINX, Pki, this_distribution, tlslite
from tests.support.stacks import caddy
from tests.support.starttls_servers import dovecot, slapd
from tests.support.vulnerable import TLS, old_openssl

DOMAIN = "demo.example"

TLS_1_2_AND_UP = "minVersion=[3,3]"
"""Settings for tlslite-ng, which supports key exchange with ML-KEM."""
WITH_CAA = ("shop", "www", "api", "intranet", "reports", "wiki", "mail")
KNOWN = ("shop", "www", "intranet", "reports")
"""Servers for which the configuration names the distribution of their packages."""
NO_HSTS_NGINX = SEED_NGINX.partition("add_header")[0]


# --- Certificates ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Authority:
    """The certificate authority of the fleet, in a folder."""

    folder: Path
    root: Issued
    now: datetime

    @classmethod
    def create(cls, folder: Path) -> "Authority":
        """A new authority, with its certificate in `ca.pem`."""
        now = datetime.now(UTC)
        root = issue("Demo authority", ca=True, valid=(now - timedelta(days=900), now + timedelta(days=900)))
        pem_file(folder / "ca.pem", root)
        return cls(folder, root, now)

    def leaf(self, name: str, *, age_days: int = 20, lifetime_days: int = 90, rsa: bool = False) -> Path:
        """PEM file with certificate and key for the host of this name."""
        host = f"{name}.{DOMAIN}"
        begin = self.now - timedelta(days=age_days)
        valid = (begin, begin + timedelta(days=lifetime_days))
        key = rsa_key(2048) if rsa else p256()
        leaf = issue(host, self.root, names=dns(host), valid=valid, key=key)
        return pem_file(self.folder / f"{host}-{'rsa' if rsa else 'ec'}.pem", leaf, key=leaf)


# --- Web servers, all of them in one nginx ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Site:
    """A virtual server of nginx.

    Attributes:
        address: where it listens.
    """

    host: str
    port: int
    directives: str
    certificates: Sequence[Path]
    address: str = "127.0.0.1"

    def block(self) -> str:
        """Its part of the configuration."""
        files = " ".join(f"ssl_certificate {file}; ssl_certificate_key {file};" for file in self.certificates)
        return (
            f"server {{ listen {self.address}:{self.port} ssl; server_name {self.host}; {files} {self.directives} "
            'location / { return 200 "hello"; } }'
        )


def nginx_config(folder: Path, sites: Sequence[Site]) -> str:
    """The configuration of an nginx with these sites; nginx reloads it on SIGHUP."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    blocks = "\n".join(site.block() for site in sites)
    return (
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr;\n"
        f"events {{}}\nhttp {{ access_log off; {places}\n{blocks}\n}}\n"
    )


# --- The fleet -------------------------------------------------------------------------------------------------------


def caa_answers(hosts: Sequence[str]) -> Mapping[str, list[str]]:
    """The answers of the name server: these hosts have a CAA record."""
    return {"example": [], DOMAIN: [], **{host: ['0 issue "ca.demo.example"'] for host in hosts}}


def accepted(today: date) -> list[Mapping[str, object]]:
    """Failures that the configuration accepts: one for another three weeks, others for longer."""
    return [
        {
            "match": '{target="blog"}',
            "check": ["hsts", "hsts_on_errors"],
            "until": (today + timedelta(days=20)).isoformat(),
            "reason": "The blog moves to another host.",
            "accepted_by": "Jane Doe, security",
        },
        {
            "match": '{team="office"}',
            "check": "caa",
            "until": (today + timedelta(days=120)).isoformat(),
            "reason": "The registrar of this domain cannot publish CAA records yet.",
            "accepted_by": "Jane Doe, security",
        },
    ]


class Fleet:
    """The servers, while they run; `change` makes some better, some worse.

    Attributes:
        targets: for the exporter's configuration.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._authority = folder, Authority.create(folder)
        self.targets: list[Mapping[str, object]] = []
        self.sites = dict(self._sites())
        self._write()
        self._nginx = stack.enter_context(
            running(
                [find_program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"],
                folder / "nginx.log",
                port=self.sites["shop"].port,
            )
        )
        self._others(stack)

    def _sites(self) -> Iterator[tuple[str, Site]]:
        leaf = self._authority.leaf
        for name, team, directives, certificates in (
            ("shop", "web", SEED_NGINX, [leaf("shop", age_days=30), leaf("shop", rsa=True)]),
            ("www", "web", SEED_NGINX, [leaf("www")]),
            ("blog", "web", NO_HSTS_NGINX, [leaf("blog")]),
            ("intranet", "office", WEAK_NGINX, [leaf("intranet", rsa=True, age_days=300, lifetime_days=800)]),
            ("wiki", "office", SEED_NGINX, [leaf("wiki", age_days=92)]),
            ("reports", "office", SEED_NGINX, [leaf("reports", age_days=84)]),
        ):
            port = free_port()
            self._target(name, team, port, **({"distribution": this_distribution()} if name in KNOWN else {}))
            yield name, Site(f"{name}.{DOMAIN}", port, directives, certificates)
        port, certificate = free_port(), leaf("api")
        self._target("api", "web", port, addresses="all", distribution=this_distribution())
        yield "api", Site(f"api.{DOMAIN}", port, SEED_NGINX, [certificate])
        yield "api, forgotten", Site(f"api.{DOMAIN}", port, WEAK_NGINX, [certificate], "127.0.0.2")

    def _target(self, name: str, team: str, port: int, **more: object) -> None:
        target = {"name": name, "host": f"{name}.{DOMAIN}", "port": port, "labels": {"team": team}}
        self.targets.append({**target, **more})

    def _others(self, stack: ExitStack) -> None:
        """Servers other than nginx, and a target where no server listens."""
        leaf, bundle = self._authority.leaf, self._authority.folder / "ca.pem"
        fast = {"connections_per_host": 4, "connection_gap": "0s"}
        mail = leaf("mail")
        port = stack.enter_context(dovecot(Pki(bundle, mail, mail), "imap"))
        self._target("mail", "mail", port, starttls="imap", **fast)
        staff = leaf("staff")
        port = stack.enter_context(slapd(Pki(bundle, staff, staff)))
        self._target("staff", "office", port, starttls="ldap")
        port = stack.enter_context(caddy(self._place("crm"), leaf("crm"), Server="Microsoft-IIS/8.5"))
        self._target("crm", "finance", port)
        port = stack.enter_context(tlslite(self._place("lab"), leaf("lab", rsa=True), TLS_1_2_AND_UP))
        self._target("lab", "network", port, protocol="tls")
        settings = {"versions": ("SSL3", *TLS), "suites": "AES128-SHA:DES-CBC3-SHA:RC4-SHA", "fault": "heartbleed"}
        certificate = leaf("vpn", rsa=True)
        self._target("vpn", "network", stack.enter_context(old_openssl(self._place("vpn"), certificate, **settings)))
        self._target("billing", "finance", free_port())

    def _place(self, name: str) -> Path:
        place = self._folder / name
        place.mkdir()
        return place

    def _write(self) -> None:
        (self._folder / "nginx.conf").write_text(nginx_config(self._folder, list(self.sites.values())))

    def change(self, name: str, directives: str) -> None:
        """Give a web server these directives from now on."""
        self.sites[name] = replace(self.sites[name], directives=directives)
        self._write()
        self._nginx.send_signal(signal.SIGHUP)
