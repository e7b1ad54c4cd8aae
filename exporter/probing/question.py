"""What `/probe` is asked, what it answers, and why it does not answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from exporter.errors import ExporterError
from exporter.metrics import Lines, ProbeOutcome
from exporter.model import Seen, Target

LONGEST_SECONDS = 55.0
"""Most time for an answer. The web server ends responses after a minute (`exporter.web.limits`)."""
MARGIN_SECONDS, ANSWER_SECONDS = 0.5, 0.1
"""Before the scraper's time limit, a scan ends by the first (the blackbox exporter's offset), and the answer is sent by
the second."""


@dataclass(frozen=True, slots=True)
class ProbeQuestion:
    """One request.

    Attributes:
        target: the name of a target, or its text form.
        policies: names of policies to judge by; empty for those of the target.
        seconds: the time limit of whoever asks; None if it has none.
        debug: asks for the log of the scan, too.
    """

    target: str
    policies: tuple[str, ...] = ()
    seconds: float | None = None
    debug: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """When a scan has to end, and when the answer has to be sent, in the time of the event loop."""

    scan_by: float
    answer_by: float


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of the target, and where it comes from.

    Attributes:
        target: the target as it is configured, or permitted, now.
        begun_at: start of the scan.
        log: the log of that scan; empty if there is none.
    """

    target: Target
    seen: Sequence[Seen]
    outcome: ProbeOutcome
    begun_at: datetime
    log: str = ""


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """The answer.

    Attributes:
        lines: the metrics of the target.
        found: what the metrics were made of.
        settings: the effective settings of the target, without secrets, ready to show.
    """

    lines: Lines
    found: Found
    settings: str


class UnansweredError(ExporterError):
    """There is no answer; the message is for the asker.

    Attributes:
        outcome: why.
    """

    def __init__(self, outcome: ProbeOutcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


def forbidden() -> UnansweredError:
    """The error for a service that may not be scanned. It does not say what its name resolves to."""
    return UnansweredError(
        ProbeOutcome.FORBIDDEN,
        "this is not a configured target, and probe.allow of the configuration does not permit it",
    )


def unavailable(why: str) -> UnansweredError:
    """The error for a target of which nothing is known in time."""
    return UnansweredError(ProbeOutcome.UNAVAILABLE, why)
