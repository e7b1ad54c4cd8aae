"""The table for the terminal; much of its text comes from the scanned server."""

import re
import unicodedata
from dataclasses import replace
from io import StringIO
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from exporter.model import (
    Disagreement,
    Facts,
    Failure,
    Finding,
    Protocol,
    Reason,
    Remedy,
    Report,
    Severity,
    Verdict,
)
from exporter.terminal import print_reports
from tests.support.exceptions import accepted
from tests.support.facts import (
    CBC_RSA,
    GCM,
    RC4,
    certificate,
    facts,
    good_facts,
    handshake,
    http,
    report,
    result,
    steady,
    tried,
    watched,
)
from tests.support.targets import NOW, make_target

GOOD = """\
test  complies  grade A+  policy kopano-checklist, 27 connections, 1.5 s

 Check               Verdict   Why
 ──────────────────────────────────────────────────────────────────────────────
 protocols           pass      accepts TLSv1.2, TLSv1.3 only
 cipher_suites       pass      accepts only cipher suites that the policy
                               allows
 cipher_order        pass      the server's order decides
 compression         pass      refuses TLS compression
 vulnerabilities     pass      is open to none of 12 known attacks
 clients             pass      Android 2.3.7, Android 4.0.4, Android 4.1.1,
                               Android 4.2.2 cannot
 certificate_valid   pass      valid until 2026-12-01
 hsts                pass      max-age is 31536000
 hsts_on_errors      pass      1 error response carries the HSTS policy
 server_software     pass      is maintained: nginx 1.30.4
 caa                 pass      1 CAA record at test.example
 grade               pass      the grade is A+

"""

WEAK = """\
weak  DOES NOT COMPLY  grade unknown  policy kopano-checklist, 27 connections, 1.5 s

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
 clients             FAIL      Android 4.0.4, Android 4.1.1, Android 4.2.2 can
                               connect
                               android-4.0.4: TLSv1.0
                               TLS_RSA_WITH_AES_128_CBC_SHA
                               android-4.1.1: TLSv1.0
                               TLS_RSA_WITH_AES_128_CBC_SHA
                               android-4.2.2: TLSv1.0
                               TLS_RSA_WITH_AES_128_CBC_SHA
 certificate_valid   unknown   the certificate could not be looked at
 hsts                FAIL      max-age is 1, less than 31536000
                               strict_transport_security: max-age=1
 hsts_on_errors      unknown   no error response was seen that counts
 server_software     unknown   the server does not say what it runs on
 caa                 unknown   the CAA records could not be looked up
 grade               FAIL      the grade is B at best, worse than A+
                               caps: rc4, tls10, no_tls13 and 1 more

"""


def printed(*reports: Report, colour: bool = False, explain: bool = False, width: int = 80) -> str:
    file = StringIO()
    system: Literal["standard"] | None = "standard" if colour else None
    console = Console(file=file, width=width, force_terminal=colour, color_system=system, legacy_windows=False)
    print_reports(console, reports, explain=explain)
    return file.getvalue()


def lines(text: str) -> list[str]:
    """Lines without the blanks that fill them up."""
    return [line.rstrip() for line in text.split("\n")]


def judged(*findings: Finding, name: str = "test", failures: tuple[Failure, ...] = ()) -> Report:
    scanned = result(target=make_target(name=name), failures=failures)
    of_policy = tuple(replace(finding, policy="test-policy") for finding in findings)
    return Report(scanned, Facts(), None, ("test-policy",), of_policy, NOW.date())


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
test  192.0.2.1  complies  grade A+  policy kopano-checklist, 27 connections, 1.5 s
test  2001:db8::1  complies  grade A+  policy kopano-checklist, 27 connections, 1.5 s
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


@pytest.mark.parametrize(
    ("seen", "shown"),
    [
        (good_facts(), "grade A+"),
        (facts(handshake(), certificate(), http(), tried()), "grade A (no_long_hsts)"),
        (facts(handshake(), certificate(trusted=False), http(), tried()), "grade T (not_trusted, else A)"),
        (facts(handshake(), certificate(trusted=False), tried()), "grade T (not_trusted)"),
        (facts(handshake(), certificate(), tried()), "grade unknown"),
    ],
)
def test_the_headline_has_the_grade_and_what_it_comes_from(seen: Facts, shown: str) -> None:
    (headline, *_) = lines(printed(report(seen)))
    assert re.split("  +", headline)[2] == shown


def test_without_a_grade_the_headline_has_none() -> None:
    assert "grade" not in lines(printed(report(Facts())))[0]


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


NGINX = Remedy("nginx", ("ssl_protocols TLSv1.2 TLSv1.3;", "# " + "long " * 20), "In the http block.")
ANY = Remedy("any", (), "Take out the old versions wherever this server has them, and then start it anew, please.")
FAILING = Finding(
    "protocols",
    Verdict.FAIL,
    Severity.CRITICAL,
    "accepts TLSv1.0",
    {"accepted": ("TLSv1.0",), "numbers": tuple(str(n) for n in range(1000, 1016))},
    asked="TLSv1.2, TLSv1.3 only",
    sources=("section 1", "annex A"),
    remedy=(NGINX, ANY),
)
UNKNOWN = Finding(
    "caa",
    Verdict.UNKNOWN,
    Severity.WARNING,
    "the CAA records could not be looked up",
    {"unknown": ("a server failed",)},
    asked="CAA records",
    sources=("section 2",),
)
OTHERS = (
    Finding("hsts", Verdict.PASS, Severity.WARNING, "fine", asked="a header"),
    Finding("dane", Verdict.NOT_APPLICABLE, Severity.WARNING, "not here", asked="records"),
)
EXPLAINED = f"""\
protocols  FAIL  critical
  seen    accepts TLSv1.0
          accepted: TLSv1.0
          numbers: 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009,
          1010, 1011, 1012, 1013, 1014, 1015
  asked   TLSv1.2, TLSv1.3 only
  source  section 1
          annex A
  change  nginx: In the http block.
            ssl_protocols TLSv1.2 TLSv1.3;
            # {"long " * 20}
  change  Take out the old versions wherever this server has them, and then
          start it anew, please.

caa  unknown  warning
  seen    the CAA records could not be looked up
          unknown: a server failed
  asked   CAA records
  source  section 2

"""


