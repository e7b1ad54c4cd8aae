"""Writes docs/man/tls-posture-exporter.1, the manual page, from the parser: `python tools/write_man.py`."""

import os
import re
from pathlib import Path
from unittest import mock

from argparse_manpage.manpage import Manpage

from exporter import __version__
from exporter.cli.parser import make_parser

FILE = Path(__file__).resolve().parent.parent / "docs" / "man" / "tls-posture-exporter.1"

_MORE = r"""
.SH EXAMPLES
Scan two services once, and say what to change:
.PP
.nf
.RS
tls-posture-exporter scan www.example.com imaps://mail.example.com --explain
.RE
.fi
.PP
Check a configuration, list its targets, and run the daemon with it:
.PP
.nf
.RS
tls-posture-exporter check-config --config.file=config.yaml
tls-posture-exporter targets --config.file=config.yaml
tls-posture-exporter serve --config.file=config.yaml
.RE
.fi
.PP
Complete commands and flags in bash:
.PP
.nf
.RS
source <(tls-posture-exporter completion bash)
.RE
.fi
.SH ENVIRONMENT
.TP
.B NO_COLOR
Turns colours off, if it is set to anything.
.TP
.B COLUMNS
The width of tables and texts, instead of that of the terminal.
"""


def page() -> str:
    """The page in the language of man."""
    parser = make_parser()
    parser.epilog, exits = None, str(parser.epilog)
    data = {
        "project_name": "tls-posture-exporter",
        "version": __version__,
        "manual_title": "TLS Posture Exporter",
        "description": "Prometheus exporter for the transport security of TLS services",
        "date": "-",  # the page is a function of the program, not of the day
    }
    with mock.patch.dict(os.environ, COLUMNS="10000"):  # argparse folds lines by it; man does that, too
        text = str(Manpage(parser, data))
    text = text.replace('"1" "\\-"', '"1" ""').replace(".SH\nPOSITIONAL ARGUMENTS", ".SH COMMANDS")
    text = re.sub(r"^usage: ", "", text, flags=re.MULTILINE)
    text = text.replace("\n", "\n.ad l\n", 1)  # long flags cannot be spread over a line
    return f"{text.rstrip()}\n{_exit_status(exits)}{_MORE.lstrip()}"


def _man(text: str) -> str:
    return text.replace("`", "").replace("\\", "\\\\").replace("-", "\\-")


def _exit_status(text: str) -> str:
    """The section of exit codes; each is on a line of its own in the help."""
    lines = [".SH EXIT STATUS"]
    for code, meaning in re.findall(r"^  (\d+) +(.*(?:\n {7}.*)*)$", text, re.MULTILINE):
        lines += [".TP", f".B {code}", _man(" ".join(meaning.split()))]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
