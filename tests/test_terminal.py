"""The table for people; much of its text was written by the server that was scanned."""

import re
import unicodedata
from dataclasses import replace
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from exporter.model import Disagreement, Facts, Failure, Finding, Protocol, Reason, Report, Severity, Verdict
from exporter.terminal import print_reports
from tests.support.facts import CBC_RSA, GCM, RC4, facts, handshake, http, report, result, steady, watched
from tests.support.targets import make_target

GOOD = """\
test  complies  policy kopano-checklist, 27 connections, 1.5 s

 Check               Verdict   Why
 ──────────────────────────────────────────────────────────────────────────────
 protocols           pass      accepts TLSv1.2, TLSv1.3 only
 cipher_suites       pass      accepts only cipher suites that the policy
                               allows
 cipher_order        pass      the server's order decides
 compression         pass      refuses TLS compression
 vulnerabilities     pass      is open to none of 12 known attacks
 certificate_valid   pass      valid until 2026-12-01
 hsts                pass      max-age is 31536000
 hsts_on_errors      pass      1 error response carries the HSTS policy
 server_software     pass      is maintained: nginx 1.30.1
 caa                 pass      1 CAA record at test.example

"""

WEAK = """\
weak  DOES NOT COMPLY  policy kopano-checklist, 27 connections, 1.5 s

 Check               Verdict   Why
 ──────────────────────────────────────────────────────────────────────────────
 (dns)               failed    dns_error: CAA of www.test.example: the
                               resolution lifetime expired after 5.1 seconds
 protocols           FAIL      accepts TLSv1.0
 cipher_suites       FAIL      accepts 4 cipher suites that the policy does not
                               allow (TLSv1.0)
                               TLSv1.0: TLS_RSA_WITH_AES_128_CBC_SHA,
                               TLS_RSA_WITH_RC4_128_SHA, 0xFEED and 1 more
 cipher_order        pass      the server's order decides
 compression         pass      refuses TLS compression
 vulnerabilities     FAIL      is open to beast, rc4
                               beast: TLSv1.0 TLS_RSA_WITH_AES_128_CBC_SHA
                               rc4: TLSv1.0 TLS_RSA_WITH_RC4_128_SHA
 certificate_valid   unknown   the certificate could not be looked at
 hsts                FAIL      max-age is 1, less than 31536000
                               strict_transport_security: max-age=1
 hsts_on_errors      unknown   no error response was seen that counts
 server_software     unknown   the server does not say what it runs on
 caa                 unknown   the CAA records could not be looked up

"""


def printed(*reports: Report, colour: bool = False) -> str:
    file = StringIO()
    console = Console(
        file=file, width=80, force_terminal=colour, color_system="standard" if colour else None, legacy_windows=False
    )
    print_reports(console, reports)
    return file.getvalue()


def lines(text: str) -> list[str]:
    """Lines without the blanks that fill them up."""
    return [line.rstrip() for line in text.split("\n")]


def judged(*findings: Finding, name: str = "test", failures: tuple[Failure, ...] = ()) -> Report:
    scanned = result(target=make_target(name=name), failures=failures)
    return Report(scanned, Facts(), "test-policy", findings, None)


def test_a_target_that_does_everything() -> None:
    assert lines(printed(report())) == GOOD.split("\n")


def test_a_target_with_failures_gaps_and_evidence() -> None:
    seen = facts(
        handshake({Protocol.TLS1_0: (CBC_RSA, RC4, "0xFEED", "0xFEEE"), Protocol.TLS1_2: (GCM,)}), http("max-age=1")
    )
    detail = "CAA of www.test.example: the resolution lifetime expired after 5.1 seconds"
    weak = report(seen, target=make_target(name="weak"), failures=(Failure("dns", Reason.DNS_ERROR, detail),))
    assert lines(printed(weak)) == WEAK.split("\n")


SEVERAL = """\
test  192.0.2.1  complies  policy kopano-checklist, 27 connections, 1.5 s
test  2001:db8::1  complies  policy kopano-checklist, 27 connections, 1.5 s
16 of 500 addresses were scanned
addresses disagree on protocols
  192.0.2.1  TLSv1.1: false; TLSv1.0: false
  2001:db8::1  TLSv1.1: true; TLSv1.0: none
addresses disagree on http
  192.0.2.1  hsts_fields: a\\nb
"""


