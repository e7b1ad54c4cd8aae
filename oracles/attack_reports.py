"""Reads verdicts about attacks from the reports of other scanners.

Verdicts that a scanner gives without a test are left out, with the reason. Verdicts of wrong tests are kept, and
explained in attacks.yaml if they differ from ours.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exporter.derived.verdicts import Attack
from oracles.facts import ReportError


@dataclass(frozen=True, slots=True)
class Told:
    """What a scanner reported about a server.

    Attributes:
        verdicts: whether the server is vulnerable to the attack; None if the test had no result.
        left_out: why there is no verdict on the other attacks.
    """

    verdicts: Mapping[Attack, bool | None] = field(default_factory=dict)
    left_out: Mapping[Attack, str] = field(default_factory=dict)


# --- sslyze -------------------------------------------------------------------------------------------------------

SSLYZE_COMMANDS = ("--heartbleed", "--openssl_ccs", "--robot", "--reneg", "--compression")

_SSLYZE_ROBOT = {"VULNERABLE": True, "NOT": False, "UNKNOWN": None}
"""First word of its result -> verdict."""
_SSLYZE: Mapping[Attack, tuple[str, Callable[[Mapping[str, Any]], bool | None]]] = {
    Attack.HEARTBLEED: ("heartbleed", lambda found: found["is_vulnerable_to_heartbleed"]),
    Attack.CCS_INJECTION: ("openssl_ccs_injection", lambda found: found["is_vulnerable_to_ccs_injection"]),
    Attack.ROBOT: ("robot", lambda found: _SSLYZE_ROBOT[found["robot_result"].partition("_")[0]]),
    Attack.CRIME: ("tls_compression", lambda found: found["supports_compression"]),
    Attack.INSECURE_RENEGOTIATION: ("session_renegotiation", lambda found: not found["supports_secure_renegotiation"]),
    Attack.CLIENT_RENEGOTIATION: (
        "session_renegotiation",
        lambda found: found["is_vulnerable_to_client_renegotiation_dos"],
    ),
}
"""Attack -> the key of its result, and a function that reads it."""
NO_COMMAND = "it has no command for this attack, only lists of suites"


def read_sslyze(report: Path) -> Told:
    """Verdicts from sslyze's JSON."""
    (server,) = json.loads(report.read_text())["server_scan_results"]
    if server["connectivity_status"] != "COMPLETED":
        raise ReportError(f"sslyze did not reach the server: {server['connectivity_error_trace']}")
    verdicts: dict[Attack, bool | None] = {}
    left_out = {attack: NO_COMMAND for attack in Attack if attack not in _SSLYZE}
    for attack, (key, read) in _SSLYZE.items():
        attempt = server["scan_result"][key]
        if attempt["result"]:
            verdicts[attack] = read(attempt["result"])
        else:
            left_out[attack] = f"its test failed: {attempt['error_reason']}"
    return Told(verdicts, left_out)


# --- testssl.sh ---------------------------------------------------------------------------------------------------

TESTSSL_TESTS = {
    Attack.HEARTBLEED: "--heartbleed",
    Attack.CCS_INJECTION: "--ccs-injection",
    Attack.ROBOT: "--robot",
    Attack.CRIME: "--crime",
    Attack.FREAK: "--freak",
    Attack.LOGJAM: "--logjam",
    Attack.DROWN: "--drown",
    Attack.POODLE: "--poodle",
    Attack.BEAST: "--beast",
    Attack.SWEET32: "--sweet32",
    Attack.RC4: "--rc4",
    Attack.INSECURE_RENEGOTIATION: "--renegotiation",
    Attack.CLIENT_RENEGOTIATION: "--renegotiation",
}
TESTSSL_CHEAP = (
    Attack.CRIME,
    Attack.FREAK,
    Attack.LOGJAM,
    Attack.POODLE,
    Attack.BEAST,
    Attack.SWEET32,
    Attack.RC4,
)
"""These tests take some two seconds each. The others take ten to twenty."""
NOT_ASKED = "tested only on servers made for this attack, because the test takes ten seconds or more"

