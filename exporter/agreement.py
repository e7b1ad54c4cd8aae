"""Whether the addresses of one target agree, fact by fact, in what the last scan saw. Pure.

Only what the last scan saw is compared. If older facts of one address were compared with newer facts of another, a
change would look like a difference.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from exporter.derived.registry import DERIVATIONS
from exporter.facts.form import Key, entries
from exporter.facts.shape import Shape
from exporter.model import Disagreement, Facts, Report
from exporter.probes.registry import PROBES

MAX_PARTS = 8
MAX_ITEMS = 8
MAX_CHARACTERS = 200
"""Maximum characters of one fact, one list, one text. The report of each address has the complete value."""

Path = tuple[str, ...]
"""Keys from a fact to a part of it."""
Value = str | frozenset[str]
"""A part of a fact as text; a list without its order, which has a fact of its own where it matters."""


def disagreements(reports: Sequence[Report]) -> tuple[Disagreement, ...] | None:
    """The facts that differ between addresses, or None when no fact is known of two addresses.

    What is not known of an address is left out, so it disagrees with nothing.
    """
    seen: dict[str, dict[str, dict[str, Value]]] = {}
    for report in reports:
        if report.address is not None:
            for fact, part, value in _known(report):
                seen.setdefault(fact, {}).setdefault(part, {})[report.address] = value
    found, compared = [], False
    for fact, parts in seen.items():
        several = {part: values for part, values in parts.items() if len(values) > 1}
        compared = compared or bool(several)
        differing = {part: values for part, values in several.items() if len(set(values.values())) > 1}
        if differing:
            found.append(Disagreement(fact, _said(differing)))
    return tuple(found) if compared else None


def _known(report: Report) -> Iterator[tuple[str, str, Value]]:
    """Fact, part and value of everything that is compared."""
    for form, document in _documents(report):
        for (fact, *parts), value in _compared(form, document):
            yield fact, ".".join(parts) or fact, value


def _documents(report: Report) -> Iterator[tuple[type, Mapping[str, object]]]:
    """Form and content of what the last scan saw, and of derived facts if it saw the facts that they follow from.

    Facts without a compared key are left out: some of them take long to compute.
    """
    for probe in PROBES:
        if report.facts.seen_at(probe.kind) is not None:
            yield from _document(probe.shape, report.result.facts)
    if len(report.result.facts):
        for derivation in DERIVATIONS:
            yield from _document(derivation.shape, report.facts)


def _document(shape: Shape[object], seen: Facts) -> Iterator[tuple[type, Mapping[str, object]]]:
    if any(entry.compared for entry in entries(shape.form).values()):
        facts = seen.get(shape.kind)
        if facts is not None:
            yield shape.form, shape.document(facts)


def _compared(form: type, content: Mapping[str, object]) -> Iterator[tuple[Path, Value]]:
    """The compared parts of a dictionary of this form."""
    for name, value in content.items():
        entry = entries(form)[name]
        if not entry.key.compared or _may_lack_some(entry.key, content):
            continue
        if entry.form is not None and isinstance(value, Mapping):
            parts = _compared(entry.form, value)
        else:
            parts = _complete_parts(entry.key, value, content)
        yield from (((name, *path), part) for path, part in parts)


def _may_lack_some(key: Key, content: Mapping[str, object]) -> bool:
    return key.complete is not None and content.get(key.complete) is False


def _complete_parts(key: Key, value: object, content: Mapping[str, object]) -> Iterator[tuple[Path, Value]]:
    """The parts of a value without declared keys, except parts that may be incomplete."""
    incomplete = cast("Sequence[str]", content.get(key.incomplete, ()) if key.incomplete else ())
    for path, part in _parts(value):
        if ".".join(path) not in incomplete and (part or not key.never_empty):
            yield path, part


def _parts(content: object) -> Iterator[tuple[Path, Value]]:
    if isinstance(content, Mapping):
        for key, below in content.items():
            yield from (((str(key), *path), part) for path, part in _parts(below))
    elif isinstance(content, Sequence) and not isinstance(content, str):
        yield (), frozenset(map(_text, content))
    elif content is not None:
        yield (), _text(content)


def _text(value: object) -> str:
    return str(value) if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)


def _said(differing: Mapping[str, Mapping[str, Value]]) -> dict[str, dict[str, str]]:
    """The values of the first few differing parts, by address; of a list only the entries that are not in all."""
    said: dict[str, dict[str, str]] = {}
    for part, values in list(differing.items())[:MAX_PARTS]:
        lists = [value for value in values.values() if isinstance(value, frozenset)]
        shared = frozenset.intersection(*lists) if lists else frozenset()
        for address, value in values.items():
            shown = value if isinstance(value, str) else _listed(sorted(value - shared))
            said.setdefault(address, {})[part] = shown[:MAX_CHARACTERS]
    return said


def _listed(items: Sequence[str]) -> str:
    more = f" and {len(items) - MAX_ITEMS} more" if len(items) > MAX_ITEMS else ""
    return ", ".join(items[:MAX_ITEMS]) + more
