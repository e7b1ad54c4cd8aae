"""One scan of one target: each probe once at each address, under one deadline, with separate failures."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, TypeVar, cast

from exporter.errors import ProbeError
from exporter.logs import about, fields
from exporter.logs.trace import detail
from exporter.model import (
    MOST_ADDRESSES,
    Addresses,
    Facts,
    Failure,
    IpProtocol,
    Reason,
    ScanResult,
    Target,
    ip_version,
    is_ip,
)
from exporter.net.dial import Dialer
from exporter.net.gate import HostGate
from exporter.net.patience import Patience
from exporter.net.records import RecordResolver
from exporter.net.resolve import Lookup, resolve_all
from exporter.probes.base import Probe, Session
from exporter.probes.registry import PROBES
from exporter.shortage import ShortageError, raise_shortage
from exporter.workers import Workers

log = logging.getLogger(__name__)

RESERVED_SHARE, RESERVED_SECONDS = 1 / 3, 60.0
"""The smaller of the two is the part of the scan's time that the hellos leave to the other probes. Hellos need dozens
of connections. The certificate and the first HTTP response need one each and are as important, even if the server is so
slow that the hellos do not finish. A minute is enough for both with a server that takes 25 s for each connection."""
DNS_SHARE, DNS_SECONDS = 0.05, 5.0
"""The smaller of the two is the part of the scan's time that the probes of the server leave to the lookups of DNS
records, which do not depend on the server's speed. The seconds are the resolver's usual time limit."""

T = TypeVar("T")

Known = Mapping[str | None, Facts]
"""Facts of earlier scans that are still valid, by address; the key is None for a target that is scanned at one address
only."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What scans share: the clock, the resolvers for records and for addresses, the count of open connections.

    Attributes:
        workers: closed by the code that created them.
    """

    now: Callable[[], datetime]
    resolver: RecordResolver
    gate: HostGate = field(default_factory=HostGate)
    lookup: Lookup = resolve_all
    workers: Workers = field(default_factory=Workers)


async def scan_addresses(
    target: Target,
    environment: Environment,
    known: Known = MappingProxyType({}),
    late: Callable[[], None] = lambda: None,
) -> tuple[ScanResult, ...]:
    """Scan the target as its `addresses` says, within its `scan_timeout`: a result for each address, at least one.

    Facts that are known and not due again are not asked for, and are not part of the results.

    With `all`, the addresses are scanned one after the other, by number. Each gets an equal share of the remaining
    time, so that one without an answer leaves the others theirs. Waiting for other scans of an address does not count.
    If no address is known, there is one result without an address.

    `late` is called, at most once, if the server takes long (`exporter.net.patience`).

    Raises nothing except for cancellation.
    """
    with about(target=target.name), Patience(late) as patience:
        return await _scan_addresses(target, environment, known, patience)


async def _scan_addresses(
    target: Target, environment: Environment, known: Known, patience: Patience
) -> tuple[ScanResult, ...]:
    host = target.connect_address or target.host
    by_proxy = target.proxy is not None and not is_ip(host)  # the name is the proxy's to resolve
    if target.addresses is Addresses.ONE or by_proxy:
        return (await _scan(target, environment, Facts(), known.get(None, Facts()), patience),)
    loop = asyncio.get_running_loop()
    started, deadline = environment.now(), loop.time() + target.scan_timeout.total_seconds()
    ask = partial(environment.lookup, host, target.port, target.ip_protocol)
    found, failure = await _attempt(PROBES[0].name, target, ask, deadline)
    if failure is not None or found is None:
        return (not_scanned(target, started, environment.now(), failure),)
    results: list[ScanResult] = []
    chosen, of_name = _chosen(found), Facts()
    detail(log, "addresses chosen", addresses=", ".join(chosen), found=len(found))
    for address in chosen:
        share = (deadline - loop.time()) / (len(chosen) - len(results))
        hurried = replace(target, scan_timeout=timedelta(seconds=max(0, round(share, 1))))
        of_address, begun = known.get(address, Facts()), loop.time()
        with about(address=address):
            result = await _scan(hurried, replace(environment, lookup=_only(address)), of_name, of_address, patience)
        deadline += loop.time() - begun - (result.elapsed_seconds or 0)  # it waited for other scans of the address
        results.append(replace(result, target=target, address=address, addresses_found=len(found)))
        of_name = result.facts.without(probe.kind for probe in PROBES if not probe.of_name).over(of_name)
    return tuple(results)


def _chosen(addresses: Sequence[str]) -> list[str]:
    """The addresses to scan, IPv4 first and by number. If there are too many, the same few are chosen each time.

    The system's order may change with every answer. With that order, each scan would choose other addresses and drop
    the previous ones.
    """
    if len(addresses) > MOST_ADDRESSES:
        log.warning("the target has %d addresses, %d of them are scanned", len(addresses), MOST_ADDRESSES)
    stable = sorted(addresses, key=lambda address: hashlib.sha256(address.encode()).digest())[:MOST_ADDRESSES]
    return sorted(stable, key=lambda address: (ip_version(address), int(ip_address(address)), address))


def _only(address: str) -> Lookup:
    async def lookup(_host: str, _port: int, _protocol: IpProtocol) -> tuple[str, ...]:
        return (address,)

    return lookup


def not_scanned(target: Target, started: datetime, ended: datetime, failure: Failure | None) -> ScanResult:
    """The result of a scan that could not ask the server anything."""
    return ScanResult(
        target=target,
        started_at=started,
        ended_at=ended,
        facts=Facts(),
        probes={PROBES[0].name: False},
        failures=(failure,) if failure else (),
        success=False,
        connections=0,
        bytes_sent=0,
        bytes_received=0,
    )


async def scan(target: Target, environment: Environment, known: Facts | None = None) -> ScanResult:
    """Scan the target at one address, the first that accepts a connection, within its `scan_timeout`.

    The first probe finds out whether there is a TLS server at all. If it fails, the other probes are not run. If its
    time ended before it was done, its partial facts count, the other probes run, and the scan is not a success. Facts
    that are known and not due again are not asked for. Raises nothing except for cancellation.
    """
    with Patience() as patience:
        return await _scan(target, environment, Facts(), known or Facts(), patience)


async def _scan(
    target: Target, environment: Environment, of_name: Facts, known: Facts, patience: Patience
) -> ScanResult:
    """As `scan`; facts about the name from this same scan are part of the result.

    All times of the result are counted from its start, so a clock that is set meanwhile does not change their order.
    """
    dialer = Dialer(target, environment.gate, environment.lookup, patience)
    await _wait_turn(dialer)
    started = environment.now()
    facts, failures, outcome = Facts(), [], {}
    begun, seconds = asyncio.get_running_loop().time(), target.scan_timeout.total_seconds()
    deadline = begun + seconds

    def now() -> datetime:
        return started + timedelta(seconds=asyncio.get_running_loop().time() - begun)

    for probe in PROBES:
        if not probe.applies(target):
            continue
        seen_at, at_hand = of_name.seen_at(probe.kind), facts.over(known)
        if seen_at is not None:
            detail(log, "probe not run: its facts are of the name, and known from another address", probe=probe.name)
            facts, outcome[probe.name] = facts.with_part(of_name.get(probe.kind), seen_at), True
            continue
        if not probe.due(target, at_hand, started):
            detail(log, "probe not run: it is not due", probe=probe.name)
            outcome[probe.name] = True
            continue
        until, limit = _ends(probe, deadline, seconds)
        dialer.until = until
        session = Session(
            target,
            dialer,
            environment.resolver,
            started,
            environment.workers,
            known=at_hand,
            deadline=deadline,
            until=until,
        )
        before, since = dialer.connections, asyncio.get_running_loop().time()
        told, failure = await _attempt(probe.name, target, partial(probe.run, session), limit)
        detail(
            log,
            "probe done" if failure is None else "probe failed",
            probe=probe.name,
            address=dialer.address,
            seconds=round(asyncio.get_running_loop().time() - since, 3),
            connections=dialer.connections - before,
            reason=None if failure is None else str(failure.reason),
            detail=None if failure is None else failure.detail,
        )
        outcome[probe.name] = failure is None or (probe is PROBES[0] and told is not None)
        if told is not None:
            facts = facts.with_part(told, now())
        if failure is not None:
            failures.append(failure)
            if probe is PROBES[0] and not _was_slow(failure, dialer):
                break
    failed = {failure.probe for failure in failures}
    mandatory = [probe.name for probe in PROBES if probe.mandatory and probe.applies(target)]
    success = all(outcome.get(name, False) and name not in failed for name in mandatory)
    return ScanResult(
        target=target,
        started_at=started,
        ended_at=now(),
        facts=facts,
        probes=outcome,
        failures=tuple(failures),
        success=success,
        connections=dialer.connections,
        bytes_sent=dialer.traffic.sent,
        bytes_received=dialer.traffic.received,
        elapsed_seconds=asyncio.get_running_loop().time() - begun,
    )


async def _wait_turn(dialer: Dialer) -> None:
    """Wait for other scans of the same address before the time of this scan begins, but not for ever.

    Otherwise silent ports of an address could use up the time of a healthy one.
    """
    with suppress(TimeoutError, ProbeError):  # an error of the name will come again
        async with asyncio.timeout(dialer.target.scan_timeout.total_seconds()):
            await dialer.wait_turn()


def _ends(probe: Probe[Any], deadline: float, seconds: float) -> tuple[float, float]:
    """When the probe has to finish with what it knows, and when it is cancelled, in the event loop's time."""
    if not probe.mandatory:
        return deadline, deadline
    limit = deadline - min(DNS_SHARE * seconds, DNS_SECONDS)
    until = deadline - min(RESERVED_SHARE * seconds, RESERVED_SECONDS) if probe is PROBES[0] else limit
    return until, limit


