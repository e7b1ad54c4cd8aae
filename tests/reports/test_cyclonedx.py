"""The bill of cryptography: valid, complete, and without anything that is not known."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.facts.handshake import HandshakeFacts, Listing, Prime
from exporter.model import Failure, Protocol, Reason, Report
from exporter.reports.base import ReportSet
from exporter.reports.cyclonedx import FORMAT
from tests.support.facts import (
    CBC_RSA,
    certificate,
    facts,
    handshake,
    handshake_facts,
    report,
    result,
)
from tests.support.targets import NOW, make_target

if TYPE_CHECKING:
    from cyclonedx.validation.json import JsonStrictValidator


@cache
def validator() -> "JsonStrictValidator":
    """It reads the schema once. Its import makes grammars for seconds, so only tests that need it import it."""
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415

    return JsonStrictValidator(SchemaVersion.V1_6)


def render(*reports: Report, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of ReportSet
    text = FORMAT.render(ReportSet([[one] for one in reports], {}, NOW, **changes))
    assert validator().validate_str(text) is None
    document: dict[str, Any] = json.loads(text)
    refs = {one["bom-ref"] for one in (*document.get("components", ()), *document["services"])}
    for one in document["dependencies"]:
        assert {one["ref"], *one.get("dependsOn", ())} <= refs, "a dependency leads to nothing"
    assert set(_references(document)) <= refs
    return document


def _references(value: object) -> Iterator[str]:
    """All references below."""
    if isinstance(value, dict):
        for key, one in value.items():
            if key in {"algorithmRef", "signatureAlgorithmRef", "subjectPublicKeyRef"}:
                yield one
            elif key in {"algorithms", "cryptoRefArray"}:
                yield from one
            else:
                yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)


def names(document: Mapping[str, Any], kind: str) -> set[str]:
    components = document.get("components", ())
    return {one["name"] for one in components if one["cryptoProperties"]["assetType"] == kind}


def notes(of: Mapping[str, Any]) -> dict[str, str]:
    return {one["name"].removeprefix("tls-posture:"): one["value"] for one in of.get("properties", ())}


def with_handshake(**changes: Any) -> Report:  # noqa: ANN401 - arguments of `handshake`
    return report(facts(handshake(**changes), certificate()))


def test_a_good_target() -> None:
    document = render(report())
    assert names(document, "protocol") == {"TLSv1.2", "TLSv1.3"}
    assert names(document, "certificate") == {"CN=www.test.example", "CN=Test CA,O=Test"}
    assert {"AES-256-GCM", "X25519MLKEM768", "x25519", "ECDSA P-256"} <= names(document, "algorithm")
    (service,) = document["services"]
    assert service["name"] == "test"
    assert service["endpoints"] == ["https://www.test.example:443"]
    assert notes(service)["post_quantum_key_exchange"] == "true"
    assert "protocols" not in notes(service)
    uses = {one["ref"]: one.get("dependsOn", []) for one in document["dependencies"]}
    assert sum(one.startswith("crypto/protocol/") for one in uses[service["bom-ref"]]) == 2
    assert sum(one.startswith("crypto/certificate/") for one in uses[service["bom-ref"]]) == 2


def test_codes_of_suites_are_written_as_by_iana() -> None:
    document = render(report())
    suites = [
        suite
        for one in document["components"]
        if one["name"] == "TLSv1.3"
        for suite in one["cryptoProperties"]["protocolProperties"]["cipherSuites"]
    ]
    assert {suite["name"]: suite["identifiers"] for suite in suites} == {
        "TLS_AES_256_GCM_SHA384": ["0x13,0x02"],
        "TLS_CHACHA20_POLY1305_SHA256": ["0x13,0x03"],
    }


def test_an_asset_that_several_targets_have_is_there_once() -> None:
    first = report()
    second = report(target=make_target(name="other:443", host="other"))
    one, both = render(first), render(first, second)
    assert len(both["components"]) == len(one["components"])
    assert len(both["services"]) == 2


def test_what_is_not_known_is_no_asset_and_says_so() -> None:
    document = render(report(facts()))
    assert document.get("components", []) == []
    (service,) = document["services"]
    assert notes(service)["protocols"] == notes(service)["certificates"] == "not known"
    assert "post_quantum_key_exchange" not in notes(service)


def test_lists_that_may_lack_something_say_so() -> None:
    document = render(
        with_handshake(
            open_protocols=[Protocol.TLS1_0],
            incomplete=[Protocol.TLS1_2],
            groups={Protocol.TLS1_3: Listing(("x25519",), complete=False)},
        )
    )
    (service,) = document["services"]
    assert notes(service)["protocol:TLSv1.0"] == "not known"
    assert notes(service)["post_quantum_key_exchange"] == "not known"
    protocols = {one["name"]: notes(one) for one in document["components"] if one["name"].startswith("TLSv")}
    assert protocols["TLSv1.2"]["cipher_suites"] == "may lack some"
    assert protocols["TLSv1.3"]["groups"] == "may lack some"


def test_a_target_that_cannot_be_reached_has_the_reason_and_one_without_a_scan_is_there_too() -> None:
    failed = report(facts(), success=False, failures=(Failure("tls", Reason.CONNECT_REFUSED, "refused"),))
    document = render(failed, not_scanned=[make_target(name="later:443", host="later")])
    by_name = {one["name"]: notes(one) for one in document["services"]}
    assert by_name["test"]["failed:tls"] == "connect_refused: refused"
    assert by_name["later:443"]["protocols"] == "not known"


def test_primes_of_finite_fields_belong_to_protocols_that_use_them() -> None:
    suites = {Protocol.TLS1_2: ("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",)}
    assert "DH-1024" in names(render(with_handshake(suites=suites, dh_primes=(Prime(1024),))), "algorithm")
    suites = {Protocol.TLS1_2: (CBC_RSA,)}
    assert "DH-1024" not in names(render(with_handshake(suites=suites, dh_primes=(Prime(1024),))), "algorithm")


def test_text_of_servers_is_escaped() -> None:
    document = render(report(facts(handshake(), certificate(subject="CN=\u202e\x1b[31m"))))
    assert "CN=\\u202e\\u001b[31m" in names(document, "certificate")


def test_labels_and_addresses_are_properties() -> None:
    target = make_target(labels={"team": "web"})
    seen = replace(report(target=target), result=replace(result(target=target), address="192.0.2.1"))
    (service,) = render(seen)["services"]
    assert notes(service)["label:team"] == "web"
    assert notes(service)["address"] == "192.0.2.1"


def test_equal_reports_give_equal_bills_and_others_a_new_number() -> None:
    assert render(report()) == render(report())
    later = FORMAT.render(ReportSet([[report()]], {}, NOW + timedelta(seconds=1)))
    assert json.loads(later)["serialNumber"] != render(report())["serialNumber"]


def test_the_library_reads_it_again() -> None:
    bom = Bom.from_json(render(report()))  # type: ignore[attr-defined]
    assert len(bom.services) == 1


@settings(max_examples=settings().max_examples // 4)  # each bill is validated, which takes a tenth of a second
@given(st.lists(handshake_facts(), max_size=3))
def test_bills_of_any_handshakes_are_valid(several: list[HandshakeFacts]) -> None:
    seen = [report(facts(one), target=make_target(name=f"{place}:443")) for place, one in enumerate(several)]
    document = render(*seen, report())
    known = {protocol for one in (*several, handshake()) for protocol in one.accepted}
    assert names(document, "protocol") == {str(protocol) for protocol in known}
