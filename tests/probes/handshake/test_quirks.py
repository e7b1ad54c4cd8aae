"""Each quirk of a server is written in one place, and used where it matters."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from exporter.probes.handshake.quirks import ServerQuirks

PACKAGE = Path(__file__).parents[3] / "exporter" / "probes" / "handshake"
QUIRKS = [field.name for field in fields(ServerQuirks)]


def _is_quirk(node: ast.AST) -> bool:
    """An attribute of something that is named `quirks` or `_quirks`."""
    if not isinstance(node, ast.Attribute) or node.attr not in QUIRKS:
        return False
    owner = node.value
    name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
    return name.lstrip("_") == "quirks"


def _changed(node: ast.AST) -> Iterator[ast.AST]:
    """Targets of an assignment, and what a method is called on that may change it."""
    if isinstance(node, ast.Assign):
        yield from (part for target in node.targets for part in ast.walk(target))
    elif isinstance(node, ast.AugAssign):
        yield node.target
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        yield node.func.value


def _writers() -> dict[str, set[str]]:
    """Quirk -> functions that write it, as MODULE.FUNCTION."""
    writers: dict[str, set[str]] = defaultdict(set)
    for file in PACKAGE.glob("*.py"):
        functions = [
            n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        for function in functions:
            for target in (target for node in ast.walk(function) for target in _changed(node)):
                if _is_quirk(target) and isinstance(target, ast.Attribute):
                    writers[target.attr].add(f"{file.stem}.{function.name}")
    return writers


@pytest.mark.parametrize("quirk", QUIRKS)
def test_one_function_writes_a_quirk_and_its_docstring_says_where(quirk: str) -> None:
    (writer,) = _writers()[quirk]
    module = writer.partition(".")[0]
    _, _, described = (ServerQuirks.__doc__ or "").partition(f"{quirk}: ")
    assert f"Written by `{module}`" in " ".join(described.split()).partition(": ")[0]


def test_every_quirk_is_read() -> None:
    reads = defaultdict[str, int](int)
    for file in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if _is_quirk(node) and isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                reads[node.attr] += 1
    assert set(reads) == set(QUIRKS)
