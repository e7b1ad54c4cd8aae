"""The exceptions of this program; a library's exception is mapped to one of them where it is raised."""

from dataclasses import dataclass

from exporter.model import Reason


class ExporterError(Exception):
    """Base of every error that this program raises on purpose."""


class ProbeError(ExporterError):
    """A probe could not find out: its reason becomes a label, its detail goes to the log and the report.

    Attributes:
        reason: a label value of `tls_posture_probe_failure`.
        detail: one line for a person; it may quote the peer, so it is never a label.
        facts: partial facts that it found; None if there are none.
    """

    def __init__(self, reason: Reason, detail: str, facts: object = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.facts = facts


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in a file: its position (1-based), the key path, what is wrong."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}: "
        return f"{where}{self.path}: {self.message}" if self.path else f"{where}{self.message}"


class ConfigError(ExporterError):
    """A configuration or policy file is not usable; contains every problem of the file, in file order."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class TargetError(ExporterError):
    """A target given as text (`host:port` or a URL) cannot be parsed."""
