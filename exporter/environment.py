"""What scans need from their environment under a configuration: the resolver and the clock."""

import logging
from datetime import UTC, datetime

from exporter.config import Config
from exporter.config.sections import ResolverSettings
from exporter.net import nameservers
from exporter.net.records import MOST_ENTRIES, RecordResolver
from exporter.net.resolvconf import SystemResolver

log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The current time, UTC."""
    return datetime.now(UTC)


def make_resolver(config: Config, *, most_entries: int = MOST_ENTRIES) -> RecordResolver:
    """The resolver for DNS records of this configuration; see `make_resolver_of`."""
    return make_resolver_of(config.global_.resolver, most_entries=most_entries)


def make_resolver_of(settings: ResolverSettings | None, *, most_entries: int = MOST_ENTRIES) -> RecordResolver:
    """The resolver for DNS records: the configured name servers, else the system's, whose changes it follows.

    Without name servers every lookup fails, which makes the answers unknown. With `most_entries=0` it has no cache.
    """
    if settings is None:
        system = SystemResolver()
        resolver = system.read()
        if not resolver.nameservers:
            log.warning("the system has no resolver; nothing will be known about DNS records until it has one")
        return RecordResolver(resolver, most_entries=most_entries).follow(system.renewed)
    resolver = nameservers.make_resolver(settings.nameservers, settings.port, settings.timeout.total_seconds())
    return RecordResolver(resolver, validating=settings.validating, most_entries=most_entries)
