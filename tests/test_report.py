import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from exporter.derived.verdicts import Attack
from exporter.model import (
    CipherOrder,
    Disagreement,
    Facts,
    Failure,
    Finding,
    Protocol,
    Reason,
    Remedy,
    Report,
    Severity,
    TrustFailure,
    Verdict,
)
from exporter.report import ReportsForm, json_schema, reports_json
from tests.support.facts import (
    CBC_RSA,
    GCM,
    GCM_128,
    caa,
    certificate,
    consistent_handshake_facts,
    facts,
    handshake,
    http,
    report,
    steady,
    tried,
    watched,
)
from tests.support.targets import make_target

SCHEMA_FILE = Path(__file__).parent.parent / "docs" / "report.schema.json"
FACT_KEYS = {
    *("protocols", "cipher_suites", "cipher_suites_incomplete", "cipher_order", "compression", "groups"),
    *("groups_incomplete", "group_order", "ignores_supported_groups", "dh_primes", "extensions", "alpn"),
    *("signature_schemes", "plain_chains", "contradictions", "hellos"),
    *(
        "vulnerabilities",
        "attacks_tried",
        "certificate",
        "http",
        "software",
        "clients",
        "dns",
        "tlsa",
        "mta_sts",
        "mta_sts_policy",
        "caa_issuer",
        "notes",
        "enumerated_at",
    ),
}


def document(*reports: Report) -> dict[str, Any]:
    text = reports_json(reports)
    ReportsForm.model_validate_json(text, strict=True)
    read: dict[str, Any] = json.loads(text)
    return read


def only(one: Report) -> dict[str, Any]:
    (read,) = document(one)["reports"]
    return dict(read)


def test_a_grade_says_what_holds_it_and_what_would_lift_it() -> None:
    seen = facts(handshake(), certificate(trusted=False), http("max-age=0"), tried())
    grade = only(report(seen))["grade"]
    assert (grade["letter"], grade["trust_ignored_letter"], grade["lifted_letter"]) == ("T", "A-", "A-")
    assert (grade["capped_by"], grade["caps"]) == ("not_trusted", ["not_trusted", "bad_hsts", "no_long_hsts"])
    assert [lift["rule"] for lift in grade["lifts"]] == ["not_trusted"]


def test_a_grade_that_is_not_known_says_what_is_missing() -> None:
    old = handshake(extensions={"secure_renegotiation": True})
    grade = only(report(facts(old, certificate(), http("max-age=1"))))["grade"]
    assert (grade["letter"], grade["score"], grade["lifts"]) == (None, 93.0, [])
    assert grade["missing"] == ["ccs_injection"]
    assert only(report(Facts()))["grade"] is None


def test_the_published_schema_is_the_one_of_the_program() -> None:
    """Made by tools/write_schema.py."""
    assert SCHEMA_FILE.read_text(encoding="utf-8") == json.dumps(json_schema(), indent=2) + "\n"


def test_the_document_names_its_version_and_keeps_the_order_of_the_reports() -> None:
    read = document(report(), report(target=make_target(name="another")))
    assert read["schema_version"] == 1
    assert [one["target"] for one in read["reports"]] == ["test", "another"]
    assert document() == {"schema_version": 1, "reports": []}


def test_a_good_target_as_a_document() -> None:
    read = only(report(target=watched(labels={"team": "web"})))
    assert {key: value for key, value in read.items() if key not in {"facts", "findings"}} == {
        "target": "test",
        "address": None,
        "addresses_found": None,
        "disagreements": None,
        "host": "www.test.example",
        "port": 443,
        "protocol": "https",
        "labels": {"team": "web"},
        "policies": {"kopano-checklist": True},
        "scanned_at": "2026-11-22T12:00:00Z",
        "duration_seconds": 1.5,
        "connections": 27,
        "bytes_sent": 9000,
        "bytes_received": 40000,
        "success": True,
        "compliant": True,
        "seen_at": dict.fromkeys(
            ("handshake", "certificate", "http", "dns", "vulnerabilities"), "2026-11-22T12:00:00Z"
        ),
        "grade": {
            "revision": "2009r",
            "letter": "A+",
            "score": 93.0,
            "trust_ignored_letter": "A+",
            "capped_by": "",
            "caps": [],
            "lifts": [],
            "lifted_letter": None,
            "missing": [],
            "categories": {"protocols": 100.0, "key_exchange": 90.0, "ciphers": 90.0},
        },
        "failures": [],
    }
    assert read["facts"]["cipher_suites"]["TLSv1.2"] == [GCM, GCM_128]
    assert read["facts"]["compression"] is False
    policy = {"max_age_seconds": 31536000, "include_subdomains": False, "preload": False}
    headers, shown = {"strict-transport-security": ["max-age=31536000"]}, {"server": ["nginx/1.30.4"]}
    assert read["facts"]["http"] == {
        "status": 200,
        "hsts_fields": ["max-age=31536000"],
        "hsts": policy,
        "hsts_on_error_responses": True,
        "responses": [
            {"request": "root", "status": 200, "headers": headers | shown, "hsts": policy},
            {"request": "not_found", "status": 404, "headers": headers, "hsts": policy},
            {"request": "malformed", "status": 400, "headers": headers, "hsts": policy},
        ],
        "http_redirect": {
            "port": 80,
            "redirects_to_https": True,
            "status": 301,
            "location": "https://www.test.example/",
            "reason": None,
            "detail": None,
        },
    }
    assert read["facts"]["vulnerabilities"] == dict.fromkeys(map(str, Attack), False)
    assert read["facts"]["attacks_tried"]["ccs_injection"] == {
        "vulnerable": False,
        "detail": "",
        "at": "2026-11-22T12:00:00Z",
    }
    assert read["facts"]["dns"] == {
        "caa": [{"flags": 0, "tag": "issue", "value": "ca.test.example"}],
        "caa_domain": "test.example",
        "dnssec": None,
    }
    assert read["findings"][0] == {
        "policy": "kopano-checklist",
        "check": "protocols",
        "verdict": "pass",
        "severity": "critical",
        "summary": "accepts TLSv1.2, TLSv1.3 only",
        "evidence": {},
        "asked": "TLSv1.2, TLSv1.3 only",
        "sources": ["step 2: SSLProtocol all -SSLv2 -SSLv3 -TLSv1 -TLSv1.1"],
        "remedy": [],
        "accepted": None,
    }


