"""The jobs of a worker on a machine where the compiled part of nassl cannot be loaded."""

import sys

sys.modules["nassl._nassl"] = None  # type: ignore[assignment]

from exporter.workers.attacks import JOBS  # noqa: E402

__all__ = ["JOBS"]
