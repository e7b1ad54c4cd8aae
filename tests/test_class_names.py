"""Names of classes are unique, so a search for a class finds one."""

import ast
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "exporter"


def classes(folder: Path) -> dict[str, list[str]]:
    """Name of a class -> the files below the folder that define it, a file once for each definition."""
    found = defaultdict(list)
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(file.relative_to(folder).as_posix())
    return dict(found)


def test_a_name_that_two_modules_define_is_found(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("class A:\n    class B:\n        pass\n")
    (tmp_path / "two.py").write_text("def f():\n    class B:\n        pass\n")
    assert classes(tmp_path) == {"A": ["one.py"], "B": ["one.py", "two.py"]}


def test_no_two_classes_have_the_same_name() -> None:
    several = {name: files for name, files in classes(PACKAGE).items() if len(files) > 1}
    assert several == {}
