"""The Authorization field of a request, read as Go's `Request.BasicAuth` reads it."""

import base64
import re
from collections.abc import Iterable

_BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_SCHEME = b"basic "


def credentials(fields: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, bytes] | None:
    """User and password of the first Authorization field; None if it has another form (RFC 7617, 2)."""
    value = next((value for name, value in fields if name == b"authorization"), b"")
    if value[: len(_SCHEME)].lower() != _SCHEME:
        return None
    encoded = value[len(_SCHEME) :]
    if len(encoded) % 4 or not _BASE64.fullmatch(encoded):
        return None
    user, colon, password = base64.b64decode(encoded).partition(b":")
    return (user, password) if colon else None
