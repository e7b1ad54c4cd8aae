"""Several targets for people: the result first, the worst first, details only of what does not pass."""

from collections.abc import Sequence
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from exporter.model import Acceptance, Facts, Failure, Finding, Reason, Remedy, Report, Severity, Verdict
from exporter.ranking import ranked
from exporter.terminal_overview import print_overview, result_line
from tests.support.facts import good_facts, result
from tests.support.report_sets import gone_with_failure
from tests.support.targets import NOW, make_target
from tests.test_terminal import HOSTILE

CRITICAL = Finding("protocols", Verdict.FAIL, Severity.CRITICAL, "accepts TLSv1.0", policy="p")
WARNING = Finding("hsts", Verdict.FAIL, Severity.WARNING, "there is no HSTS header", policy="p")
MINOR = Finding("clients", Verdict.FAIL, Severity.INFO, "Android 4.0.4 can connect", policy="p")
PASS = Finding("grade", Verdict.PASS, Severity.WARNING, "the grade is A+", policy="p")
UNKNOWN = Finding("caa", Verdict.UNKNOWN, Severity.WARNING, "the CAA records could not be looked up", policy="p")
ACCEPTED = replace(WARNING, accepted=Acceptance(NOW.date(), "it is replaced next week", "ops"))
REFUSED = Failure("handshake", Reason.CONNECT_REFUSED, "192.0.2.1 port 443: refused")
DNS = Failure("caa", Reason.DNS_ERROR, "no answer")


def judged(name: str, *findings: Finding, failures: tuple[Failure, ...] = (), **changes: object) -> Report:
    reached = REFUSED not in failures
    seen = good_facts() if reached else Facts()
    scanned = replace(
        result(seen, target=make_target(name=name), failures=failures, success=reached),
        **changes,  # type: ignore[arg-type]
    )
    return Report(scanned, seen, None, ("p",), findings, NOW.date())


def printed(
    *targets: Sequence[Report] | Report,
    missing: Sequence[str] = (),
    width: int = 80,
    colour: bool = False,
    explain: bool = False,
    verbose: bool = False,
) -> str:
    file = StringIO()
    console = Console(file=file, width=width, force_terminal=colour, color_system="standard" if colour else None)
    every = ranked([target] if isinstance(target, Report) else target for target in targets)
    print_overview(console, every, [make_target(name=name) for name in missing], explain=explain, verbose=verbose)
    return file.getvalue()


FLEET = (
    judged("good.example:443", PASS),
    judged("accepted.example:443", ACCEPTED, PASS),
    judged("silent.example:443", UNKNOWN, failures=(REFUSED,)),
    judged("unknown.example:443", UNKNOWN, PASS, failures=(DNS,)),
    judged("a-warning.example:443", WARNING, PASS),
    judged("worst.example:443", MINOR, WARNING, CRITICAL, UNKNOWN),
    judged("same-warning.example:443", WARNING, PASS),
)
SHOWN = f"""\
8 targets: 3 do not comply, 1 unreachable, 1 unknown, 1 with accepted failures only, 1 not scanned, 1 complies.

worst.example:443         DOES NOT COMPLY  1 critical, 1 warning
a-warning.example:443     DOES NOT COMPLY  1 warning
same-warning.example:443  DOES NOT COMPLY  1 warning
unknown.example:443       unknown          not known: caa
silent.example:443        unreachable      the connection is refused
accepted.example:443      fails, accepted  1 accepted
good.example:443          complies
not scanned: missing.example:443

worst.example:443
  critical  protocols  accepts TLSv1.0
  warning   hsts       there is no HSTS header
  info      clients    Android 4.0.4 can connect
  unknown              caa

a-warning.example:443, same-warning.example:443  (2 with the same findings)
  warning  hsts  there is no HSTS header

unknown.example:443
  unknown  caa    the CAA records could not be looked up
  failed   (caa)  dns_error: no answer

accepted.example:443
  accepted  hsts  there is no HSTS header (accepted by ops until {NOW.date()}: it is replaced next week)
"""


def test_the_result_is_first_then_a_line_for_each_target_then_what_does_not_pass() -> None:
    text = printed(*FLEET, missing=["missing.example:443"], width=120)
    assert text == SHOWN


def test_a_target_that_is_not_reached_has_one_line_and_no_details() -> None:
    text = printed(*FLEET)
    assert text.count("silent.example") == 1
    alone = printed(judged("silent.example:443", UNKNOWN, failures=(REFUSED,)))
    shown = (
        "silent.example:443  unreachable  the connection is refused  (connect_refused: 192.0.2.1 port 443: refused)\n"
    )
    assert alone == shown


def test_what_fails_by_dns_alone_is_shown_of_a_target_that_is_not_reached() -> None:
    alone = printed(gone_with_failure())
    assert "DOES NOT COMPLY  the connection is refused" in alone
    assert "caa" in alone
    assert "protocols" not in alone
    several = printed(gone_with_failure(), *FLEET, width=120)
    assert "1 warning, not reached: the connection is refused\n" in several
    assert " caa " in several


