"""Log lines to standard error, as logfmt or JSON."""

import json
import logging
import time
from typing import Any


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    fields = {
        "ts": f"{stamp}.{int(record.msecs):03d}Z",
        "level": record.levelname.lower(),
        "logger": record.name,
        "msg": record.getMessage(),
    }
    if record.exc_info:
        fields["trace"] = logging.Formatter().formatException(record.exc_info)
    return fields


class JsonFormatter(logging.Formatter):
    """One JSON object for each line."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        return _json(_fields(record))


class LogfmtFormatter(logging.Formatter):
    """`key=value` pairs; a value with spaces or quotes is quoted as in JSON, so a record stays one line."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        return " ".join(f"{key}={_quoted(value)}" for key, value in _fields(record).items())


def _quoted(value: str) -> str:
    plain = value.isascii() and value.isprintable() and not any(c in value for c in ' "=')
    return value if plain and value else _json(value)


def _json(value: object) -> str:
    """JSON that every reader sees as one line: unprintable characters outside ASCII are escaped too."""
    text = json.dumps(value, ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def set_up_logging(level: str, form: str) -> None:
    """Send records from this level on to standard error; from libraries only warnings and above.

    Python's warnings become records too: a warning of cryptography about a certificate must not break the form of the
    log.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else LogfmtFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(True)
    logging.getLogger("exporter").setLevel(level.upper())
    for chatty in ("apscheduler", "uvicorn"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, getattr(logging, level.upper())))
