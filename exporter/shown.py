"""What is shown of a target, in a form that is stored: a start with thousands of targets need not judge all of them.

The form is used only if a judgement would lead to the same: by the same program, policies, tables, exceptions and
settings, on the same facts and neighbours, before the next moment at which the judgement can change. Everything else
is judged again. What cannot be read is judged again, too.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date, datetime, timedelta
from enum import Enum
from functools import cache, lru_cache
from hashlib import sha256
from os.path import commonprefix
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from exporter.case import Neighbours
from exporter.fleet import KeyWord
from exporter.metrics import FAMILIES, Lines
from exporter.model import Target
from exporter.store.saved import Saved
from exporter.summaries import AddressSummary, LatestVerdicts, shared, with_addresses

_PACKAGE = Path(__file__).parent
_LEVEL = 1
_MOST_NEIGHBOURS = 100
"""Neighbours of a target whose keys are not all known. With more, it is judged again."""
_PLACES = {family: place for place, family in enumerate(FAMILIES)}
_MARK = "\0"
"""Stands for the labels of the target in the stored text."""


class UnstableError(TypeError):
    """The value is of a class whose contents are not known."""


_PLAIN = frozenset({type(None), bool, int, float, str, bytes, date, datetime, timedelta})
"""Classes of which equal values, and no others, have the same `repr` in all processes."""


_names: dict[type, str] = {}
_compared: dict[type, tuple[str, ...]] = {}


def _named(kind: type) -> str:
    name = _names.get(kind)
    if name is None:
        name = _names[kind] = str(kind)
    return name


def stable(value: object) -> object:
    """The value in a form whose `repr` is the same in each process, and another one for another value.

    Raises:
        UnstableError: that is not known of its class.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    match value:
        case Enum():
            return _named(kind), stable(value.value)
        case str() | Path():
            return _named(kind), str(value)
        case set() | frozenset():
            return "set", sorted(repr(stable(one)) for one in value)
        case tuple() | list():
            return _named(kind), [stable(one) for one in value]
        case Mapping():
            return "map", [(stable(key), stable(part)) for key, part in value.items()]
        case BaseModel():
            return _named(kind), [(name, stable(getattr(value, name))) for name in type(value).model_fields]
        case _:
            if not is_dataclass(value):
                raise UnstableError(kind)
            names = _compared.get(kind)
            if names is None:
                names = _compared[kind] = tuple(one.name for one in fields(value) if one.compare)
            return _named(kind), [stable(getattr(value, name)) for name in names]


