"""Values of a web configuration file. No message quotes a value that may be a secret."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from exporter.quoting import quoted

HIGHEST_COST = 18
"""Of a bcrypt hash. The time doubles with each step: cost 10 takes a tenth of a second, cost 18 half a minute."""
LOWEST_COST = 4
"""bcrypt's own."""
HEADERS: Mapping[str, tuple[str, ...]] = {
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
    "Content-Security-Policy": (),
}
"""The header fields that can be set, and their values; any value if there are none here."""

_HASH = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
"""The last character of the salt has two bits only."""
_PART = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)"
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_BOOLEANS = {"yes": True, "on": True, "no": False, "off": False}


def _secret(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("is not text; put it in quotes")
    return value or None


def _hash(value: object) -> object:
    found = _HASH.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("is not a bcrypt hash such as `htpasswd -nBC 10 USER` prints")
    if not LOWEST_COST <= int(found[1]) <= HIGHEST_COST:
        raise ValueError(f"has the cost {int(found[1])}; it has to be from {LOWEST_COST} to {HIGHEST_COST}")
    return value


def _switch(value: object) -> object:
    return _BOOLEANS.get(value.lower(), value) if isinstance(value, str) else value


def _seconds(value: object) -> object:
    """The seconds of a Go duration such as `1m30s`; a plain number is nanoseconds, as in Go."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value * 1e-9
    if not isinstance(value, str) or not re.fullmatch(rf"0|(?:{_PART})+", value):
        raise ValueError(f"{quoted(value)} is not a duration such as 1s, 100ms or 1m30s")
    return sum(float(number) * _SECONDS[unit] for number, unit in re.findall(_PART, value))


def _field_text(value: object) -> object:
    return str(value) if type(value) is int else value  # `X-XSS-Protection: 0` has no quotes as a rule


def _headers(fields: dict[str, str]) -> dict[str, str]:
    for name, value in fields.items():
        if name not in HEADERS:
            raise ValueError(f"the header field {quoted(name)} cannot be set; those are {', '.join(HEADERS)}")
        if HEADERS[name] and value not in HEADERS[name]:
            raise ValueError(f"{name} is one of {', '.join(HEADERS[name])}, not {quoted(value)}")
        if not re.fullmatch(r"[\x20-\x7e]*", value):
            raise ValueError(f"{name} has characters that are not printable ASCII")
    return {name: value.strip() for name, value in fields.items()}  # as Go; h11 sends no other


Secret = Annotated[str | None, BeforeValidator(_secret), Field(repr=False)]
"""Text in the file itself, such as a key. Empty is none."""
BcryptHash = Annotated[str, BeforeValidator(_hash)]
Switch = Annotated[bool, Field(strict=True), BeforeValidator(_switch)]
"""Also as YAML 1.1 writes it, as Go's parser reads it."""
GoSeconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0, le=86400)]
Headers = Annotated[dict[str, Annotated[str, BeforeValidator(_field_text)]], AfterValidator(_headers)]
