"""`--version` and `--help` are fast: they import no large modules."""

import subprocess
import sys
from datetime import timedelta

import pytest

from exporter.cli.parser import make_parser

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
        *("exporter.cli", "exporter.cli.arguments", "exporter.cli.parser", "exporter.cli.standard_files"),
    }
    foreign = {name.split(".")[0] for name in names} - {"exporter"} - sys.stdlib_module_names
    assert foreign == set()
    assert names & STANDARD == set()


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("1s", 1), ("5m", 300)])
def test_the_files_are_polled_at_an_interval_that_is_off_by_default(text: str, seconds: int) -> None:
    serve = ["serve", "--config.file=a.yaml"]
    assert make_parser().parse_args(serve).poll_every is None
    options = make_parser().parse_args([*serve, f"--config.auto-reload-interval={text}"])
    assert options.poll_every == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["0s", "1ms", "30", ""])
def test_an_interval_that_is_none_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args(["serve", "--config.file=a.yaml", f"--config.auto-reload-interval={text}"])
    assert "--config.auto-reload-interval" in capsys.readouterr().err