def test_each_policy_has_its_verdict_and_each_finding_its_policy_and_its_remedy() -> None:
    one, remedy = report(), (Remedy("nginx", ("add_header ...;",), "once"),)
    findings = (
        Finding("hsts", Verdict.PASS, Severity.INFO, "fine", policy="lax"),
        Finding("hsts", Verdict.FAIL, Severity.INFO, "gone", {}, "strict", "a header", ("1", "2"), remedy),
        Finding("caa", Verdict.UNKNOWN, Severity.INFO, "who knows", policy="open"),
    )
    read = only(replace(one, policies=("lax", "strict", "open"), findings=findings))
    assert read["policies"] == {"lax": True, "strict": False, "open": None}
    assert read["compliant"] is False
    assert [finding["policy"] for finding in read["findings"]] == ["lax", "strict", "open"]
    assert read["findings"][1] | {"asked": "a header", "sources": ["1", "2"]} == read["findings"][1]
    assert read["findings"][1]["remedy"] == [{"server": "nginx", "lines": ["add_header ...;"], "note": "once"}]


def test_addresses_and_what_they_disagree_on_are_in_the_entry_of_each() -> None:
    one = report()
    found = (Disagreement("protocols", {"192.0.2.1": {"TLSv1.1": "false"}, "2001:db8::1": {"TLSv1.1": "true"}}),)
    reports = [
        replace(one, result=replace(one.result, address=address, addresses_found=500), disagreements=found)
        for address in ("192.0.2.1", "2001:db8::1")
    ]
    first, second = document(*reports)["reports"]
    assert (first["target"], first["address"]) == ("test", "192.0.2.1")
    assert (second["target"], second["address"]) == ("test", "2001:db8::1")
    for read in (first, second):
        assert read["addresses_found"] == 500
        assert read["disagreements"] == [
            {"fact": "protocols", "said": {"192.0.2.1": {"TLSv1.1": "false"}, "2001:db8::1": {"TLSv1.1": "true"}}}
        ]
    assert only(replace(reports[0], disagreements=()))["disagreements"] == []


def test_a_target_that_was_not_reached_has_null_for_every_fact() -> None:
    failure = Failure("handshake", Reason.CONNECT_REFUSED, "192.0.2.1 port 443: refused")
    read = only(report(Facts(), success=False, failures=(failure,)))
    assert read["facts"] == dict.fromkeys(FACT_KEYS)
    assert (read["success"], read["compliant"]) == (False, None)
    assert read["failures"] == [
        {"probe": "handshake", "reason": "connect_refused", "detail": "192.0.2.1 port 443: refused"}
    ]
    assert {finding["verdict"] for finding in read["findings"]} == {"unknown"}


def test_what_a_handshake_could_not_tell_is_null() -> None:
    seen = handshake(
        {Protocol.TLS1_2: (GCM, CBC_RSA)},
        open_protocols=[Protocol.SSL3],
        incomplete=[Protocol.TLS1_2],
        order={Protocol.TLS1_2: None},
        compression=None,
        notes=("SSLv3: the server did not answer in time",),
    )
    read = only(report(facts(seen)))["facts"]
    assert read["protocols"] == {
        **dict.fromkeys(("SSLv2", "TLSv1.0", "TLSv1.1", "TLSv1.3"), False),
        "SSLv3": None,
        "TLSv1.2": True,
    }
    assert read["cipher_suites_incomplete"] == ["TLSv1.2"]
    assert read["cipher_order"] == {"TLSv1.2": None}
    assert read["compression"] is None
    assert read["notes"] == ["SSLv3: the server did not answer in time"]
    assert (read["certificate"], read["http"], read["dns"]) == (None, None, None)


