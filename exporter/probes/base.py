"""What a probe is. A new one is a file with a `PROBE` of this kind, and an entry in `exporter.probes.registry`."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from dns.asyncresolver import Resolver

from exporter.model import Family, Sample, Target
from exporter.net.dial import Dialer

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Session:
    """What a probe has to work with in one scan.

    Attributes:
        now: start of the scan, UTC; the time that certificates are judged at.
        resolver: answers questions about DNS records (not addresses: those come from the system).
    """

    target: Target
    dialer: Dialer
    resolver: Resolver
    now: datetime


@dataclass(frozen=True, slots=True)
class Probe(Generic[F]):
    """One probe and everything the rest of the program needs to know of it.

    Attributes:
        name: label value of `tls_posture_probe_success`.
        kind: class of its facts.
        mandatory: a scan is no success without it, where it applies.
        applies: whether it makes sense for a target; where it does not, it is not run and leaves nothing.
        run: gives facts; raises `ProbeError` when it could not tell.
        families: its metric families, in the order they are shown.
        full: those of them that are shown with `metrics.detail: full` alone.
        samples: facts to samples of these families; unknown is absent.
        document: facts to the keys of the report's `facts`.
        of_name: its facts are of the host's name: with several addresses it runs once.
    """

    name: str
    kind: type[F]
    mandatory: bool
    applies: Callable[[Target], bool]
    run: Callable[[Session], Awaitable[F]]
    families: tuple[Family, ...]
    samples: Callable[[F], Iterable[Sample]]
    document: Callable[[F], dict[str, object]]
    full: tuple[Family, ...] = ()
    of_name: bool = False
