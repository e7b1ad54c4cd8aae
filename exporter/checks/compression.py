"""Check `compression`: TLS compression is refused, because it leaks what it compresses (CRIME, CVE-2012-4929)."""

from exporter.case import Case
from exporter.facts.handshake import HandshakeFacts
from exporter.judging.check import Check, Demand, Outcome, failed, passed, unknown
from exporter.model import Remedy
from exporter.remedies.parameters import compression_change
from exporter.remedies.servers import remedies


class CompressionDemand(Demand):
    """Whether compression may be accepted."""

    allowed: bool


def _judge(case: Case, demand: CompressionDemand) -> Outcome:
    facts = case.facts.get(HandshakeFacts)
    if facts is None or facts.compression is None:
        return unknown("it is not known whether compression is accepted")
    if facts.compression and not demand.allowed:
        return failed("accepts TLS compression", {"compression": ("accepted",)})
    return passed("accepts TLS compression, as allowed" if facts.compression else "refuses TLS compression")


def _remedy(case: Case, _demand: CompressionDemand, _outcome: Outcome) -> tuple[Remedy, ...]:
    """The setting that turns compression off."""
    return remedies(case, compression_change())


CHECK = Check(
    name="compression",
    why="The length of compressed data depends on what is in it. CRIME reads cookies in this way.",
    demand=CompressionDemand,
    verdict=_judge,
    asks=lambda demand: "TLS compression may be accepted" if demand.allowed else "no TLS compression",
    remedy=_remedy,
)
