"""Targets from the DNS: `dns_sd_configs`, as in Prometheus, and mail domains by their MX records.

Each refresh asks for all names. As in Prometheus, the TTL does not count, and a name that does not exist, or that has
no such records, is a valid empty answer. A failure of one name does not affect the other names.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

import dns.exception
import dns.rdatatype
from dns.name import from_text
from dns.rdata import Rdata
from dns.rdatatype import RdataType

from exporter.config import Config
from exporter.config.discovery import DnsRecordType, DnsSource
from exporter.environment import make_resolver
from exporter.errors import TargetError
from exporter.net.records import LookupFailedError, RecordResolver
from exporter.net.resolvconf import ResolvConf, read_resolv_conf
from exporter.services import normal_host
from exporter.shortage import ShortageError
from exporter.targets.dns_records import META_NAME, exchange_of, target_of
from exporter.targets.groups import DiscoveryError, Group
from exporter.targets.sources import Pause, Sink, TargetSource
from exporter.text import escaped

log = logging.getLogger(__name__)

MOST_AT_ONCE = 50
"""Most names that one source looks up at the same time. A name server may not answer, and each lookup has a socket."""
MOST_SHOWN = 3
"""Most names or records that one message quotes."""


def make_source(settings: DnsSource, config: Config) -> TargetSource:
    """The source of this entry. It asks the name servers of the configuration, else those of the system."""
    return DnsTargets(settings, make_resolver(config, most_entries=0))


class DnsTargets:
    """Looks up the names of one entry of `dns_sd_configs`."""

    def __init__(
        self,
        settings: DnsSource,
        resolver: RecordResolver,
        read_conf: Callable[[], ResolvConf] = read_resolv_conf,
        pause: Pause = asyncio.sleep,
    ) -> None:
        """Create it; it knows no groups.

        Args:
            settings: of this entry.
            resolver: without a cache.
            read_conf: returns the search list, as it is now.
            pause: waits for the next refresh.
        """
        self._settings, self._resolver = settings, resolver
        self._names = tuple(dict.fromkeys(settings.names))
        self._kind = dns.rdatatype.from_text(settings.type)
        self._read_conf, self._pause = read_conf, pause
        self._last: dict[str, Group] = {}
        self._given: list[Group] | None = None
        self._noted: dict[str, frozenset[str]] = {}

    def resume(self, groups: Sequence[Group]) -> None:
        """See `exporter.targets.sources.ResumedSource`."""
        self._last = {group.source: group for group in groups if group.source in self._names} | self._last

    async def run(self, sink: Sink) -> None:
        """Refresh at once and then at the interval, until it is cancelled."""
        while True:
            await self.refresh(sink)
            await self._pause(self._settings.refresh_interval.total_seconds())

    async def refresh(self, sink: Sink) -> None:
        """Look up all names once, and give the sink what was found and what failed."""
        try:
            conf = self._read_conf()
        except ShortageError as error:
            sink.failed(DiscoveryError(str(error)))
            return
        failures: dict[str, str] = {}
        places = asyncio.Semaphore(MOST_AT_ONCE)

        async def look_up(name: str) -> None:
            async with places:
                try:
                    self._last[name] = await self._group(name, conf)
                except (LookupFailedError, ShortageError) as error:
                    failures[name] = str(error)

        async with asyncio.TaskGroup() as tasks:
            for name in self._names:
                tasks.create_task(look_up(name))
        groups = [self._last[name] for name in self._names if name in self._last]
        if not failures or (len(failures) < len(self._names) and groups != self._given):
            self._given = groups
            sink.found(groups)
        if failures:
            sink.failed(DiscoveryError(_listed([failures[name] for name in self._names if name in failures])))

    async def _group(self, name: str, conf: ResolvConf) -> Group:
        """The targets of one name, in an order that does not depend on that of the answer.

        Raises:
            LookupFailedError, ShortageError: it is not known which targets there are.
        """
        targets: set[tuple[tuple[str, str], ...]] = set()
        wrong: list[str] = []
        full_name, records = await self._search(name, conf)
        for record in records:
            try:
                labels = self._labels(record, full_name)
            except TargetError as error:
                wrong.append(str(error))
                continue
            if labels is not None:
                targets.add(tuple(sorted({**labels, META_NAME: name}.items())))
        self._note(name, wrong)
        return Group(name, tuple(map(dict, sorted(targets))))

    def _labels(self, record: Rdata | None, full_name: str) -> dict[str, str] | None:
        port = self._settings.effective_port
        return exchange_of(full_name, full_name, port) if record is None else target_of(record, full_name, port)

    async def _search(self, name: str, conf: ResolvConf) -> tuple[str, tuple[Rdata | None, ...]]:
        """The first name of the search list that exists, and its records.

        None as a record is the domain itself as its mail server. After a name that could not be looked up, only records
        are an answer: otherwise it is not known that there are none.

        Raises:
            LookupFailedError, ShortageError: as for `_group`.
        """
        failures: list[str] = []
        for full_name in conf.names(normal_host(name) + "." * name.endswith(".")):
            try:
                records, exists = await self._ask(full_name, self._kind)
                if records:
                    return full_name, records
                if exists and failures:
                    break
                if exists:
                    implicit = self._settings.type is DnsRecordType.MX and await self._has_address(full_name)
                    return full_name, (None,) if implicit else ()
            except LookupFailedError as error:
                failures.append(str(error))
        if failures:
            raise LookupFailedError("; ".join(failures))
        return name, ()

    async def _has_address(self, name: str) -> bool:
        """Whether a domain without MX records has an address, so that it is its own mail server (RFC 5321, 5.1).

        Raises:
            LookupFailedError, ShortageError: it is not known.
        """
        failure: LookupFailedError | None = None
        for kind in (RdataType.A, RdataType.AAAA):
            try:
                if (await self._ask(name, kind))[0]:
                    return True
            except LookupFailedError as error:
                failure = error
        if failure:
            raise failure
        return False

    async def _ask(self, name: str, kind: RdataType) -> tuple[tuple[Rdata, ...], bool]:
        """The records, and whether the name exists.

        Raises:
            LookupFailedError, ShortageError: there is no answer.
        """
        try:
            absolute = from_text(name)
        except dns.exception.DNSException:
            return (), False  # a search domain makes it too long, or is not a name
        answer = await self._resolver.ask(absolute, kind)
        return answer.records, answer.exists

    def _note(self, name: str, wrong: Sequence[str]) -> None:
        """Log which records of a name are not targets, when there are other ones than before."""
        new = [text for text in wrong if text not in self._noted.get(name, ())]
        self._noted[name] = frozenset(wrong)
        if new:
            log.warning("dns_sd_configs: %s of %s: not a target: %s", self._settings.type, name, _listed(new))


def _listed(texts: Sequence[str]) -> str:
    more = len(texts) - MOST_SHOWN
    return escaped("; ".join(texts[:MOST_SHOWN]) + (f"; and {more} more" if more > 0 else ""))