@pytest.mark.parametrize("order", list(CipherOrder))
def test_the_cipher_order_is_named(order: CipherOrder) -> None:
    read = only(report(facts(handshake(order={Protocol.TLS1_2: order}))))
    assert read["facts"]["cipher_order"]["TLSv1.2"] == order.value


def test_a_certificate_that_could_not_be_judged_has_null_for_trust() -> None:
    read = only(report(facts(certificate(trusted=None, key_size_bits=None, trust_detail="no store"))))
    assert read["facts"]["certificate"] == {
        "subject": "CN=www.test.example",
        "issuer": "CN=Test CA,O=Test",
        "serial": "1f",
        "fingerprint_sha256": "ab" * 32,
        "key_algorithm": "EC",
        "key_size_bits": None,
        "signature_algorithm": "ecdsa-with-SHA256",
        "not_before": "2026-10-01T00:00:00+00:00",
        "not_after": "2026-12-30T23:59:59+00:00",
        "chain_not_after": "2026-12-01T00:00:00+00:00",
        "path_not_after": None,
        "chain_length": 2,
        "subject_alternative_names": ["DNS:www.test.example"],
        "hostname_match": True,
        "trusted": None,
        "failures": [],
        "trust_detail": "no store",
        "client_authentication": "none",
        "deployments": read["facts"]["certificate"]["deployments"],
        "deployments_complete": True,
    }
    (deployment,) = read["facts"]["certificate"]["deployments"]
    assert deployment["trusted"] is None
    assert [one["key_size_bits"] for one in deployment["chain"]] == [None, 256]


def test_reasons_why_verification_fails_are_listed() -> None:
    seen = certificate(trusted=False, failures=(TrustFailure.NAME_MISMATCH, TrustFailure.SELF_SIGNED))
    assert only(report(facts(seen)))["facts"]["certificate"]["failures"] == ["name_mismatch", "self_signed"]


def test_a_response_without_a_valid_policy_has_null_and_the_fields_as_received() -> None:
    read = only(report(facts(http("junk", "max-age=1"))))["facts"]["http"]
    assert read == {
        "status": 200,
        "hsts_fields": ["junk", "max-age=1"],
        "hsts": None,
        "hsts_on_error_responses": None,
        "responses": [
            {
                "request": "root",
                "status": 200,
                "headers": {"strict-transport-security": ["junk", "max-age=1"]},
                "hsts": None,
            }
        ],
        "http_redirect": None,
    }


def test_an_empty_record_set_is_a_list_without_entries() -> None:
    assert only(report(facts(caa())))["facts"]["dns"] == {"caa": [], "caa_domain": None, "dnssec": None}


def test_evidence_is_complete() -> None:
    suites = {Protocol.TLS1_0: ("TLS_RSA_WITH_RC4_128_MD5", "TLS_RSA_WITH_RC4_128_SHA", CBC_RSA, "0xFEED")}
    findings = only(report(facts(handshake(suites))))["findings"]
    (suites_finding,) = (finding for finding in findings if finding["check"] == "cipher_suites")
    assert suites_finding["verdict"] == "fail"
    assert suites_finding["evidence"] == {"TLSv1.0": list(suites[Protocol.TLS1_0])}


@steady
@given(seen=consistent_handshake_facts(), subject=st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_was_seen_makes_a_valid_document(seen: Any, subject: str) -> None:  # noqa: ANN401 - HandshakeFacts
    read = only(report(facts(seen, certificate(subject=subject))))
    assert read["facts"]["certificate"]["subject"] == subject
    assert set(read["facts"]) == FACT_KEYS
    accepted = {protocol for protocol, state in read["facts"]["protocols"].items() if state}
    assert set(read["facts"]["cipher_suites"]) == accepted


@pytest.mark.parametrize(
    "change",
    [
        lambda read: read.update(extra=1),
        lambda read: read.update(schema_version=2),
        lambda read: read["reports"][0].pop("compliant"),
        lambda read: read["reports"][0].pop("policies"),
        lambda read: read["reports"][0]["findings"][0].pop("remedy"),
        lambda read: read["reports"][0]["facts"].pop("http"),
        lambda read: read["reports"][0]["facts"].update(unheard_of=1),
        lambda read: read["reports"][0]["facts"]["cipher_order"].update({"TLSv1.2": "nobody"}),
        lambda read: read["reports"][0]["findings"][0].update(verdict="maybe"),
    ],
)
def test_a_document_of_another_form_is_refused(change: Any) -> None:  # noqa: ANN401 - a function on JSON
    read = document(report())
    change(read)
    with pytest.raises(ValidationError):
        ReportsForm.model_validate_json(json.dumps(read))
