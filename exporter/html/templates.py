"""Renders templates. All text is escaped twice over: for HTML, and characters that are not printable.

Templates are in `templates/`; what several of them use is in `templates/parts.html`.
"""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from exporter import __version__
from exporter.html.assets import ASSETS
from exporter.text import escaped

_FOLDER = Path(__file__).parent / "templates"
_PIECES = 200
"""Pieces of a template between two turns of the event loop: about a millisecond."""


def _printable(value: object) -> object:
    """What a template shows of a value."""
    return escaped(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _moment(at: datetime) -> str:
    """Date and minute, UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def _apart(from_: datetime, to: datetime) -> str:
    """The time between two moments in its largest unit: "5 min", "3 h", "12 d"."""
    return _span(abs(to - from_))


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def _segment(text: str) -> str:
    """The text as one segment of a path."""
    return quote(text, safe="")


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The environment of all templates."""
    made = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=_printable,
    )
    made.filters |= {"moment": _moment, "span": _span, "segment": _segment}
    made.globals |= {"apart": _apart, "assets": ASSETS, "version": __version__}
    return made


def preload() -> None:
    """Compile all templates, which takes longer than a request may."""
    for name in environment().list_templates():
        environment().get_template(name)


def render(template: str, values: Mapping[str, object]) -> str:
    """The page."""
    return environment().get_template(template).render(values)


def _slices(pieces: Iterator[str]) -> Iterator[str]:
    part = []
    for piece in pieces:
        part.append(piece)
        if len(part) == _PIECES:
            yield "".join(part)
            part = []
    yield "".join(part)


async def render_slices(template: str, values: Mapping[str, object]) -> str:
    """The page, made in slices between which the event loop goes on."""
    parts = []
    for part in _slices(environment().get_template(template).generate(values)):
        parts.append(part)
        await asyncio.sleep(0)
    return "".join(parts)
