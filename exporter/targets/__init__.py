"""Where targets come from. So far: the list in the configuration file."""

from datetime import timedelta

from exporter.config import Config, GlobalSettings, TargetSettings
from exporter.model import Target, is_ip

DEFAULT_SCAN_TIMEOUT = timedelta(minutes=2)
MAX_AGE_INTERVALS = 3
"""Facts outlive their last good scan by this many intervals, unless `max_age` says otherwise."""


def static_targets(config: Config) -> tuple[Target, ...]:
    """The configured targets, every default filled in, in the order of the file."""
    return tuple(make_target(settings, config.global_) for settings in config.targets)


def make_target(settings: TargetSettings, defaults: GlobalSettings) -> Target:
    """One target from its own settings and the global ones."""
    interval = settings.scan_interval or defaults.scan_interval
    scan_timeout = settings.scan_timeout or defaults.scan_timeout or DEFAULT_SCAN_TIMEOUT
    server_name = settings.server_name or settings.host
    return Target(
        name=settings.effective_name,
        host=settings.host,
        port=settings.effective_port,
        policy=settings.policy or defaults.policy,
        protocol=settings.effective_protocol,
        starttls=settings.starttls,
        server_name=None if is_ip(server_name) else server_name,
        connect_address=settings.connect_address,
        ca_file=settings.ca_file or defaults.ca_file,
        labels=dict(settings.labels),
        connections_per_host=settings.connections_per_host or defaults.connections_per_host,
        timeout_seconds=(settings.timeout or defaults.timeout).total_seconds(),
        scan_interval=interval,
        scan_timeout=min(scan_timeout, interval),
        max_age=settings.max_age or defaults.max_age or MAX_AGE_INTERVALS * interval,
    )
