"""One scan of one target: each probe once, under one deadline, their failures kept apart."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dns.asyncresolver import Resolver

from exporter.errors import ProbeError
from exporter.model import Facts, Failure, Reason, ScanResult, Target
from exporter.net.dial import Dialer
from exporter.net.gate import HostGate
from exporter.probes.base import Probe, Session
from exporter.probes.registry import PROBES

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Environment:
    """What scans share: the clock, the resolver, the count of open connections."""

    now: Callable[[], datetime]
    resolver: Resolver
    gate: HostGate = field(default_factory=HostGate)


async def scan(target: Target, environment: Environment) -> ScanResult:
    """Scan the target within its `scan_timeout`.

    The first probe finds out whether there is a TLS server at all; where it fails, the others have nothing to look at
    and are not run. Never raises but for cancellation.
    """
    started = environment.now()
    dialer = Dialer(target, environment.gate)
    session = Session(target, dialer, environment.resolver, started)
    facts, failures, outcome = Facts(), [], {}
    deadline = asyncio.get_running_loop().time() + target.scan_timeout.total_seconds()
    for probe in PROBES:
        if not probe.applies(target):
            continue
        result = await _attempt(probe, session, deadline)
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
    )


async def _attempt(probe: Probe[Any], session: Session, deadline: float) -> object:
    """The probe's facts, or its `Failure`."""
    limit = asyncio.timeout_at(deadline)
    try:
        async with limit:
            return await probe.run(session)
    except ProbeError as error:
        return Failure(probe.name, error.reason, error.detail)
    except Exception as error:
        if limit.expired():
            return Failure(probe.name, Reason.DEADLINE_EXCEEDED, f"not done within {session.target.scan_timeout}")
        log.exception("probe %s of %s", probe.name, session.target.name)
        return Failure(probe.name, Reason.INTERNAL, f"{type(error).__name__}: {error}")
