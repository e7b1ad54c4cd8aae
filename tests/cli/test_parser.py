"""`--version` and `--help` are fast: they import no large modules."""

import subprocess
import sys
from datetime import timedelta

import pytest

from exporter.cli.parser import make_parser

STANDARD = {"asyncio", "dataclasses", "inspect", "json", "logging", "ssl", "typing"}
"""Parts of the standard library that cost as much as all that is needed here."""

COMMANDS = (
    "serve",
    "scan",
    "check-config",
    "targets",
    "diff",
    "explain",
    "policies",
    "completion",
    "demo",
    "healthcheck",
)


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
    [("--version",), ("--help",), *((one, "--help") for one in COMMANDS)],
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("scna a.example", ": error: unknown command 'scna'; did you mean scan?"),
        ("zzz", ": error: unknown command 'zzz'; known are serve, scan, report, "),
        ("--verison", ": error: unknown flag --verison; did you mean --version?"),
        ("policies lst", " policies: error: unknown command 'lst'; did you mean list?"),
        ("serve --confg.file=a.yaml", " serve: error: unknown flag --confg.file; did you mean --config.file?"),
        ("scan --polcy mozilla-modern a.example", " scan: error: unknown flag --polcy; did you mean --policy?"),
        ("scan a.example --zzz", " scan: error: unknown flag --zzz\n"),
        ("scan -x a.example", " scan: error: unknown flag -x\n"),
        ("demo a.example", " demo: error: unexpected argument a.example\n"),
        (
            "--config.file=a.yaml serve",
            ": error: unknown flag --config.file; it is a flag of serve, scan, ",
        ),
        ("scan --log.format=jsn a", "argument --log.format: 'jsn' is not one of logfmt, json; did you mean json?"),
        ("completion bsh", "argument shell: 'bsh' is not one of bash, zsh, tcsh, fish; did you mean bash?"),
    ],
)
def test_a_wrong_argument_comes_with_the_one_that_was_meant(
    arguments: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        make_parser().parse_args(arguments.split())
    assert ended.value.code == 2
    assert message in capsys.readouterr().err.splitlines(keepends=True)[-1].removeprefix("tls-posture-exporter")


def test_what_follows_two_dashes_or_has_blanks_is_no_flag() -> None:
    assert make_parser().parse_args(["scan", "--", "--polcy"]).target == ["--polcy"]
    assert make_parser().parse_args(["scan", "--polcy of ours"]).target == ["--polcy of ours"]


def test_the_beginning_of_a_flag_is_enough() -> None:
    assert str(make_parser().parse_args(["serve", "--config.fil=a.yaml"]).config_file) == "a.yaml"
