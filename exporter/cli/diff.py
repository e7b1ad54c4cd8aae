"""`diff`: what got better and what got worse between two scans."""

import argparse
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from exporter.cli import exits
from exporter.cli.output import complain
from exporter.cli.pages import show
from exporter.comparison import DifferenceKind, TargetDifference, as_data, compare, counts
from exporter.comparison.documents import SCHEMA_VERSION, OldReports
from exporter.errors import ConfigError, Problem
from exporter.text import escaped, escaped_lines
from exporter.yamlfile import in_words

MAX_BYTES = 256 * 2**20
"""A report is 30 to 80 kB."""
_MOST_PROBLEMS = 10
_STYLES = {
    DifferenceKind.WORSE: "bold red",
    DifferenceKind.BETTER: "green",
    DifferenceKind.UNKNOWN: "yellow",
    DifferenceKind.GONE: "yellow",
}
_OTHERS = (
    (DifferenceKind.BETTER, "got better"),
    (DifferenceKind.CHANGED, "changed"),
    (DifferenceKind.NEW, "new"),
    (DifferenceKind.SAME, "the same"),
)


def run(options: argparse.Namespace) -> int:
    """Compare and print; returns the exit code."""
    old, new = read(options.old), read(options.new)
    found = compare(old, new)
    if old.reports and new.reports and _latest(old) > _latest(new):
        complain("tls-posture-exporter: the scans of OLD are later than those of NEW; are they the other way round?")
    if options.format == "json":
        print(escaped_lines(json.dumps(as_data(found), indent=2, ensure_ascii=False)))
    else:
        show(Group(*_page(found)))
    return exit_code(counts(found))


def exit_code(number: Mapping[DifferenceKind, int]) -> int:
    """1 when something got worse, else 3 when something is not known any more, else 0."""
    if number.get(DifferenceKind.WORSE):
        return exits.NOT_COMPLIANT
    return exits.UNKNOWN if number.get(DifferenceKind.UNKNOWN) or number.get(DifferenceKind.GONE) else exits.OK


def read(path: Path) -> OldReports:
    """The document.

    Raises:
        ConfigError: it cannot be read, or is not a document of `scan --format=json`.
    """
    try:
        with path.open("rb") as file:  # also a pipe, such as <(scan ...)
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([Problem(str(path), 1, 1, "", f"cannot be read: {error.strerror}")]) from error
    if len(data) > MAX_BYTES:
        raise ConfigError([Problem(str(path), 1, 1, "", f"is larger than {MAX_BYTES // 2**20} MiB")])
    try:
        document = OldReports.model_validate_json(data)
    except ValidationError as error:
        raise ConfigError(list(_problems(path, error))) from error
    if document.schema_version != SCHEMA_VERSION:
        message = f"{document.schema_version} is not known here; this program reads {SCHEMA_VERSION}"
        raise ConfigError([Problem(str(path), 1, 1, "schema_version", message)])
    return document


def _problems(path: Path, error: ValidationError) -> Iterator[Problem]:
    for item in error.errors(include_url=False)[:_MOST_PROBLEMS]:
        if item["type"] == "json_invalid":
            what = str(item["ctx"]["error"])
            at = re.search(r" at line (\d+) column (\d+)$", what)
            line, column = (int(at[1]), int(at[2])) if at else (1, 1)
            message = f"not valid JSON: {what[: at.start()] if at else what}"
            yield Problem(str(path), line, max(column, 1), "", message)
        else:
            where = ".".join(map(str, item["loc"]))
            hint = "; is it a document of `scan --format=json`?" if where == "schema_version" else ""
            yield Problem(str(path), 1, 1, where, f"{in_words(item)}{hint}")


def _latest(document: OldReports) -> float:
    return max(one.scanned_at.timestamp() for one in document.reports)


def _page(found: Sequence[TargetDifference]) -> Iterator[RenderableType]:
    yield Text(summary(counts(found)))
    for one in found:
        if one.direction is DifferenceKind.SAME:
            continue
        where = f" at {one.address}" if one.address else ""
        yield Text.assemble("\n", (escaped(f"{one.target}{where}"), "bold"))
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold", ratio=2)
        table.add_column(overflow="fold", ratio=3)
        for it in one.differences:
            name = it.subject or it.what if it.what in {"verdict", "target"} else f"{it.what} {it.subject}".strip()
            row = (Text(it.direction.value, _STYLES.get(it.direction, "")), Text(escaped(name)), Text(escaped(it.text)))
            table.add_row(*row)
        yield Padding(table, (0, 0, 0, 2), expand=False)


def summary(number: Mapping[DifferenceKind, int]) -> str:
    """The result in a line."""
    total = sum(number.values())
    of_all = f"of {total} target{'' if total == 1 else 's'}"
    lost = number.get(DifferenceKind.UNKNOWN, 0) + number.get(DifferenceKind.GONE, 0)
    first = (
        f"{number[DifferenceKind.WORSE]} {of_all} got worse"
        if number.get(DifferenceKind.WORSE)
        else f"None {of_all} got worse"
    )
    rest = [f"{lost} not known any more"] if lost else []
    rest += [f"{number[direction]} {word}" for direction, word in _OTHERS if number.get(direction)]
    return "; ".join([first, *(", ".join(rest),) * bool(rest)]) + "."
