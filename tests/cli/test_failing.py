"""The exit code of `scan`, and what `--fail-on` makes of it."""

from dataclasses import replace

import pytest

from exporter.cli.failing import FAIL_ON, exit_code
from exporter.cli.parser import make_parser
from exporter.model import Acceptance, Finding, Severity, Verdict
from tests.support.facts import report
from tests.support.targets import NOW


@pytest.mark.parametrize(
    ("strict", "lax", "code"),
    [
        *((Verdict.PASS, Verdict.PASS, 0), (Verdict.PASS, Verdict.FAIL, 1), (Verdict.UNKNOWN, Verdict.FAIL, 1)),
        *((Verdict.PASS, Verdict.UNKNOWN, 3), (Verdict.NOT_APPLICABLE, Verdict.PASS, 3)),
    ],
)
def test_the_exit_code_goes_by_all_policies_together(strict: Verdict, lax: Verdict, code: int) -> None:
    findings = [Finding("check", strict, Severity.INFO, "", policy="strict")]
    findings.append(Finding("check", lax, Severity.INFO, "", policy="lax"))
    one = replace(report(), policies=("strict", "lax"), findings=tuple(findings))
    assert exit_code([one]) == code
    assert exit_code([report(), one]) == code


def _found(*findings: tuple[Severity, Verdict], success: bool = True) -> list[int]:
    made = tuple(
        Finding(f"check-{n}", verdict, severity, "", policy="p") for n, (severity, verdict) in enumerate(findings)
    )
    one = report()
    one = replace(one, policies=("p",), findings=made, result=replace(one.result, success=success))
    return [exit_code([one], level) for level in FAIL_ON]


PASS, FAIL, UNKNOWN, ELSEWHERE = Verdict
CRITICAL, WARNING, INFO = Severity
BY_LEVEL = [
    # critical, warning, info, unknown
    ([(CRITICAL, PASS)], [0, 0, 0, 0]),
    ([(CRITICAL, FAIL)], [1, 1, 1, 1]),
    ([(CRITICAL, PASS), (WARNING, FAIL)], [0, 1, 1, 1]),
    ([(CRITICAL, PASS), (INFO, FAIL)], [0, 0, 1, 1]),
    ([(CRITICAL, UNKNOWN), (INFO, FAIL)], [3, 3, 1, 1]),
    ([(CRITICAL, PASS), (WARNING, UNKNOWN)], [0, 3, 3, 1]),
    ([(INFO, PASS)], [0, 0, 0, 0]),
    ([(CRITICAL, ELSEWHERE)], [3, 3, 3, 1]),
    ([], [3, 3, 3, 1]),
]


@pytest.mark.parametrize(("findings", "codes"), BY_LEVEL)
def test_the_level_says_which_checks_count_and_unknown_is_never_0(
    findings: list[tuple[Severity, Verdict]], codes: list[int]
) -> None:
    assert _found(*findings) == codes


def test_a_scan_that_was_not_complete_is_never_0() -> None:
    assert _found((CRITICAL, PASS), success=False) == [3, 3, 3, 1]
    assert _found((CRITICAL, FAIL), success=False) == [1, 1, 1, 1]


def test_a_failure_that_is_accepted_does_not_count() -> None:
    accepted = Acceptance(NOW.date(), "it is replaced next week", "ops")
    findings = [Finding("grade", Verdict.FAIL, Severity.CRITICAL, "", policy="p", accepted=accepted)]
    one = replace(report(), policies=("p",), findings=tuple(findings))
    assert [exit_code([one], level) for level in FAIL_ON] == [0, 0, 0, 0]
    unknown = Finding("caa", Verdict.UNKNOWN, Severity.WARNING, "", policy="p")
    assert [exit_code([replace(one, findings=(*findings, unknown))], level) for level in FAIL_ON] == [0, 3, 3, 1]


def test_the_levels_of_the_command_line_are_those() -> None:
    for level in FAIL_ON:
        assert make_parser().parse_args(["scan", f"--fail-on={level}", "h"]).fail_on == level
    assert make_parser().parse_args(["scan", "h"]).fail_on == Severity.INFO
    with pytest.raises(SystemExit):
        make_parser().parse_args(["scan", "--fail-on=never", "h"])


@pytest.mark.parametrize("text", ["0", "-1", "1001", "", "ten", "1.5", "9" * 99])
def test_a_number_of_scans_at_once_that_is_none_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_parser().parse_args(["scan", "--concurrency=50", "h"]).concurrency == 50
    with pytest.raises(SystemExit):
        make_parser().parse_args(["scan", f"--concurrency={text}", "h"])
    assert "--concurrency" in capsys.readouterr().err