_TESTSSL = {
    Attack.HEARTBLEED: ("heartbleed",),
    Attack.CCS_INJECTION: ("CCS",),
    Attack.ROBOT: ("ROBOT",),
    Attack.CRIME: ("CRIME_TLS",),
    Attack.FREAK: ("FREAK",),
    Attack.LOGJAM: ("LOGJAM", "LOGJAM-common_primes"),
    Attack.DROWN: ("DROWN",),
    Attack.POODLE: ("POODLE_SSL",),
    Attack.BEAST: ("BEAST",),
    Attack.SWEET32: ("SWEET32",),
    Attack.RC4: ("RC4",),
    Attack.INSECURE_RENEGOTIATION: ("secure_renego",),
    Attack.CLIENT_RENEGOTIATION: ("secure_client_renego",),
}
"""Attack -> ids of the findings about it."""
_BAD = {"LOW", "MEDIUM", "HIGH", "CRITICAL"}
_BAD_BY_SIZE = {"HIGH", "CRITICAL"}
"""For primes. `LOW` and `MEDIUM` are given to any short prime, up to 1536 bits."""
_GOOD = {"OK", "INFO"}
_COULD_NOT_TELL = ("probably not vulnerable", "test failed")
"""Beginnings of findings after a test whose answer it did not understand."""
_NO_CBC = "no CBC ciphers found for any protocol"
"""In its output; its JSON has no finding in this case."""
NO_HANDSHAKE = "OpenSSL handshake didn't succeed"


def flags_for(about: Attack) -> tuple[str, ...]:
    """The tests for a server made for this attack.

    `--protocols` is needed: otherwise testssl.sh reports protocols that its own OpenSSL lacks as refused.
    """
    wanted = [attack for attack in TESTSSL_TESTS if attack is about or attack in TESTSSL_CHEAP]
    return ("--protocols", *dict.fromkeys(TESTSSL_TESTS[attack] for attack in wanted))


def read_testssl(report: Path, tests: Collection[str], output: str = "") -> Told:
    """Verdicts from testssl.sh's flat JSON and its output, after these tests."""
    findings: list[dict[str, Any]] = json.loads(report.read_text())
    if not any(finding["id"] == "TLS1_2" for finding in findings):
        raise ReportError(f"testssl.sh did not reach the server: {[finding['finding'] for finding in findings][-3:]}")
    verdicts: dict[Attack, bool | None] = {}
    left_out: dict[Attack, str] = {}
    for attack, test in TESTSSL_TESTS.items():
        if test not in tests:
            left_out[attack] = NOT_ASKED
            continue
        said = [(found["severity"], found["finding"]) for found in findings if found["id"] in _TESTSSL[attack]]
        if attack is Attack.BEAST and _NO_CBC in output:
            said.append(("OK", _NO_CBC))
        verdict = _testssl_verdict(said, attack)
        if isinstance(verdict, str):
            left_out[attack] = verdict
        else:
            verdicts[attack] = verdict
    if NO_HANDSHAKE in left_out.get(Attack.INSECURE_RENEGOTIATION, ""):  # then renegotiation was not tested either
        verdicts.pop(Attack.CLIENT_RENEGOTIATION, None)
        left_out[Attack.CLIENT_RENEGOTIATION] = left_out[Attack.INSECURE_RENEGOTIATION]
    return Told(verdicts, left_out)


def _testssl_verdict(said: list[tuple[str, str]], attack: Attack) -> bool | str | None:
    """A verdict, or its own words if it has none."""
    bad = _BAD_BY_SIZE if attack is Attack.LOGJAM else _BAD
    for severity, finding in said:
        if severity not in _BAD | _GOOD:
            return None if finding.startswith(_COULD_NOT_TELL) else f"it says: {finding}"
    if any(severity in bad for severity, _ in said):
        return True
    return False if said else "it reports nothing"
