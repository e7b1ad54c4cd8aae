import json
import logging
import re
import sys
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.logs import JsonFormatter, LogfmtFormatter, logging_to_stderr
from tests.support.facts import steady

HOSTILE = [
    "two\nlines",
    "over\rwritten",
    "\x00\x07\x1b[31mred\x7f",
    "\x85next line",
    "\x9b31mred",
    "line\u2028separator\u2029",
    "\u202eturned",
    'quotes " and \\ backslashes',
    'level=error msg="forged"',
    "",
    "é 中 🔒",
]
formatters = pytest.mark.parametrize("formatter", [JsonFormatter(), LogfmtFormatter()], ids=["json", "logfmt"])


def record(message: str, *args: object, level: int = logging.WARNING) -> logging.LogRecord:
    made = logging.LogRecord("exporter.scan", level, "scan.py", 1, message, args, None)
    made.created, made.msecs = 1795348800.0425, 42.5
    return made


def one_line(line: str) -> bool:
    return line.isprintable() and len(line.splitlines()) == 1


def logfmt_fields(line: str) -> dict[str, str]:
    """The pairs of a logfmt line; every character of it has to be part of one."""
    pairs = re.findall(r'([a-z]+)=("(?:[^"\\]|\\.)*"|[^ "=]+)(?: |$)', line)
    assert " ".join(f"{key}={value}" for key, value in pairs) == line
    return {key: json.loads(value) if value.startswith('"') else value for key, value in pairs}


def test_a_logfmt_line() -> None:
    assert LogfmtFormatter().format(record("reload failed")) == (
        'ts=2026-11-22T12:00:00.042Z level=warning logger=exporter.scan msg="reload failed"'
    )


def test_a_json_line() -> None:
    assert json.loads(JsonFormatter().format(record("%d targets", 3, level=logging.INFO))) == {
        "ts": "2026-11-22T12:00:00.042Z",
        "level": "info",
        "logger": "exporter.scan",
        "msg": "3 targets",
    }


def test_a_plain_word_is_not_quoted() -> None:
    assert LogfmtFormatter().format(record("stopping")).endswith(" msg=stopping")


@formatters
@pytest.mark.parametrize("text", HOSTILE)
def test_a_line_stays_a_line_and_gives_back_its_message(formatter: logging.Formatter, text: str) -> None:
    line = formatter.format(record("%s", text))
    assert one_line(line)
    fields = json.loads(line) if isinstance(formatter, JsonFormatter) else logfmt_fields(line)
    assert fields["msg"] == text
    assert (fields["level"], fields["logger"]) == ("warning", "exporter.scan")


@formatters
@steady
@given(text=st.text())
def test_any_message_stays_on_its_line(formatter: logging.Formatter, text: str) -> None:
    line = formatter.format(record("%s", text))
    assert one_line(line)
    fields = json.loads(line) if isinstance(formatter, JsonFormatter) else logfmt_fields(line)
    assert fields["msg"] == text


@formatters
def test_a_trace_stays_on_the_line(formatter: logging.Formatter) -> None:
    made = record("probe failed")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        made.exc_info = sys.exc_info()
    line = formatter.format(made)
    assert one_line(line)
    fields = json.loads(line) if isinstance(formatter, JsonFormatter) else logfmt_fields(line)
    assert fields["trace"].startswith("Traceback (most recent call last):\n")
    assert fields["trace"].endswith("ValueError: two\nlines")


def test_printable_text_outside_ascii_stays_readable() -> None:
    assert "münchen 中" in JsonFormatter().format(record("münchen 中"))
    assert "münchen 中" in LogfmtFormatter().format(record("münchen 中"))


@pytest.mark.usefixtures("_logging_restored")
@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("debug", {"debug", "info", "warning", "error"}),
        ("info", {"info", "warning", "error"}),
        ("warning", {"warning", "error"}),
        ("error", {"error"}),
    ],
)
def test_our_own_lines_are_shown_from_the_level_on(
    level: str, shown: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with logging_to_stderr(level, "logfmt"):
        for each in ("debug", "info", "warning", "error"):
            getattr(logging.getLogger("exporter.app"), each)("word")
    output = capsys.readouterr()
    assert {logfmt_fields(line)["level"] for line in output.err.splitlines()} == shown
    assert output.out == ""


@pytest.mark.usefixtures("_logging_restored")
@pytest.mark.parametrize("library", ["apscheduler.scheduler", "uvicorn.error", "asyncio"])
def test_libraries_are_heard_from_warning_on(library: str, capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr("debug", "json"):
        logging.getLogger(library).info("chatter")
        logging.getLogger(library).warning("trouble")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["msg"] == "trouble"


@pytest.mark.usefixtures("_logging_restored")
def test_a_warning_of_a_library_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with logging_to_stderr("info", "json"):
            warnings.warn("a serial number\nthat is negative", stacklevel=1)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["logger"] == "py.warnings"
    assert "a serial number\nthat is negative" in json.loads(line)["msg"]