def _was_slow(failure: Failure, dialer: Dialer) -> bool:
    """Whether the probe failed only because its time ended: the server has answered, and may answer the others."""
    return failure.reason is Reason.DEADLINE_EXCEEDED and dialer.traffic.received > 0


async def _attempt(
    probe: str, target: Target, run: Callable[[], Awaitable[T]], deadline: float
) -> tuple[T | None, Failure | None]:
    """The result and the failure; with a failure there may still be a partial result."""
    limit = asyncio.timeout_at(deadline)
    try:
        async with limit:
            return await run(), None
    except ProbeError as error:
        return cast("T | None", error.facts), Failure(probe, error.reason, error.detail)
    except Exception as error:
        if limit.expired():
            return None, Failure(probe, Reason.DEADLINE_EXCEEDED, f"not done within {target.scan_timeout}")
        shortage = _as_shortage(error, target)
        if shortage is not None:
            return None, Failure(probe, Reason.INTERNAL, str(shortage))
        log.exception("probe failed", extra=fields(probe=probe))
        return None, Failure(probe, Reason.INTERNAL, f"{type(error).__name__}: {error}")


def _as_shortage(error: Exception, target: Target) -> ShortageError | None:
    """The error, if this machine had not enough of something. It has been counted and logged."""
    if isinstance(error, ShortageError):
        return error
    try:
        raise_shortage(error, f"scan of {target.name}")
    except ShortageError as shortage:
        return shortage
    return None
