"""Standard input, output and error, which may be closed at the start."""

import os
import sys
from pathlib import Path


def open_closed_files() -> None:
    """Open /dev/null in place of standard files that are closed, as after `2>&-` in a shell.

    Otherwise the next socket or file would get their number, and libraries write errors to number 2.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number: this one
            os.set_inheritable(number, True)
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for as long as the program runs
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for as long as the program runs