@cache
def program() -> str:
    """A digest of this program and its tables."""
    digest = sha256()
    for file in sorted(_PACKAGE.rglob("*")):
        if file.suffix in {".py", ".yaml"}:
            digest.update(f"{file.relative_to(_PACKAGE)}\n".encode())
            digest.update(sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def digest_of(*parts: object) -> str | None:
    """A digest of what judgement depends on, and of the program; None if it is not known that it has everything."""
    try:
        return sha256(repr((program(), [stable(one) for one in parts])).encode()).hexdigest()
    except UnstableError:
        return None


def key_of(judge: str, target: Target, saved: Saved) -> str:
    """Equal if the same target was seen and would be judged in the same way."""
    digest = sha256(repr((judge, stable(target), saved.begun_at)).encode())
    for record in saved.records:
        digest.update(repr(record.address).encode())
        digest.update(sha256(record.seen).digest() + sha256(record.states).digest())
    return digest.hexdigest()


def near(neighbours: Neighbours, word: KeyWord | None) -> str | None:
    """What a judgement of the target with these keys gets of its neighbours; None if that is too much."""
    if word is None:
        return None
    both = (neighbours.ssl2_keys, neighbours.unclear_keys)
    if not word.whole and sum(map(len, both)) > _MOST_NEIGHBOURS:
        return None
    keys = sorted(word.keys) if word.whole else None
    found = [
        [(key, sorted(names)) for key in (sorted(part) if keys is None else keys) if (names := part.get(key))]
        for part in both
    ]
    return sha256(repr(found).encode()).hexdigest() if any(found) else ""


@dataclass(frozen=True, slots=True)
class StoredHead:
    """What is needed to decide whether a form is used, and before it is.

    Attributes:
        key: see `key_of`.
        near: see `near`.
        judged_at: when it was judged.
        changes_at: when the judgement can change; None if time does not change it.
        word: what its neighbours get of it.
        oldest: when the oldest of its facts was seen.
        since: of `turn`.
        turn: the first date after `since` that was seen of the target.
    """

    key: str
    near: str
    judged_at: datetime
    changes_at: datetime | None
    word: KeyWord
    oldest: datetime | None
    since: datetime
    turn: datetime | None

    def holds(self, now: datetime) -> bool:
        """Whether time has not changed the judgement."""
        return self.judged_at <= now and (self.changes_at is None or now < self.changes_at)


_HEAD, _ADDRESSES = TypeAdapter(StoredHead), TypeAdapter(tuple[AddressSummary, ...])
_VERDICTS = TypeAdapter(LatestVerdicts)
_LAYOUT = TypeAdapter(tuple[str, list[tuple[int, int]]])
"""A text that `_MARK` stands for; the place in `FAMILIES`, and the length, of the lines of each family."""
_OPTIONS: dict[str, Any] = {"fallback": dict, "warnings": False}  # mapping proxies


def pack(head: StoredHead, lines: Lines, judged: LatestVerdicts) -> bytes:
    """The stored form: the head, and what is shown.

    What is shown is read ten thousand times at a start. So the labels that each line has, half of the text, are there
    once, and what many targets have in common is a part of its own.
    """
    text, often = "".join(lines.values()), _often(lines)
    if often and _MARK not in text:
        text = text.replace(often, _MARK)
    else:
        often = ""
    body = (
        _VERDICTS.dump_json(replace(judged, addresses=()), **_OPTIONS),
        _ADDRESSES.dump_json(judged.addresses, **_OPTIONS),
        _LAYOUT.dump_json((often, [(_PLACES[family], len(part)) for family, part in lines.items()])),
        text.encode(),
    )
    return _HEAD.dump_json(head, **_OPTIONS) + b"\n" + zlib.compress(b"\n".join(body), _LEVEL)


def _often(lines: Lines) -> str:
    """The text that follows the first brace of all lines: the labels of the target."""
    first = (text.partition("\n")[0].partition("{")[2] for text in lines.values() if text)
    return commonprefix([*first])  # noqa: RUF071 - of texts that are not paths


def head_of(packed: bytes) -> StoredHead | None:
    """The head of a stored form; None if it cannot be read."""
    try:
        return _HEAD.validate_json(packed.partition(b"\n")[0])
    except ValidationError:
        return None


def body_of(packed: bytes) -> tuple[Lines, LatestVerdicts] | None:
    """What is shown; None if it cannot be read."""
    try:
        verdicts, addresses, layout, text = zlib.decompress(packed.partition(b"\n")[2]).split(b"\n", 3)
        judged = with_addresses(_verdicts(verdicts), _ADDRESSES.validate_json(addresses))
        return _lines(text.decode(), *_LAYOUT.validate_json(layout)), judged
    except (ValueError, zlib.error, IndexError):  # pydantic's errors are a ValueError
        return None


@lru_cache(maxsize=256)
def _verdicts(text: bytes) -> LatestVerdicts:
    """Verdicts without addresses. Most targets of a fleet have the same ones."""
    return shared(_VERDICTS.validate_json(text))


def _lines(text: str, often: str, layout: Sequence[tuple[int, int]]) -> Lines:
    """The lines by their families.

    Raises:
        ValueError: the layout is that of another text.
        IndexError: there is no such family.
    """
    text = text.replace(_MARK, often) if often else text
    lines, begin = {}, 0
    for place, length in layout:
        lines[FAMILIES[place]] = text[begin : begin + length]
        begin += length
    if begin != len(text):
        raise ValueError("the text has another length")
    return lines
