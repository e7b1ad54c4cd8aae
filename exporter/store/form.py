"""The stored form of what was seen: JSON of every fact, compressed.

The published form of a report is not used. It leaves out what only verdicts need, such as the bytes of certificates,
and a restored fact must lead to the same verdicts. Fields have the names and types of the fact classes.
"""

import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic_core import PydanticSerializationError, to_json

from exporter.model import Facts, Failure, ScanResult, Seen, Target
from exporter.probes.registry import PROBES

_LEVEL = 1
"""Level 6 takes twice the time of level 1 for 5 % less: 3,128 bytes in place of 3,311, of an nginx with two
certificates."""


class UnreadableRecordError(Exception):
    """A stored record cannot be read by this version."""


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")


class _Result(_Stored):
    """The last scan, without its target and its facts."""

    started_at: datetime
    ended_at: datetime
    probes: dict[str, bool]
    failures: tuple[Failure, ...]
    success: bool
    connections: int
    bytes_sent: int
    bytes_received: int
    address: str | None
    addresses_found: int | None
    elapsed_seconds: float | None


_PART: Mapping[str, type[BaseModel]] = {
    probe.name: create_model(
        f"Stored{probe.kind.__name__}", __base__=_Stored, seen_at=(datetime, ...), value=(probe.kind, ...)
    )
    for probe in PROBES
}
if TYPE_CHECKING:
    _Parts: TypeAlias = Any
else:  # one field for each probe, so the fields are known only at run time
    _Parts = create_model("_Parts", __base__=_Stored, **{name: (part | None, None) for name, part in _PART.items()})


class _Seen(_Stored):
    """What is known of one address.

    Attributes:
        facts: probe -> its latest facts.
        of_scan: probe -> its facts in the last scan, where they differ from those.
        same: the other probes that gave facts in the last scan.
    """

    result: _Result
    last_success_at: datetime | None
    facts: _Parts
    of_scan: _Parts
    same: tuple[str, ...]


def pack(seen: Seen) -> bytes:
    """What was seen, as compressed JSON."""
    result = {name: getattr(seen.result, name) for name in _Result.model_fields}
    facts, of_scan = _parts(seen.facts), _parts(seen.result.facts)
    same = tuple(name for name, part in of_scan.items() if facts.get(name) == part)
    form = _Seen.model_construct(
        result=_Result.model_construct(**result),
        last_success_at=seen.last_success_at,
        facts=_Parts.model_construct(**facts),
        of_scan=_Parts.model_construct(**{name: part for name, part in of_scan.items() if name not in same}),
        same=same,
    )
    return zlib.compress(_json(form), _LEVEL)


def _parts(facts: Facts) -> dict[str, Any]:
    return {
        probe.name: _PART[probe.name].model_construct(seen_at=facts.seen_at(probe.kind), value=value)
        for probe in PROBES
        if (value := facts.get(probe.kind)) is not None
    }


def _json(form: _Seen) -> bytes:
    options: dict[str, Any] = {"fallback": dict, "warnings": False}  # mapping proxies
    try:
        return form.model_dump_json(**options).encode()
    except PydanticSerializationError:  # a lone surrogate in a text
        return to_json(_without_surrogates(form.model_dump(mode="json", **options)))


def _without_surrogates(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    match value:
        case str():
            return value.encode(errors="replace").decode()
        case dict():
            return {_without_surrogates(key): _without_surrogates(part) for key, part in value.items()}
        case list():
            return [_without_surrogates(part) for part in value]
        case _:
            return value


def unpack(packed: bytes, target: Target) -> Seen:
    """What was seen, as of this target.

    Raises:
        UnreadableRecordError: another version wrote this, or it is damaged.
    """
    try:
        form = _Seen.model_validate_json(zlib.decompress(packed))
    except (zlib.error, ValidationError, UnicodeDecodeError) as error:
        raise UnreadableRecordError(str(error).partition("\n")[0]) from error
    facts = _facts(form.facts)
    same = facts.without(probe.kind for probe in PROBES if probe.name not in form.same)
    result = {name: getattr(form.result, name) for name in _Result.model_fields}
    return Seen(ScanResult(target=target, facts=_facts(form.of_scan).over(same), **result), facts, form.last_success_at)


def _facts(parts: _Parts) -> Facts:
    return Facts(
        {probe.kind: (part.value, part.seen_at) for probe in PROBES if (part := getattr(parts, probe.name)) is not None}
    )
