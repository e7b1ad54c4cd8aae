"""The files that pages load: one style sheet and one script, both of our own."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

_FOLDER = Path(__file__).parent / "assets"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file.

    Attributes:
        name: with the digest of its content, so that browsers may keep it.
        content_type: for the header field.
    """

    name: str
    content: str
    content_type: str


def _read(name: str) -> Asset:
    path = _FOLDER / name
    content = path.read_text(encoding="utf-8")
    digest = sha256(content.encode()).hexdigest()[:12]
    return Asset(f"{path.stem}.{digest}{path.suffix}", content, _TYPES[path.suffix])


ASSETS: Mapping[str, Asset] = {name: _read(name) for name in ("page.css", "page.js")}
"""File -> asset."""