def test_all_that_does_not_pass_is_explained_below_the_table_in_full_and_lines_are_not_broken() -> None:
    one = judged(FAILING, *OTHERS, UNKNOWN)
    text = "\n".join(lines(printed(one, explain=True)))
    assert text == "\n".join(lines(printed(one) + EXPLAINED))
    assert "  numbers: 1000, 1001, 1002 and 13 more" in printed(one)


def test_what_is_to_change_on_every_server_is_said_once() -> None:
    said = "Accept TLSv1.2 only. See 1.2"
    remedies = (
        Remedy("nginx", ("ssl_protocols TLSv1.2;",), f"{said}. In the http block."),
        Remedy("Apache", ("SSLProtocol +TLSv1.2",), f"{said}."),
        Remedy("HAProxy", (), f"{said}. In the global section."),
    )
    text = lines(printed(judged(replace(FAILING, remedy=remedies)), explain=True))
    assert text[text.index("  change  Accept TLSv1.2 only. See 1.2.") :] == [
        "  change  Accept TLSv1.2 only. See 1.2.",
        "          nginx: In the http block.",
        "            ssl_protocols TLSv1.2;",
        "          Apache",
        "            SSLProtocol +TLSv1.2",
        "          HAProxy: In the global section.",
        "",
        "",
    ]


def test_a_wide_terminal_is_used() -> None:
    text = printed(judged(FAILING), explain=True, width=200)
    assert "1008, 1009, 1010, 1011" in text
    assert "  change  Take out the old versions wherever this server has them, and then start it anew, please." in text


def test_without_failures_and_gaps_there_is_nothing_to_explain() -> None:
    assert printed(report(), explain=True) == printed(report())


SEVERAL_POLICIES = """\
test  DOES NOT COMPLY  2 policies, 27 connections, 1.5 s

 Check    Verdict   Why
 ────────────────────────────────────────
 (http)   failed    http_timeout: nothing

strict  DOES NOT COMPLY

 Check                  Verdict   Why
 ────────────────────────────────────────
 protocols (critical)   pass      fine
 protocols (info)       FAIL      too old
 hsts                   pass      fine

lax  complies

 Check       Verdict   Why
 ──────────────────────────
 protocols   pass      fine

"""


def test_several_policies_have_a_block_each_and_several_demands_their_severity() -> None:
    findings = (
        Finding("protocols", Verdict.PASS, Severity.CRITICAL, "fine", policy="strict"),
        Finding("protocols", Verdict.FAIL, Severity.INFO, "too old", policy="strict"),
        Finding("hsts", Verdict.PASS, Severity.INFO, "fine", policy="strict"),
        Finding("protocols", Verdict.PASS, Severity.INFO, "fine", policy="lax"),
    )
    one = judged(failures=(Failure("http", Reason.HTTP_TIMEOUT, "nothing"),))
    several = replace(one, policies=("strict", "lax"), findings=findings)
    assert lines(printed(several)) == SEVERAL_POLICIES.split("\n")


HOSTILE = [
    ("[bold red]loud[/bold red]", "[bold red]loud[/bold red]"),
    ("[/]", "[/]"),
    ("[link=https://example.com]x[/link]", "[link=https://example.com]x[/link]"),
    (":warning:", ":warning:"),
    ("\x1b[31mred", r"\u001b[31mred"),
    ("\x1b]0;title\x07", r"\u001b]0;title\u0007"),
    ("\x9b31mred", r"\u009b31mred"),
    ("over\rwritten", r"over\rwritten"),
    ("two\nlines", r"two\nlines"),
    ("tab\there", r"tab\there"),
    ("\x08\x7f", r"\b\u007f"),
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
    finding = replace(finding, asked=text, sources=(text,), remedy=(Remedy(text, (text,), text),))
    failure = Failure("probe", Reason.INTERNAL, text)
    output = printed(judged(finding, name=text, failures=(failure,)), explain=True)
    assert not {char for char in output if unicodedata.category(char) in {"Cc", "Cf"}} - {"\n"}


def test_an_accepted_failure_says_until_when_by_whom_and_why() -> None:
    failed = Finding("hsts", Verdict.FAIL, Severity.WARNING, "there is none", asked="one", sources=("1",))
    shown = accepted(judged(failed), reason="It \x1b[31mmoves.")
    text = lines(printed(shown, width=100))
    assert text[0].startswith("test  fails, accepted  policy test-policy")
    assert text[4:6] == [
        " hsts    FAIL, accepted   there is none",
        "                          accepted until 2026-12-31 by Jane: It \\u001b[31mmoves.",
    ]
    explained = lines(printed(shown, explain=True))
    assert "hsts  FAIL, accepted  warning" in explained
    assert "  but     accepted until 2026-12-31 by Jane: It \\u001b[31mmoves." in explained


def test_a_target_with_another_failure_does_not_say_that_all_are_accepted() -> None:
    failed = [Finding(name, Verdict.FAIL, Severity.WARNING, "x") for name in ("hsts", "caa")]
    assert "all failures are accepted" not in printed(accepted(judged(*failed)))
