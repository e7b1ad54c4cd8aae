"""`--version` and `--help` are fast: they import no large modules."""

import subprocess
import sys

import pytest

STANDARD = {"asyncio", "dataclasses", "inspect", "json", "logging", "ssl", "typing"}
"""Parts of the standard library that cost as much as all that is needed here."""


def loaded(*arguments: str) -> set[str]:
    """Modules that the program has loaded at its end, without those of the interpreter at its start."""
    program = (
        "import sys; before = set(sys.modules)\n"
        "from exporter.__main__ import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "print(*sorted(sys.modules.keys() - before), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout, "it answered"
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "arguments",
    [("--version",), ("--help",), *((one, "--help") for one in ("serve", "scan", "check-config", "policies", "demo"))],
    ids=" ".join,
)
def test_a_question_about_the_program_loads_the_parser_and_nothing_else_of_ours(arguments: tuple[str, ...]) -> None:
    names = loaded(*arguments)
    ours = {name for name in names if name.split(".")[0] == "exporter"}
    assert ours == {
        *("exporter", "exporter.__main__"),
        *("exporter.cli", "exporter.cli.parser", "exporter.cli.standard_files"),
    }
    foreign = {name.split(".")[0] for name in names} - {"exporter"} - sys.stdlib_module_names
    assert foreign == set()
    assert names & STANDARD == set()
