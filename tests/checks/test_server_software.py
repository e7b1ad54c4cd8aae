from dataclasses import replace

import pytest
from pydantic import ValidationError

from exporter.checks.server_software import CHECK, ServerSoftwareDemand
from exporter.derived.software import DERIVATION
from exporter.facts.http import Asked, HttpFacts, make_response
from exporter.judging.check import Outcome
from exporter.model import Verdict
from tests.support.facts import case, certificate, handshake
from tests.support.targets import NOW

CARRIED = (
    "nginx 1.22.1 may be the version that Debian 12 still maintains; "
    "it belongs to release 1.22, whose support ended on 2023-04-11"
)
BEHIND = (
    "apache-http-server 2.4.49 belongs to release 2.4, whose newest version was 2.4.68 on 2026-08-22, "
    "and no supported distribution carries it"
)
DEMAND = ServerSoftwareDemand.model_validate({"severity": "warning", "source": "test", "maintained": True})


def judge(*parts: object, protocol: str = "https", starttls: str | None = None) -> Outcome:
    one = case(*parts, protocol=protocol, starttls=starttls)
    software = DERIVATION.derive(one)
    return CHECK.judge(replace(one, facts=one.facts.with_part(software, NOW)) if software else one, DEMAND)


def said(server: str) -> HttpFacts:
    return HttpFacts((make_response(Asked.ROOT, 200, [(b"server", server.encode())]),))


@pytest.mark.parametrize(
    ("server", "verdict", "summary", "evidence"),
    [
        ("nginx/1.30.4", Verdict.PASS, "is maintained: nginx 1.30.4", {}),
        ("Apache/2.4.68 PHP/8.4.24", Verdict.PASS, "is maintained: apache-http-server 2.4.68, php 8.4.24", {}),
        (
            "nginx/1.18.0",
            Verdict.FAIL,
            "is out of support: nginx 1.18.0",
            {"outdated": ("nginx 1.18.0 belongs to release 1.18, whose support ended on 2021-04-20",)},
        ),
        (
            "Apache/2.4.49 PHP/5.6.40",
            Verdict.FAIL,
            "is out of support: php 5.6.40; lacks the fixes of its series: apache-http-server 2.4.49",
            {
                "outdated": (
                    BEHIND,
                    "php 5.6.40 belongs to release 5.6, whose support ended on 2018-12-31",
                )
            },
        ),
        (
            "nginx/1.22.1",
            Verdict.UNKNOWN,
            "it is not known whether all is maintained",
            {"unknown": (CARRIED,)},
        ),
        (
            "Apache/2.4.57 (Debian)",
            Verdict.UNKNOWN,
            "it is not known whether all is maintained",
            {
                "unknown": (
                    "apache-http-server 2.4.57 is a package of Debian, which may fix it under its old version number",
                )
            },
        ),
        (
            "nginx",
            Verdict.UNKNOWN,
            "it is not known whether all is maintained",
            {"unknown": ("nginx does not show its version",)},
        ),
        ("<b>", Verdict.UNKNOWN, "the server does not say what it runs on", {}),
    ],
)
def test_all_that_is_shown_must_be_maintained(
    server: str, verdict: Verdict, summary: str, evidence: dict[str, tuple[str, ...]]
) -> None:
    outcome = judge(said(server))
    assert (outcome.verdict, outcome.summary, dict(outcome.evidence)) == (verdict, summary, evidence)


def test_a_greeting_counts_like_a_header() -> None:
    greeting = replace(handshake(), greeting="220 mail.example.com ESMTP Exim 4.92 Sun")
    assert judge(greeting, protocol="smtp", starttls="smtp").verdict is Verdict.FAIL
    assert judge(handshake(), protocol="smtp", starttls="smtp").verdict is Verdict.UNKNOWN


def test_a_greeting_inside_tls_does_too() -> None:
    greeting = replace(certificate(), greeting="* OK mail Cyrus IMAP v2.3.16-Fedora-RPM-2.3.16-15.el6 server ready")
    assert judge(greeting, protocol="imaps").verdict is Verdict.FAIL
    assert judge(certificate(), protocol="imaps").verdict is Verdict.UNKNOWN


def test_without_a_response_nothing_is_known() -> None:
    outcome = judge()
    assert (outcome.verdict, outcome.summary) == (Verdict.UNKNOWN, "there was nothing to look at")


@pytest.mark.parametrize(
    ("protocol", "starttls"), [("ldaps", None), ("ircs", None), ("tls", None), ("ldap", "ldap"), ("xmpp", "xmpp")]
)
def test_services_that_say_nothing_before_they_are_asked_are_not_judged(protocol: str, starttls: str | None) -> None:
    outcome = judge(handshake(), protocol=protocol, starttls=starttls)
    assert (outcome.verdict, outcome.summary) == (
        Verdict.NOT_APPLICABLE,
        f"nothing that is read of {protocol} names the software",
    )


@pytest.mark.parametrize("wrong", [{"maintained": False}, {}, {"maintained": True, "more": 1}])
def test_a_demand_that_every_server_meets_is_an_error(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ServerSoftwareDemand.model_validate({"severity": "info", "source": "test", **wrong})