def test_of_one_target_all_checks_are_shown_and_with_verbose_of_each() -> None:
    assert "the grade is A+" in printed(judged("worst.example:443", CRITICAL, PASS))
    assert "the grade is A+" not in printed(*FLEET)
    assert printed(*FLEET, verbose=True).count("the grade is A+") == 5
    assert printed(*FLEET, verbose=True).count("silent.example") == 2, "in the list, and one line below"


def test_with_explain_each_failure_is_explained_once_for_targets_with_the_same() -> None:
    remedy = Remedy("nginx", ("add_header X;",), "In the server block.")
    finding = replace(WARNING, asked="a header", remedy=(remedy,))
    text = printed(
        judged("a", finding), judged("b", finding), judged("c", replace(finding, asked="no header")), explain=True
    )
    assert text.count("add_header X;") == 2
    assert "a, b  (2 with the same findings)" in text


def test_addresses_are_named_where_they_differ() -> None:
    here, there = judged("shop", PASS, address="192.0.2.1"), judged("shop", CRITICAL, address="192.0.2.2")
    silent = judged("half", UNKNOWN, failures=(REFUSED,), address="192.0.2.3")
    text = printed((here, there), (silent, judged("half", PASS, address="192.0.2.4")), width=120)
    assert "shop  DOES NOT COMPLY  1 critical\n" in text
    assert "half  unknown          not known: caa, not reached at 192.0.2.3: the connection is refused\n" in text
    assert "\nshop 192.0.2.2\n" in text
    assert "shop 192.0.2.1" not in text
    assert printed((here, there)).startswith("shop  DOES NOT COMPLY  at 1 of 2 addresses\n\n")
    assert printed((here, silent)).startswith("shop  unknown  at 1 of 2 addresses\n\n")


@pytest.mark.parametrize(
    ("targets", "missing", "line"),
    [
        ([judged("a", PASS), judged("b", PASS)], 0, "2 targets: 2 comply."),
        ([judged("a", PASS)], 1, "2 targets: 1 not scanned, 1 complies."),
        ([], 1, "1 target: 1 not scanned."),
        ([], 0, "No targets."),
        ([judged("a", CRITICAL)], 9, "10 targets: 1 does not comply, 9 not scanned."),
    ],
)
def test_the_result_in_one_line(targets: list[Report], missing: int, line: str) -> None:
    assert result_line([[one] for one in targets], [make_target()] * missing) == line


def test_five_hundred_targets_are_one_line_each_and_what_they_share_is_said_once() -> None:
    fleet = [judged(f"www-{n:03}.example:443", *((CRITICAL,) if n % 10 == 0 else (PASS,))) for n in range(500)]
    text = printed(*fleet)
    shown = text.splitlines()
    assert shown[0] == shown[-1] == "500 targets: 50 do not comply, 450 comply."
    assert len(shown) <= 510
    assert "www-000.example:443, www-010.example:443" in text
    assert "and 45 more  (50 with the same" in text.replace("\n", " ")


def test_explanations_end_with_the_command_that_explains_checks() -> None:
    more = "tls-posture-exporter explain CHECK says why a check matters"
    assert printed(judged("a.example:443", CRITICAL), explain=True).count(more) == 1
    assert printed(judged("a.example:443", CRITICAL), *FLEET, verbose=True, explain=True).count(more) == 1
    assert more not in printed(judged("a.example:443", CRITICAL))


LONG = "a-name-that-is-much-longer-than-a-terminal-of-eighty-columns-is-wide." * 3 + "example:443"


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_cut_and_none_ends_with_a_blank(width: int) -> None:
    long = replace(CRITICAL, check="check_" * 12, summary="word " * 30 + "x" * 300)
    text = printed(judged(LONG, long, UNKNOWN), *FLEET, width=width, verbose=True, explain=True)
    assert "…" not in text
    assert [line for line in text.split("\n") if line != line.rstrip()] == []
    folded = printed(judged(LONG, long), *FLEET, width=width)
    assert max(map(len, folded.split("\n")[1:-2])) <= width, "the result is one line, however wide"
    column = "".join(line[: min(max(width - 48, 20), 64)].strip() for line in folded.split("\n")[2:])
    assert LONG in column, "complete in the list"


def test_verdicts_have_colours_and_lines_still_end_without_blanks() -> None:
    text = printed(*FLEET, colour=True)
    assert "\x1b[1;31mDOES NOT COMPLY\x1b[0m" in text
    assert [line for line in text.split("\n") if line != line.rstrip()] == []


@pytest.mark.parametrize(("text", "shown"), HOSTILE)
def test_what_the_server_wrote_is_shown_and_not_obeyed(text: str, shown: str) -> None:
    failure = Failure("handshake", Reason.HANDSHAKE_ERROR, f"F {text}")
    silent = replace(judged("silent", UNKNOWN), facts=Facts())
    silent = replace(silent, result=replace(silent.result, success=False, failures=(failure,)))
    bad = judged(f"N {text}", replace(CRITICAL, summary=f"S {text}"), replace(ACCEPTED, summary=f"A {text}"))
    output = printed(bad, silent, missing=[f"M {text}", "other"], width=200)
    for letter in "NSAFM":
        assert f"{letter} {shown}" in output
