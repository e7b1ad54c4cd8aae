"""How the scanners' verdicts on attacks are read and compared. Servers are in `tests/real/test_attacks.py`.

The reports are excerpts of reports by sslyze 6.3.1 and testssl.sh 3.0.8 on servers of `tests/support/vulnerable.py`.
"""

import json
from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from exporter.derived.verdicts import Attack
from exporter.errors import ConfigError
from oracles import matrix
from oracles.attack_reports import (
    NO_COMMAND,
    NO_HANDSHAKE,
    NOT_ASKED,
    TESTSSL_CHEAP,
    Told,
    flags_for,
    read_sslyze,
    read_testssl,
)
from oracles.attacks import FILE, SCANNERS, SERVERS, VARIANTS, Made, Result, left_out, load, show, statements
from oracles.compare import Statement
from oracles.explanations import Explanation
from oracles.explanations import load as load_book
from oracles.facts import ReportError
from tests.real.test_attacks import TOLD
from tests.support import vulnerable

# --- sslyze -------------------------------------------------------------------------------------------------------

SSLYZE_ON_ROBOT: dict[str, Any] = {
    "tls_compression": {"supports_compression": False},
    "openssl_ccs_injection": {"is_vulnerable_to_ccs_injection": False},
    "heartbleed": {"is_vulnerable_to_heartbleed": False},
    "robot": {"robot_result": "VULNERABLE_STRONG_ORACLE"},
    "session_renegotiation": {
        "supports_secure_renegotiation": True,
        "is_vulnerable_to_client_renegotiation_dos": True,
        "client_renegotiations_success_count": 10,
    },
}


def sslyze(folder: Path, *, status: str = "COMPLETED", **results: Mapping[str, Any] | None) -> Told:
    attempts = {
        key: {"status": "COMPLETED", "error_reason": None if result else "CONNECTIVITY_ISSUE", "result": result}
        for key, result in (SSLYZE_ON_ROBOT | results).items()
    }
    server = {"connectivity_status": status, "connectivity_error_trace": "refused", "scan_result": attempts}
    file = folder / "report"
    file.write_text(json.dumps({"server_scan_results": [server]}))
    return read_sslyze(file)


def test_sslyze_tells_of_what_it_has_commands_for(tmp_path: Path) -> None:
    told = sslyze(tmp_path)
    assert told.verdicts == {
        Attack.HEARTBLEED: False,
        Attack.CCS_INJECTION: False,
        Attack.ROBOT: True,
        Attack.CRIME: False,
        Attack.INSECURE_RENEGOTIATION: False,
        Attack.CLIENT_RENEGOTIATION: True,
    }
    assert told.left_out == dict.fromkeys(set(Attack) - told.verdicts.keys(), NO_COMMAND)


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ("VULNERABLE_WEAK_ORACLE", True),
        ("NOT_VULNERABLE_NO_ORACLE", False),
        ("NOT_VULNERABLE_RSA_NOT_SUPPORTED", False),
        ("UNKNOWN_INCONSISTENT_RESULTS", None),
    ],
)
def test_sslyze_has_words_for_oracles(words: str, verdict: bool | None, tmp_path: Path) -> None:
    assert sslyze(tmp_path, robot={"robot_result": words}).verdicts[Attack.ROBOT] is verdict


def test_a_test_of_sslyze_that_failed_tells_nothing(tmp_path: Path) -> None:
    told = sslyze(tmp_path, heartbleed=None)
    assert Attack.HEARTBLEED not in told.verdicts
    assert told.left_out[Attack.HEARTBLEED] == "its test failed: CONNECTIVITY_ISSUE"


def test_sslyze_that_reached_nothing_tells_nothing(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="refused"):
        sslyze(tmp_path, status="ERROR")


# --- testssl.sh ---------------------------------------------------------------------------------------------------

Finding = tuple[str, str, str]
REACHED: Finding = ("TLS1_2", "OK", "offered")


def said_by_testssl(folder: Path, about: Attack, *findings: Finding, output: str = "") -> Told:
    file = folder / "report"
    file.write_text(
        json.dumps([{"id": key, "severity": severity, "finding": text} for key, severity, text in findings])
    )
    return read_testssl(file, flags_for(about), output)


