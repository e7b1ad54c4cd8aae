"""Reports of targets of every kind: good, bad, not known, not reached, accepted, hostile, never scanned."""

from dataclasses import replace
from datetime import date

from exporter.model import Acceptance, Facts, Failure, Protocol, Reason, Remedy, Report, Verdict
from exporter.ranking import ranked
from exporter.reports.base import ReportSet
from tests.support.facts import (
    CBC_RSA,
    GOOD_CAA,
    GOOD_HTTP,
    GOOD_SUITES,
    KOPANO,
    RC4,
    certificate,
    facts,
    handshake,
    http,
    report,
    tried,
    watched,
)
from tests.support.targets import NOW, make_target

EVIL = (
    '<script>alert(1)</script>"><img src=x onerror=alert(1)> ![x](http://evil.example/) [x](http://evil.example/) @all '
    "#1 !1 https://evil.example www.evil.example a@evil.example `x` ``y \\| | ;=cmd|' /C calc'!A0 ]]> </details> "
    "</style> \x00\x1b[31m\u202e\ufffe\r\n\t# x"
)
"""What a server, or somebody who names targets, may write for readers of each format."""
GOOD, WEAK, UNKNOWN, GONE, ACCEPTED = (
    f"{name}.example:443" for name in ("good", "weak", "unknown", "gone", "accepted")
)
LATER = "later.example:443"
OLD = {**GOOD_SUITES, Protocol.TLS1_0: (CBC_RSA, RC4)}


def good() -> Report:
    return report(target=watched(name=GOOD, labels={"team": "web"}))


def weak(name: str = WEAK) -> Report:
    attacks = {"ccs_injection": True, "client_renegotiation": None}
    seen = facts(handshake(OLD), certificate(trusted=False), http("max-age=0"), tried(attacks))
    return report(seen, target=watched(name=name))


def unknown() -> Report:
    return report(facts(handshake()), target=watched(name=UNKNOWN))


def gone() -> Report:
    failure = Failure("handshake", Reason.CONNECT_REFUSED, "127.0.0.1 port 443: Connection refused")
    return report(Facts(), target=watched(name=GONE), success=False, probes={"handshake": False}, failures=(failure,))


def gone_with_failure() -> Report:
    """A target that is not reached, whose DNS says enough for a check to fail."""
    seen = gone()
    findings = (replace(one, verdict=Verdict.FAIL) if one.check == "caa" else one for one in seen.findings)
    return replace(seen, findings=tuple(findings))


def accepted() -> Report:
    seen = report(facts(handshake(OLD), certificate(), GOOD_HTTP, GOOD_CAA, tried()), target=watched(name=ACCEPTED))
    until = Acceptance(date(2027, 1, 31), "old telephones", "alice")
    findings = (replace(one, accepted=until) if one.verdict is Verdict.FAIL else one for one in seen.findings)
    return replace(seen, findings=tuple(findings))


def hostile() -> Report:
    """Every text that a server or an operator can write is `EVIL`."""
    seen = weak(f"=HYPERLINK(1){EVIL}")
    target = replace(seen.target, labels={"team": EVIL})
    remedy = (Remedy("nginx", (EVIL, f"```\n{EVIL}"), EVIL),)
    return replace(
        seen,
        result=replace(seen.result, target=target, failures=(Failure("http", Reason.HTTP_ERROR, EVIL),)),
        findings=tuple(
            replace(
                one,
                summary=EVIL,
                evidence={EVIL: (EVIL,) * 12},
                asked=EVIL,
                sources=(EVIL,),
                remedy=remedy if one.verdict is Verdict.FAIL else (),
                accepted=Acceptance(date(2027, 1, 31), EVIL, EVIL) if one.check == "hsts" else None,
            )
            for one in seen.findings
        ),
    )


def report_set(*reports: Report, later: bool = False) -> ReportSet:
    """A set of these, each of another target."""
    missing = (make_target(name=LATER),) if later else ()
    return ReportSet(ranked([(one,) for one in reports]), {KOPANO.name: KOPANO}, NOW, missing)


def every_kind() -> ReportSet:
    return report_set(good(), weak(), unknown(), gone(), accepted(), hostile(), later=True)
