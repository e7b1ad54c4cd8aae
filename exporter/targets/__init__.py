"""Where targets come from. So far: the list in the configuration file."""

from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache

from exporter import __version__
from exporter.config import Config
from exporter.config.celery import DEFAULT_ZONE
from exporter.config.sections import GlobalSettings, HttpSettings, TargetSettings
from exporter.config.values import DIRECT, NEVER, OFF, SYSTEM
from exporter.model import Addresses, ClientCertificate, HttpOptions, Target, is_ip
from exporter.services import SERVICES, TargetText, parse_proxy

DEFAULT_SCAN_TIMEOUT = timedelta(minutes=2)
DEFAULT_VULNERABILITY_INTERVAL = timedelta(hours=24)
MAX_AGE_INTERVALS = 3
"""Facts are kept for this many intervals after the last scan that saw them, unless `max_age` says otherwise."""
_NO_HTTP = HttpSettings()
_http_options = lru_cache(maxsize=256)(HttpOptions)  # most targets share one
HTTP_PORT = 80
"""The port that a browser uses for a name without scheme; it belongs to 443 and to no other port (RFC 9110, 4.2)."""


def static_targets(config: Config) -> tuple[Target, ...]:
    """The configured targets, with every default filled in, in the order of the file."""
    return tuple(make_target(settings, config.global_) for settings in config.targets)


def make_target(settings: TargetSettings, defaults: GlobalSettings) -> Target:
    """One target from its own settings and the global ones."""
    interval = settings.scan_interval or defaults.scan_interval
    scan_timeout = settings.scan_timeout or defaults.scan_timeout or DEFAULT_SCAN_TIMEOUT
    server_name = settings.server_name or settings.host
    connections, gap = _usual_pace(settings.effective_protocol, defaults)
    if settings.connection_gap is not None:
        gap = settings.connection_gap
    proxy_url = settings.proxy_url or defaults.proxy_url
    proxy = parse_proxy(proxy_url) if proxy_url and proxy_url != DIRECT else None
    # A proxy gets the name and chooses the address. Configurations that ask for more are rejected earlier.
    chosen_elsewhere = proxy is not None and not is_ip(settings.connect_address or settings.host)
    return Target(
        name=settings.effective_name,
        host=settings.host,
        port=settings.effective_port,
        policies=settings.all_policies or defaults.all_policies,
        protocol=settings.effective_protocol,
        starttls=settings.starttls,
        ehlo_name=settings.ehlo_name or defaults.ehlo_name,
        server_name=None if is_ip(server_name) else server_name,
        connect_address=settings.connect_address,
        mail_domain=settings.mail_domain,
        distribution=settings.distribution,
        addresses=Addresses.ONE if chosen_elsewhere else settings.addresses or defaults.addresses,
        ip_protocol=settings.ip_protocol or defaults.ip_protocol,
        proxy=proxy,
        ca_file=_ca_file(settings, defaults),
        client_certificate=_client_certificate(settings, defaults),
        labels=dict(settings.labels),
        connections_per_host=settings.connections_per_host or connections,
        connection_gap_seconds=gap.total_seconds(),
        timeout_seconds=(settings.timeout or defaults.timeout).total_seconds(),
        http=_http(settings, defaults),
        scan_interval=interval,
        scan_timeout=min(scan_timeout, interval),
        vulnerability_interval=_vulnerability_interval(settings, defaults, interval),
        clients=tuple((defaults.clients or ()) if settings.clients is None else settings.clients),
        zone=_zone(settings, defaults),
        max_age=settings.max_age or defaults.max_age or MAX_AGE_INTERVALS * interval,
    )


def named(text: str, service: TargetText | None, targets: Sequence[Target]) -> tuple[Target, ...]:
    """The targets that a text on the command line means: the one with that name, otherwise all that match it.

    `service` is the text parsed as host, host:port or URL; None if it is not one. A target matches if it has the same
    host and, as far as the text contains them, the same port, protocol and STARTTLS dialogue.
    """
    of_name = tuple(target for target in targets if target.name == text)
    if of_name or service is None:
        return of_name
    return tuple(
        target
        for target in targets
        if target.host == service.host
        and service.port in {None, target.port}
        and (service.protocol is None or (service.protocol, service.starttls) == (target.protocol, target.starttls))
    )


def _ca_file(settings: TargetSettings, defaults: GlobalSettings) -> str | None:
    """The bundle to trust: the target's setting has precedence over the global one. None is the system's store."""
    for section in (settings, defaults):
        if section.ca_file is not None:
            return section.ca_file
        if section.trust_store is not None:
            return None if section.trust_store == SYSTEM else defaults.trust_stores[section.trust_store]
    return None


def _client_certificate(settings: TargetSettings, defaults: GlobalSettings) -> ClientCertificate | None:
    files = settings.tls_config or defaults.tls_config
    return None if files is None else ClientCertificate(files.cert_file, files.key_file)


def _http(settings: TargetSettings, defaults: GlobalSettings) -> HttpOptions:
    """Each key from the target's settings, otherwise from the global ones."""
    if settings.effective_protocol != "https":
        return _http_options()
    own, usual = settings.http or _NO_HTTP, defaults.http or _NO_HTTP
    contact = f" (+{defaults.contact})" if defaults.contact else ""
    port = own.port or ((usual.port or HTTP_PORT) if settings.effective_port == 443 else OFF)
    return _http_options(
        path=own.path or usual.path or "/",
        host=own.host or usual.host,
        user_agent=own.user_agent or usual.user_agent or f"tls-posture-exporter/{__version__}{contact}",
        port=None if port == OFF or isinstance(port, str) else port,
    )


def _zone(settings: TargetSettings, defaults: GlobalSettings) -> str:
    return (settings.zone or defaults.zone or DEFAULT_ZONE) if defaults.backend == "celery" else ""


def _usual_pace(protocol: str, defaults: GlobalSettings) -> tuple[int, timedelta]:
    """Most connections at once and the gap between them, for a target without settings of its own.

    For mail, global settings do not count where they exceed what mail servers accept.
    """
    connections, gap = defaults.connections_per_host, defaults.connection_gap or timedelta(0)
    pace = SERVICES[protocol].pace
    return (connections, gap) if pace is None else (min(connections, pace.connections), max(gap, pace.gap))


def _vulnerability_interval(
    settings: TargetSettings, defaults: GlobalSettings, scan_interval: timedelta
) -> timedelta | None:
    """The configured interval, otherwise a day; never shorter than the scan interval, because a try needs a scan."""
    value = settings.vulnerability_interval or defaults.vulnerability_interval or DEFAULT_VULNERABILITY_INTERVAL
    return None if value == NEVER or isinstance(value, str) else max(value, scan_interval)