@pytest.mark.parametrize(
    ("attack", "findings", "verdict"),
    [
        (Attack.HEARTBLEED, [("heartbleed", "CRITICAL", "VULNERABLE")], True),
        (Attack.HEARTBLEED, [("heartbleed", "OK", "not vulnerable , timed out")], False),
        (Attack.CCS_INJECTION, [("CCS", "CRITICAL", "VULNERABLE")], True),
        (Attack.CCS_INJECTION, [("CCS", "CRITICAL", "likely VULNERABLE with 32")], True),
        (Attack.CRIME, [("CRIME_TLS", "HIGH", "VULNERABLE")], True),
        (Attack.FREAK, [("FREAK", "CRITICAL", "VULNERABLE, uses EXPORT RSA ciphers")], True),
        (
            Attack.LOGJAM,
            [("LOGJAM", "HIGH", "VULNERABLE, uses DH EXPORT ciphers"), ("LOGJAM-common_primes", "INFO", "--")],
            True,
        ),
        (
            Attack.LOGJAM,
            [
                ("LOGJAM-common_primes", "HIGH", "RFC2409/Oakley Group 2"),
                ("LOGJAM", "OK", "not vulnerable, no DH EXPORT ciphers,"),
            ],
            True,
        ),
        (
            Attack.LOGJAM,
            [
                ("LOGJAM-common_primes", "INFO", "RFC7919/ffdhe2048"),
                ("LOGJAM", "OK", "not vulnerable, no DH EXPORT ciphers,"),
            ],
            False,
        ),
        (Attack.POODLE, [("POODLE_SSL", "HIGH", "VULNERABLE, uses SSLv3+CBC")], True),
        (
            Attack.BEAST,
            [
                ("BEAST_CBC_TLS1", "MEDIUM", "ECDHE-RSA-AES128-SHA AES128-SHA"),
                (
                    "BEAST",
                    "LOW",
                    "VULNERABLE -- but also supports higher protocols  TLSv1.1 TLSv1.2 (likely mitigated)",
                ),
            ],
            True,
        ),
        (Attack.SWEET32, [("SWEET32", "LOW", "uses 64 bit block ciphers")], True),
        (Attack.INSECURE_RENEGOTIATION, [("secure_renego", "OK", "supported")], False),
        (Attack.CLIENT_RENEGOTIATION, [("secure_client_renego", "HIGH", "VULNERABLE, DoS threat")], True),
    ],
)
def test_testssl_has_severities(attack: Attack, findings: list[Finding], verdict: bool | None, tmp_path: Path) -> None:
    assert said_by_testssl(tmp_path, attack, REACHED, *findings).verdicts == {attack: verdict}


def test_testssl_prints_what_its_json_lacks(tmp_path: Path) -> None:
    printed = " BEAST (CVE-2011-3389)                     no CBC ciphers found for any protocol (OK)"
    assert said_by_testssl(tmp_path, Attack.BEAST, REACHED, output=printed).verdicts == {Attack.BEAST: False}
    assert said_by_testssl(tmp_path, Attack.BEAST, REACHED).left_out[Attack.BEAST] == "it reports nothing"


def test_testssl_may_not_know(tmp_path: Path) -> None:
    """By its source; no server of ours makes it say so."""
    finding = ("CCS", "WARN", "probably not vulnerable but received 0x28 instead of 0x15")
    assert said_by_testssl(tmp_path, Attack.CCS_INJECTION, REACHED, finding).verdicts == {Attack.CCS_INJECTION: None}


def test_what_testssl_could_not_ask_it_does_not_tell(tmp_path: Path) -> None:
    """Its OpenSSL refuses servers without RFC 5746, and that counts for it as a refused renegotiation."""
    findings = (
        ("secure_renego", "WARN", "OpenSSL handshake didn't succeed"),
        ("secure_client_renego", "OK", "not vulnerable"),
    )
    told = said_by_testssl(tmp_path, Attack.INSECURE_RENEGOTIATION, REACHED, *findings)
    assert told.verdicts == {}
    for attack in (Attack.INSECURE_RENEGOTIATION, Attack.CLIENT_RENEGOTIATION):
        assert told.left_out[attack] == f"it says: {NO_HANDSHAKE}"


def test_testssl_is_asked_for_one_attack_and_for_cheap_ones(tmp_path: Path) -> None:
    told = said_by_testssl(tmp_path, Attack.ROBOT, REACHED, ("ROBOT", "CRITICAL", "VULNERABLE"))
    assert told.verdicts == {Attack.ROBOT: True}
    assert {attack for attack, why in told.left_out.items() if why != NOT_ASKED} == {*TESTSSL_CHEAP}
    assert flags_for(Attack.ROBOT)[0] == "--protocols"
    assert set(Attack) == told.left_out.keys() | told.verdicts.keys()


def test_testssl_that_reached_nothing_tells_nothing(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="did not reach"):
        said_by_testssl(tmp_path, Attack.ROBOT, ("scanProblem", "FATAL", "Can't connect to '127.0.0.1:9'"))


