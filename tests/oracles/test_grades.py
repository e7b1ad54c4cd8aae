"""How testssl.sh's grade is read, or computed from the findings of 3.0.8, and compared with ours."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from io import StringIO
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from rich.console import Console

from exporter.grade import Grade, Letter, evaluate
from oracles import grades, matrix
from oracles.compare import Statement
from oracles.facts import ReportError
from oracles.graded import NOT_HTTP, SERVERS, Anchored
from oracles.grades import Result, load, show, statements
from oracles.ratings import CAPS, Findings, Rating, rate, rates, read_derived, read_own
from oracles.scanners import TESTSSL, Job, Scanner
from oracles.servers import Server
from tests.grade.test_rules import GOOD

FOUND: Mapping[str, tuple[str, str]] = {
    "SSLv2": ("OK", "not offered"),
    "SSLv3": ("OK", "not offered"),
    "TLS1": ("INFO", "not offered"),
    "TLS1_1": ("INFO", "not offered"),
    "TLS1_2": ("OK", "offered"),
    "TLS1_3": ("OK", "offered with final"),
    "cipherlist_NULL": ("OK", "not offered"),
    "cipherlist_EXPORT": ("OK", "not offered"),
    "cipherlist_LOW": ("OK", "not offered"),
    "PFS": ("OK", "offered"),
    "cert_signatureAlgorithm <cert#1>": ("OK", "ECDSA with SHA256"),
    "cert_keySize <cert#1>": ("INFO", "RSA 2048 bits"),
    "cert_keySize <cert#2>": ("OK", "EC 256 bits"),
    "cert_trust <cert#1>": ("OK", "Ok via SAN (same w/o SNI)"),
    "cert_chain_of_trust <cert#1>": ("OK", "passed."),
    "cert_expirationStatus <cert#1>": ("HIGH", "expires < 30 days (29)"),
    "HSTS_time": ("OK", "365 days (=31536000 seconds) > 15552000 seconds"),
    "heartbleed": ("OK", "not vulnerable, no heartbeat extension"),
    "CCS": ("OK", "not vulnerable"),
    "ticketbleed": ("OK", "not vulnerable"),
    "ROBOT": ("OK", "not vulnerable, no RSA key transport cipher"),
    "secure_renego": ("OK", "supported"),
    "CRIME_TLS": ("OK", "not vulnerable"),
    "POODLE_SSL": ("OK", "not vulnerable, no SSLv3"),
    "SWEET32": ("OK", "not vulnerable"),
    "DROWN": ("OK", "not vulnerable on this host and port"),
    "RC4": ("OK", "not vulnerable"),
}
"""Of the server `nginx`, by testssl.sh 3.0.8."""
OLD = {"TLS1": ("LOW", "offered (deprecated)"), "TLS1_1": ("LOW", "offered (deprecated)")}
NO_TLS13 = {"TLS1_3": ("INFO", "not offered + downgraded to weaker protocol")}


def written(folder: Path, found: Mapping[str, tuple[str, str]]) -> Path:
    file = folder / "report"
    rows = [{"id": name, "severity": severity, "finding": text} for name, (severity, text) in found.items()]
    file.write_text(json.dumps(rows))
    return file


@pytest.mark.parametrize(
    ("changed", "letter", "reasons"),
    [
        ({}, "A+", ()),
        (NO_TLS13, "A-", ("no TLS 1.3",)),
        ({"HSTS_time": ("LOW", "0. HSTS is disabled")}, "A-", ("HSTS off or short",)),
        ({"HSTS_time": ("MEDIUM", "max-age too short. 1 days (=86400 seconds)")}, "A-", ("HSTS off or short",)),
        ({"secure_renego": ("WARN", "OpenSSL handshake didn't succeed")}, "A+", ()),
        ({"secure_renego": ("HIGH", "VULNERABLE")}, "A-", ("no secure renegotiation",)),
        (OLD, "B", ("TLS 1.0", "TLS 1.1")),
        (
            NO_TLS13 | {"PFS": ("MEDIUM", "No ciphers supporting (P)FS offered")},
            "B",
            ("no forward secrecy", "no TLS 1.3"),
        ),
        ({"cert_keySize <cert#1>": ("MEDIUM", "RSA 1024 bits")}, "B", ("weak key",)),
        ({"cert_keySize <cert#1>": ("HIGH", "RSA 1023 bits")}, "F", ("insecure key", "weak key")),
        ({"cert_chain_of_trust <cert#1>": ("CRITICAL", "failed (chain incomplete).")}, "B", ("chain incomplete",)),
        ({"cert_chain_of_trust <cert#1>": ("CRITICAL", "failed (self signed).")}, "T", ("chain not trusted",)),
        ({"cert_expirationStatus <cert#1>": ("CRITICAL", "expired")}, "T", ("expired",)),
        (
            {"cert_trust <cert#1>": ("HIGH", "certificate does not match supplied URI (same w/o SNI)")},
            "M",
            ("another name",),
        ),
        ({"heartbleed": ("CRITICAL", "VULNERABLE")}, "F", ("Heartbleed",)),
        ({"heartbleed": ("OK", "not vulnerable , timed out")}, "A+", ()),
        ({"cipherlist_LOW": ("HIGH", "offered")}, "F", ("less than 112 bits",)),
        (
            OLD
            | {
                "cipherlist_LOW": ("HIGH", "offered"),
                "RC4": ("HIGH", "VULNERABLE, Detected ciphers: RC4-SHA"),
                "SWEET32": ("LOW", "uses 64 bit block ciphers"),
            },
            "C",
            ("64-bit blocks", "RC4 in TLS 1.1", "TLS 1.0", "TLS 1.1", "RC4"),
        ),
    ],
)
def test_findings_have_their_grade(
    tmp_path: Path, changed: dict[str, tuple[str, str]], letter: str, reasons: tuple[str, ...]
) -> None:
    rating = read_derived(written(tmp_path, {**FOUND, **changed}), starttls=False)
    assert rating == Rating(Letter(letter), reasons)


def test_starttls_is_a_t(tmp_path: Path) -> None:
    assert read_derived(written(tmp_path, FOUND), starttls=True) == Rating(Letter.T, ("STARTTLS",))


RATED: Mapping[str, tuple[str, str]] = {
    "TLS1_2": ("OK", "offered"),
    "secure_renego": ("CRITICAL", "VULNERABLE"),
    "final_score": ("INFO", "93"),
    "overall_grade": ("OK", "A"),
    "grade_cap_reason_1": ("INFO", "Grade capped to A. HSTS is not offered"),
    "grade_cap_warning_1": ("INFO", "Secure renegotiation is not supported"),
}
"""Names and words of testssl.sh 3.2.1."""


def test_a_version_that_rates_is_taken_at_its_word(tmp_path: Path) -> None:
    reasons = ("Grade capped to A. HSTS is not offered", "Secure renegotiation is not supported")
    assert read_own(written(tmp_path, RATED)) == Rating(Letter.A, reasons)


def test_a_version_that_rates_and_did_not_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="gave no grade"):
        read_own(written(tmp_path, FOUND))


@pytest.mark.parametrize("read", [read_own, partial(read_derived, starttls=False)])
def test_a_scan_without_protocols_is_no_report(tmp_path: Path, read: Callable[[Path], Rating]) -> None:
    with pytest.raises(ReportError, match="did not reach"):
        read(written(tmp_path, {"scanProblem": ("FATAL", "Can't connect")}))


@pytest.mark.parametrize(
    ("version", "expected"),
    [("3.0.8", False), ("3.1", False), ("3.2.1", True), ("3.3dev", True), ("4.0", True), ("unknown", False)],
)
def test_testssl_rates_since_version_3_2(version: str, expected: bool) -> None:
    assert rates(version) is expected


def program(folder: Path, version: str) -> Path:
    """A program that prints what `testssl.sh --version` does."""
    file = folder / "testssl.sh"
    file.write_text(f"#!/bin/sh\nprintf '{version} from \\033[1mhttps://testssl.sh/\\033[m\\n'\n")
    file.chmod(0o755)
    return file


@pytest.mark.parametrize(
    ("printed", "version", "whose"),
    [
        ("    testssl       3.0.8", "3.0.8", "ratings"),
        ("  \\033[1mtestssl\\033[m version \\033[1m3.2.1\\033[m", "3.2.1", "testssl"),
        ("    testssl.sh       3.2.1", "3.2.1", "testssl"),
    ],
)
def test_the_environment_names_another_testssl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: str, version: str, whose: str
) -> None:
    file = program(tmp_path, printed)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TESTSSL", "./testssl.sh")
    found = grades.testssl()
    assert (found.missing, found.version()) == (None, version)
    scanner = grades.scanner_for(found, Anchored(tmp_path))
    assert scanner.name == whose
    command = scanner.command(Job(443, None, tmp_path), None)
    assert command[0] == str(file)
    assert f"--add-ca={tmp_path / 'anchors.pem'}" in command


def test_one_that_is_named_and_is_not_there_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TESTSSL", str(tmp_path / "none"))
    assert grades.main([]) == 1
    assert "left out" in capsys.readouterr().out


def test_each_cap_has_a_reason_of_its_own() -> None:
    assert len({reason for _, reason, _ in CAPS}) == len(CAPS)
    assert rate(Findings(())).letter == "C"  # nothing offered is no TLS 1.2


A_PLUS: Grade = evaluate(GOOD)


def test_both_letters_are_set_side_by_side() -> None:
    same = Rating(Letter.A_PLUS, ())
    assert list(statements(A_PLUS, same)) == [Statement("grade", "", "A+", "A+")]


def test_the_book_explains_what_it_says_and_nothing_else() -> None:
    book = load()
    caddy = matrix.compare("caddy", "ratings", [Statement("grade", "", "A", "A+")], book)
    assert not caddy.unexplained
    other = matrix.compare("caddy", "ratings", [Statement("grade", "", "B", "A+")], book)
    assert len(other.unexplained) == 1
    newer = matrix.compare("caddy", "testssl", [Statement("grade", "", "A", "A+")], book)
    assert len(newer.unexplained) == 1  # another scanner's word
    nginx = matrix.compare("nginx", "ratings", [Statement("grade", "", "A", "A+")], book)
    assert len(nginx.unexplained) == 1


def test_there_are_at_least_15_servers_with_names_that_are_known() -> None:
    assert len(SERVERS) >= 15
    assert set(NOT_HTTP) <= set(SERVERS)


def test_the_table_shows_both_grades_and_who_is_right() -> None:
    def result(name: str, theirs: str) -> Result:
        said = [Statement("grade", "", "A+", theirs)]
        server = Server(name, lambda _folder, _made: nullcontext(1))
        rating = Rating(Letter(theirs), ("some reason",))
        return Result(server, A_PLUS, rating, matrix.compare(name, "ratings", said, load()))

    file = StringIO()
    show(Console(file=file, width=160), [result("nginx", "A+"), result("dovecot-imap", "T"), result("caddy", "B")])
    rows = {line.split()[0]: line.split() for line in file.getvalue().splitlines() if line.strip()}
    assert rows["nginx"][-1] == "="
    assert rows["dovecot-imap"][-1] == "both"
    assert rows["caddy"][-1] == "!"


def test_a_server_that_does_not_start_is_told(tmp_path: Path) -> None:
    def start(_folder: Path, _made: Any) -> AbstractContextManager[int]:  # noqa: ANN401 - Certificates
        raise AssertionError("no such program")

    scanner: Scanner[Rating] = Scanner("testssl", partial(list), lambda _job: rate(Findings(())), TESTSSL)
    found = grades.compare_on(
        Server("broken", start),
        Event(),
        scanner=scanner,
        explained=(),
        made=None,  # type: ignore[arg-type]  # never asked
        scratch=tmp_path,
        folder=tmp_path,
        reread=False,
    )
    assert [statement.what for statement in found.comparison.unexplained] == [
        "the server does not start: no such program"
    ]