def test_addresses_stand_below_each_other_and_then_in_what_they_disagree() -> None:
    found = (
        Disagreement(
            "protocols",
            {
                "192.0.2.1": {"TLSv1.1": "false", "TLSv1.0": "false"},
                "2001:db8::1": {"TLSv1.1": "true", "TLSv1.0": ""},
            },
        ),
        Disagreement("http", {"192.0.2.1": {"hsts_fields": "a\nb"}}),
    )
    reports = []
    for address in ("192.0.2.1", "2001:db8::1"):
        one = report()
        at_address = replace(one.result, address=address, addresses_found=500)
        reports.append(replace(one, result=at_address, disagreements=found))
    text = printed(*reports, report(target=watched(name="another")))
    headings = [line for line in lines(text) if re.match(r"[a-z0-9]|  \d", line)]
    assert "\n".join(headings[:-1]) + "\n" == SEVERAL
    assert headings[-1].startswith("another  complies")


def test_several_targets_stand_below_each_other() -> None:
    text = printed(report(), report(Facts(), target=make_target(name="another")))
    assert text.startswith(printed(report()))
    assert "\nanother  unknown  policy kopano-checklist" in text


@pytest.mark.parametrize(
    ("verdict", "mark"),
    [
        (Verdict.PASS, "pass"),
        (Verdict.FAIL, "FAIL"),
        (Verdict.UNKNOWN, "unknown"),
        (Verdict.NOT_APPLICABLE, "n/a"),
    ],
)
def test_every_verdict_has_its_own_mark(verdict: Verdict, mark: str) -> None:
    text = printed(judged(Finding("check", verdict, Severity.INFO, "why")))
    assert f" check   {mark:<7}   why" in text


def test_an_unknown_verdict_is_never_shown_as_compliance() -> None:
    text = printed(judged(Finding("check", Verdict.UNKNOWN, Severity.INFO, "why")))
    assert text.startswith("test  unknown  ")
    assert "complies" not in text


@pytest.mark.parametrize(
    ("items", "shown"),
    [
        (("one",), "group: one"),
        (("one", "two", "three"), "group: one, two, three"),
        (("one", "two", "three", "four"), "group: one, two, three and 1 more"),
        (tuple(str(n) for n in range(100, 500)), "group: 100, 101, 102 and 397 more"),
    ],
)
def test_long_evidence_is_cut_to_three_items(items: tuple[str, ...], shown: str) -> None:
    text = printed(judged(Finding("check", Verdict.FAIL, Severity.INFO, "why", {"group": items})))
    assert [line.strip() for line in lines(text) if "group" in line] == [shown]


def test_evidence_that_the_summary_names_is_not_repeated() -> None:
    finding = Finding("check", Verdict.FAIL, Severity.INFO, "accepts SSLv2, SSLv3", {"accepted": ("SSLv2", "SSLv3")})
    assert "accepted:" not in printed(judged(finding))


HOSTILE = [
    ("[bold red]loud[/bold red]", "[bold red]loud[/bold red]"),
    ("[/]", "[/]"),
    ("[link=https://example.com]x[/link]", "[link=https://example.com]x[/link]"),
    (":warning:", ":warning:"),
    ("\x1b[31mred", r"\x1b[31mred"),
    ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
    ("\x9b31mred", r"\x9b31mred"),
    ("over\rwritten", r"over\rwritten"),
    ("two\nlines", r"two\nlines"),
    ("tab\there", r"tab\there"),
    ("\x08\x7f", r"\x08\x7f"),
    ("\u202eturned", r"\u202eturned"),
    ("a\u2028b", r"a\u2028b"),
    ("\ud800", r"\ud800"),
    ("é 中 🔒", "é 中 🔒"),
]


@pytest.mark.parametrize(("text", "shown"), HOSTILE)
def test_what_the_server_wrote_is_shown_and_not_obeyed(text: str, shown: str) -> None:
    finding = Finding("check", Verdict.FAIL, Severity.INFO, f"S {text}", {"group": (f"E {text}",)})
    failure = Failure("probe", Reason.HTTP_ERROR, f"F {text}")
    output = printed(judged(finding, name=f"N {text}", failures=(failure,)))
    for letter in "SEFN":
        assert f"{letter} {shown}" in output


@pytest.mark.parametrize(("text", "shown"), HOSTILE)
def test_hostile_text_changes_no_style(text: str, shown: str) -> None:
    def escapes(inner: str) -> int:
        return printed(judged(Finding("check", Verdict.FAIL, Severity.INFO, inner)), colour=True).count("\x1b")

    assert escapes(text) == escapes("harmless")


@steady
@given(st.text(st.characters(codec="utf-8")))
def test_any_text_leaves_the_terminal_alone(text: str) -> None:
    finding = Finding("check", Verdict.FAIL, Severity.INFO, text, {text: (text,)})
    output = printed(judged(finding, name=text, failures=(Failure("probe", Reason.INTERNAL, text),)))
    assert not {char for char in output if unicodedata.category(char) in {"Cc", "Cf"}} - {"\n"}
