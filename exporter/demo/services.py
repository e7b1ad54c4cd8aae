"""The six services of the demonstration, and the configuration that watches them."""

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from exporter.demo.certificates import Authority
from exporter.demo.names import name_server, with_hosts
from exporter.demo.servers import (
    GOOD_FIELDS,
    WEAK_FIELDS,
    database,
    dated_context,
    good_context,
    listening,
    mail_server,
    post_quantum_context,
    post_quantum_website,
    repair,
    weak_context,
    website,
)
from exporter.net.resolve import Lookup

_ADDRESSES = {
    "website": "127.0.0.1",
    "post-quantum-site": "127.0.0.2",
    "mail": "127.0.0.3",
    "database": "127.0.0.4",
    "old-appliance": "127.0.0.5",
    "balanced-pair": "127.0.0.6",
}
_SECOND = "127.0.0.7"
"""Each has an address of its own, because connections are limited by address; the pair has this one in addition."""
_OPTIONS = {
    "website": "    distribution: debian 13\n    labels: {team: web}\n",
    "post-quantum-site": "    distribution: debian 13\n    labels: {team: web}\n",
    "mail": "    starttls: smtp\n    connection_gap: 0s\n    distribution: debian 13\n    labels: {team: office}\n",
    "database": "    starttls: postgres\n    labels: {team: office}\n",
    "old-appliance": "    labels: {team: office}\n",
    "balanced-pair": "    addresses: all\n    distribution: debian 13\n    labels: {team: web}\n",
}
_ALMOST_OVER = (84, 6)
"""Of its 90 days, such a certificate has six left."""
_ACCEPTED_FOR = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Services:
    """Servers that run.

    Attributes:
        config: file of the configuration that watches them.
        lookup: knows the addresses of the balanced pair.
    """

    config: Path
    lookup: Lookup
    _mail: ssl.SSLContext

    def repair_mail(self) -> None:
        """Turn TLS 1.0 and 1.1 of the mail server off."""
        repair(self._mail)


@asynccontextmanager
async def services(folder: Path, now: datetime) -> AsyncIterator[Services]:
    """Start all servers on loopback, with keys and the configuration in the folder."""
    authority = Authority(folder, now)
    mail, pair = dated_context(authority, _host("mail")), _host("balanced-pair")
    database_tls = good_context(authority, _host("database"), days=_ALMOST_OVER)
    quantum = post_quantum_context(authority, _host("post-quantum-site"))
    start = (
        ("website", website(GOOD_FIELDS), good_context(authority, _host("website"))),
        ("post-quantum-site", post_quantum_website(quantum, GOOD_FIELDS), None),
        ("mail", mail_server(mail, _host("mail")), None),
        ("database", database(database_tls), None),
        ("old-appliance", website(WEAK_FIELDS), weak_context(authority, _host("old-appliance"))),
        ("balanced-pair", website(GOOD_FIELDS), good_context(authority, pair)),
    )
    async with AsyncExitStack() as stack:
        ports = {
            name: await stack.enter_async_context(listening(answer, context, _ADDRESSES[name]))
            for name, answer, context in start
        }
        second = listening(website(GOOD_FIELDS), dated_context(authority, pair), _SECOND, ports["balanced-pair"])
        await stack.enter_async_context(second)
        dns = await stack.enter_async_context(name_server([_host(name) for name in ports if name != "old-appliance"]))
        config = _write_config(authority.bundle, ports, dns, now.date())
        yield Services(config, with_hosts({pair: (_ADDRESSES["balanced-pair"], _SECOND)}), mail)


def _host(name: str) -> str:
    return f"{name}.demo.example"


def _write_config(bundle: Path, ports: dict[str, int], dns: int, today: date) -> Path:
    """The configuration in the folder of the bundle, as an operator would write it."""
    targets = "".join(
        f"  - name: {name}\n    host: {_host(name)}\n    port: {port}\n{_OPTIONS[name]}"
        + ("" if name == "balanced-pair" else f"    connect_address: {_ADDRESSES[name]}\n")
        for name, port in ports.items()
    )
    file = bundle.parent / "config.yaml"
    file.write_text(
        f"""global:
  scan_interval: 1m
  ca_file: {bundle}
  clients: [android-4.2.2, android-4.4.2, java-8u161, chromium-156]
  resolver: {{nameservers: [127.0.0.1], port: {dns}}}
targets:
{targets}exceptions:
  - match: '{{target="old-appliance"}}'
    check: caa
    until: {today + _ACCEPTED_FOR}
    reason: The DNS provider is about to support CAA records.
    accepted_by: demo
""",
        encoding="utf-8",
    )
    return file
