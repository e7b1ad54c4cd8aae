"""One scan of one target: each probe once at each address, under one deadline, their failures kept apart."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from ipaddress import ip_address
from typing import TypeVar

from dns.asyncresolver import Resolver

from exporter.errors import ProbeError
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
from exporter.net.resolve import Lookup, resolve_all
from exporter.probes.base import Session
from exporter.probes.registry import PROBES

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Environment:
    """What scans share: the clock, the resolvers for records and for addresses, the count of open connections."""

    now: Callable[[], datetime]
    resolver: Resolver
    gate: HostGate = field(default_factory=HostGate)
    lookup: Lookup = resolve_all


async def scan_addresses(target: Target, environment: Environment) -> tuple[ScanResult, ...]:
    """Scan the target as its `addresses` says, within its `scan_timeout`: a result for each address, at least one.

    With `all`, the addresses come one after the other, by number. Each may take its share of the time that is left, so
    that one that does not answer leaves the others theirs. When no address is known, the one result has none.

    Never raises but for cancellation.
    """
    host = target.connect_address or target.host
    by_proxy = target.proxy is not None and not is_ip(host)  # the name is the proxy's to resolve
    if target.addresses is Addresses.ONE or by_proxy:
        return (await scan(target, environment),)
    loop = asyncio.get_running_loop()
    started, deadline = environment.now(), loop.time() + target.scan_timeout.total_seconds()
    ask = partial(environment.lookup, host, target.port, target.ip_protocol)
    found = await _attempt(PROBES[0].name, target, ask, deadline)
    if isinstance(found, Failure):
        return (_unresolved(target, started, environment.now(), found),)
    results: list[ScanResult] = []
    chosen, of_name = _chosen(target, found), Facts()
    for address in chosen:
        share = (deadline - loop.time()) / (len(chosen) - len(results))
        hurried = replace(target, scan_timeout=timedelta(seconds=max(0, round(share, 1))))
        result = await _scan(hurried, replace(environment, lookup=_only(address)), of_name)
        results.append(replace(result, target=target, address=address, addresses_found=len(found)))
        of_name = result.facts.without(probe.kind for probe in PROBES if not probe.of_name).over(of_name, started)
    return tuple(results)


def _chosen(target: Target, addresses: Sequence[str]) -> list[str]:
    """The addresses to scan, IPv4 first and by number. Too many are cut to the same few each time.

    The system's order may change with every answer: by it, each scan would show other addresses and drop the last ones.
    """
    if len(addresses) > MOST_ADDRESSES:
        log.warning("target=%s has %d addresses, %d of them are scanned", target.name, len(addresses), MOST_ADDRESSES)
    stable = sorted(addresses, key=lambda address: hashlib.sha256(address.encode()).digest())[:MOST_ADDRESSES]
    return sorted(stable, key=lambda address: (ip_version(address), int(ip_address(address)), address))


def _only(address: str) -> Lookup:
    async def lookup(_host: str, _port: int, _protocol: IpProtocol) -> tuple[str, ...]:
        return (address,)

    return lookup


def _unresolved(target: Target, started: datetime, ended: datetime, failure: Failure) -> ScanResult:
    return ScanResult(
        target=target,
        started_at=started,
        ended_at=ended,
        facts=Facts(),
        probes={failure.probe: False},
        failures=(failure,),
        success=False,
        connections=0,
        bytes_sent=0,
        bytes_received=0,
    )


async def scan(target: Target, environment: Environment) -> ScanResult:
    """Scan the target at one address, the first that takes a connection, within its `scan_timeout`.

    The first probe finds out whether there is a TLS server at all; where it fails, the others have nothing to look at
    and are not run. Never raises but for cancellation.
    """
    return await _scan(target, environment, Facts())


async def _scan(target: Target, environment: Environment, of_name: Facts) -> ScanResult:
    """As `scan`; what is known of the name already is not asked again."""
    started = environment.now()
    dialer = Dialer(target, environment.gate, environment.lookup)
    session = Session(target, dialer, environment.resolver, started)
    facts, failures, outcome = Facts(), [], {}
    deadline = asyncio.get_running_loop().time() + target.scan_timeout.total_seconds()
    for probe in PROBES:
        if not probe.applies(target):
            continue
        seen_at = of_name.seen_at(probe.kind)
        if seen_at is not None:
            facts, outcome[probe.name] = facts.with_part(of_name.get(probe.kind), seen_at), True
            continue
        result = await _attempt(probe.name, target, partial(probe.run, session), deadline)
        outcome[probe.name] = not isinstance(result, Failure)
        if isinstance(result, Failure):
            failures.append(result)
            if probe is PROBES[0]:
                break
        else:
            facts = facts.with_part(result, environment.now())
    success = all(outcome.get(probe.name, False) for probe in PROBES if probe.mandatory and probe.applies(target))
    return ScanResult(
        target=target,
        started_at=started,
        ended_at=environment.now(),
        facts=facts,
        probes=outcome,
        failures=tuple(failures),
        success=success,
        connections=dialer.connections,
        bytes_sent=dialer.traffic.sent,
        bytes_received=dialer.traffic.received,
    )


async def _attempt(probe: str, target: Target, run: Callable[[], Awaitable[T]], deadline: float) -> T | Failure:
    """What it gives, or the probe's `Failure`."""
    limit = asyncio.timeout_at(deadline)
    try:
        async with limit:
            return await run()
    except ProbeError as error:
        return Failure(probe, error.reason, error.detail)
    except Exception as error:
        if limit.expired():
            return Failure(probe, Reason.DEADLINE_EXCEEDED, f"not done within {target.scan_timeout}")
        log.exception("probe %s of %s", probe, target.name)
        return Failure(probe, Reason.INTERNAL, f"{type(error).__name__}: {error}")
