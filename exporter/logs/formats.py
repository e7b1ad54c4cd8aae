"""The two forms of a log line. Both are one line of printable characters."""

import json
import logging
import time

from exporter.logs.about import Field
from exporter.text import escaped


def _fields(record: logging.LogRecord) -> dict[str, Field]:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    shown: dict[str, Field] = {
        "ts": f"{stamp}.{int(record.msecs):03d}Z",
        "level": record.levelname.lower(),
        "logger": record.name,
        "msg": record.getMessage(),
    }
    shown |= {name: value for name, value in getattr(record, "fields", {}).items() if name not in shown}
    if record.exc_info:
        shown["trace"] = logging.Formatter().formatException(record.exc_info)
    return shown


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


def _quoted(value: Field) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    plain = text.isascii() and text.isprintable() and not any(char in text for char in ' "=')
    return text if plain and text else _json(text)


def _json(value: object) -> str:
    return escaped(json.dumps(value, ensure_ascii=False))
