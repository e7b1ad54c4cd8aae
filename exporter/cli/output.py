"""What commands write to standard error themselves, apart from the log."""

import contextlib
import sys

from exporter.text import escaped


def complain(message: object) -> None:
    """Write the message to standard error, in one line; nothing happens if its reader has closed it."""
    with contextlib.suppress(OSError):
        print(escaped(str(message)), file=sys.stderr, flush=True)