# --- servers ------------------------------------------------------------------------------------------------------


def test_every_server_has_a_name_of_its_own_and_its_attack() -> None:
    assert len(SERVERS) == len(vulnerable.HAS) + len(vulnerable.HAS_NOT) + len(vulnerable.VARIANTS)
    assert {name: made.about for name, made in VARIANTS.items()} == {name: about for name, (about, _) in TOLD.items()}
    assert SERVERS["has-not-ccs-injection"].made == Made(Attack.CCS_INJECTION, has=False)
    assert all("," not in name and " " not in name for name in SERVERS)


# --- comparison ---------------------------------------------------------------------------------------------------

OURS = Told(dict.fromkeys(Attack, False) | {Attack.ROBOT: None, Attack.FREAK: True})
THEIRS = Told({Attack.ROBOT: True, Attack.FREAK: True, Attack.RC4: True}, {Attack.BEAST: "it reports nothing"})


def explanation(**changes: object) -> Explanation:
    fields = {"servers": ["has-robot"], "scanner": "testssl", "attack": "robot", "ours": "unknown", "theirs": "yes"}
    return Explanation.model_validate(fields | {"right": "theirs", "why": "because it was looked at"} | changes)


def result(server: str, theirs: Told | str, explained: Iterable[Explanation] = (), ours: Told = OURS) -> Result:
    said = [*statements(ours, theirs)] if isinstance(theirs, Told) else []
    comparison = matrix.compare(server, "testssl", said, [*explained])
    return Result(SERVERS[server], {"ours": ours, "testssl": theirs}, [comparison])


def test_what_both_tell_is_compared() -> None:
    assert [*statements(OURS, THEIRS)] == [
        Statement("robot", "", "unknown", "yes"),
        Statement("freak", "", "yes", "yes"),
        Statement("rc4", "", "no", "yes"),
    ]


def test_a_disagreement_is_explained_by_name() -> None:
    found = result("has-robot", THEIRS, [explanation()])
    assert found.bad == 1
    assert [statement.fact for comparison in found.comparisons for statement in comparison.unexplained] == ["rc4"]
    assert result("weak-oracle", THEIRS, [explanation()]).bad == 2


@pytest.mark.parametrize(
    ("server", "verdict", "wrong"),
    [
        ("has-robot", True, False),
        ("has-robot", False, True),
        ("has-robot", None, False),
        ("has-not-robot", True, True),
        ("has-not-robot", False, False),
    ],
)
def test_ours_is_wrong_where_it_contradicts_what_a_server_is_made_to_be(
    server: str, verdict: bool | None, wrong: bool
) -> None:
    found = result(server, "took too long", ours=Told({Attack.ROBOT: verdict}))
    assert found.wrong == [Attack.ROBOT] * wrong
    assert found.bad == int(wrong)


def test_what_a_server_has_on_purpose_alone_no_other_has() -> None:
    found = result("has-rc4", "took too long", ours=Told({Attack.ROBOT: True, Attack.BEAST: True, Attack.RC4: True}))
    assert found.wrong == [Attack.ROBOT]


def test_the_table_has_the_attack_of_the_server_and_every_disagreement() -> None:
    output = StringIO()
    show(
        Console(width=150, file=output),
        [result("has-robot", THEIRS, [explanation()]), result("has-rc4", Told())],
        ["testssl"],
    )
    lines = [line.split() for line in output.getvalue().splitlines()]
    assert ["has-robot", "robot", "yes", "unknown", "yes", "(theirs)", "1"] in lines
    assert ["rc4", "–", "no", "yes", "!"] in lines
    assert ["has-rc4", "rc4", "yes", "no", "–", "0"] in lines


def test_what_is_left_out_is_said_with_its_reason() -> None:
    assert left_out([result("has-robot", THEIRS), result("has-rc4", "took too long")]) == [
        "testssl, beast, on has-robot: it reports nothing"
    ]
    assert left_out([result("has-robot", THEIRS), result("has-rc4", THEIRS)]) == [
        "testssl, beast, on 2 servers: it reports nothing"
    ]


# --- explanations -------------------------------------------------------------------------------------------------


def test_the_file_names_what_there_is() -> None:
    assert load()


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("scanner: testssl", "scanner: sslscan", "'sslscan' is not one of"),
        ("attack: ", "attack: x", "is not one of"),
        ("right: ours", "right: theirs", "a defect to fix"),
    ],
)
def test_a_mistake_in_the_file_is_refused(old: str, new: str, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "attacks.yaml"
    file.write_text(FILE.read_text().replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load_book(SERVERS, SCANNERS, file, [*Attack])
    assert complaint in str(caught.value)
