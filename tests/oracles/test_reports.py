import json
from pathlib import Path
from typing import Any

import pytest

from oracles.facts import ALL, Facts, ReportError
from oracles.reports import SSLYZE_PROTOCOLS, read_ours, read_sslscan, read_sslyze, read_testssl

# --- ours ---------------------------------------------------------------------------------------------------------


def ours(**changes: Any) -> Facts:  # noqa: ANN401 - any part of the document
    document: dict[str, Any] = {
        "protocols": {"SSLv3": False, "TLSv1.2": True, "TLSv1.3": True},
        "cipher_suites": {"TLSv1.2": ["a", "b"], "TLSv1.3": ["c"]},
        "cipher_suites_incomplete": [],
        "cipher_order": {"TLSv1.2": "server", "TLSv1.3": None},
        "compression": False,
        "groups": {"TLSv1.2": ["x25519"], "TLSv1.3": ["x448"]},
        "groups_incomplete": [],
        "dh_primes": [{"bits": 2048, "name": "ffdhe2048"}, {"bits": 1024, "name": None}],
        "extensions": {"heartbeat": False},
        "alpn": {"names": ["h2"], "complete": True},
        "signature_schemes": {"names": ["ed25519"], "complete": True},
    }
    return read_ours(document | changes)


def test_ours_is_read_whole() -> None:
    facts = ours()
    assert facts.suites == {"TLSv1.2": frozenset("ab"), "TLSv1.3": frozenset("c")}
    assert facts.orders == {"TLSv1.2": "server"}
    assert facts.groups[ALL] == {"x25519", "x448", "ffdhe2048"}
    assert facts.dh_bits == frozenset({1024, 2048})
    assert not facts.unknown  # one suite has no order


@pytest.mark.parametrize(
    ("changes", "unknown"),
    [
        ({"protocols": {"SSLv3": None, "TLSv1.3": False}}, ("protocols", "SSLv3")),
        ({"cipher_suites_incomplete": ["TLSv1.2"]}, ("suites", "TLSv1.2")),
        ({"cipher_order": {"TLSv1.2": None}}, ("order", "TLSv1.2")),
        ({"compression": None}, ("compression", "")),
        ({"groups_incomplete": ["TLSv1.3"]}, ("groups", "TLSv1.3")),
        ({"groups": {}}, ("groups", "TLSv1.3")),
        ({"extensions": {"heartbeat": None}}, ("extensions", "heartbeat")),
        ({"alpn": None}, ("alpn", "")),
        ({"alpn": {"names": [], "complete": False}}, ("alpn", "")),
        ({"signature_schemes": None}, ("signatures", "TLSv1.2")),
    ],
)
def test_what_ours_could_not_tell_is_noted(changes: dict[str, Any], unknown: tuple[str, str]) -> None:
    assert ours(**changes).unknown == {unknown}


# --- sslyze -------------------------------------------------------------------------------------------------------


def sslyze(folder: Path, accepted: set[str], **results: Any) -> Facts:  # noqa: ANN401 - parts of its report
    suite = {"cipher_suite": {"name": "a"}, "ephemeral_key": {"type_name": "DH", "size": 1024}}
    suites = {
        key: {"result": {"accepted_cipher_suites": [suite] if protocol in accepted else []}}
        for protocol, key in SSLYZE_PROTOCOLS.items()
    }
    others = {key: {"result": result} for key, result in results.items()}
    file = folder / "report"
    server = {"connectivity_status": "COMPLETED", "scan_result": suites | others}
    file.write_text(json.dumps({"server_scan_results": [server]}))
    return read_sslyze(file)


ASKED_AND_NOT = {
    "tls_extended_master_secret": {"supports_ems_extension": True},
    "tls_fallback_scsv": {"supports_fallback_scsv": True},
    "session_renegotiation": {"supports_secure_renegotiation": True},
}


@pytest.mark.parametrize(
    ("accepted", "told"),
    [
        ({"TLSv1.3"}, set()),
        ({"TLSv1.2"}, {"secure_renegotiation", "extended_master_secret"}),
        ({"TLSv1.2", "TLSv1.3"}, {"secure_renegotiation"}),
        ({"TLSv1.0", "TLSv1.2"}, {"secure_renegotiation", "extended_master_secret"}),
        ({"TLSv1.1", "TLSv1.2"}, {"secure_renegotiation", "extended_master_secret", "fallback_scsv"}),
    ],
)
def test_what_sslyze_says_without_having_asked_is_left_out(accepted: set[str], told: set[str], tmp_path: Path) -> None:
    assert sslyze(tmp_path, accepted, **ASKED_AND_NOT).extensions.keys() == told


def test_sslyze_asks_for_curves_in_the_highest_protocol(tmp_path: Path) -> None:
    curves = {"supported_curves": [{"name": "X25519"}, {"name": "secp384r1"}]}
    facts = sslyze(tmp_path, {"TLSv1.1", "TLSv1.2"}, elliptic_curves=curves)
    assert facts.groups == {"TLSv1.2": {"x25519", "secp384r1"}}
    assert facts.dh_bits == frozenset({1024})


def test_sslyze_that_reached_nothing_gives_no_facts(tmp_path: Path) -> None:
    file = tmp_path / "report"
    server = {"connectivity_status": "ERROR", "connectivity_error_trace": "refused"}
    file.write_text(json.dumps({"server_scan_results": [server]}))
    with pytest.raises(ReportError, match="refused"):
        read_sslyze(file)


# --- sslscan ------------------------------------------------------------------------------------------------------


def sslscan(folder: Path, inside: str, output: str = "") -> Facts:
    file = folder / "report"
    file.write_text(f"<document>{inside}</document>")
    return read_sslscan(file, output)


OLD, NEW = (
    f'<cipher sslversion="{version}" id="0x0033" cipher="DHE" dhebits="1024" />' for version in ("TLSv1.0", "TLSv1.2")
)


def test_sslscan_is_read_by_numbers(tmp_path: Path) -> None:
    inside = (
        f'<ssltest><protocol type="tls" version="1.2" enabled="1" />{NEW}<renegotiation supported="0" secure="0" />'
        '<group sslversion="TLSv1.3" name="ffdhe 2048" id="0x0100" />'
        '<connection-signature-algorithm sslversion="TLSv1.2" name="odd" id="0x0403" />'
        '<connection-signature-algorithm sslversion="TLSv1.3" name="ANY" id="0xfdff" /></ssltest>'
    )
    facts = sslscan(tmp_path, inside, "  Server supports TLS Fallback SCSV\nNo OCSP response received.\n")
    assert facts.protocols == {"TLSv1.2": True}
    assert facts.suites == {"TLSv1.2": {"TLS_DHE_RSA_WITH_AES_128_CBC_SHA"}}
    assert facts.groups == {"TLSv1.3": {"ffdhe2048"}}
    assert facts.signatures == {"TLSv1.2": {"ecdsa_secp256r1_sha256"}}
    assert facts.dh_bits == frozenset({1024})
    assert facts.extensions == {"ocsp_stapling": False}  # nothing to fall back to, and renegotiation asked in TLS 1.0


def test_sslscan_tells_renegotiation_and_fallback_where_it_asked(tmp_path: Path) -> None:
    inside = f'<ssltest>{OLD}{NEW}<renegotiation supported="1" secure="1" /></ssltest>'
    facts = sslscan(tmp_path, inside, "Server does not support TLS Fallback SCSV")
    assert facts.extensions == {"secure_renegotiation": True, "fallback_scsv": False}


def test_sslscan_that_reached_nothing_gives_no_facts(tmp_path: Path) -> None:
    with pytest.raises(ReportError):
        sslscan(tmp_path, "")


# --- testssl.sh ---------------------------------------------------------------------------------------------------


def testssl(folder: Path, **findings: str) -> Facts:
    findings = {"TLS1_2": "offered"} | findings
    file = folder / "report"
    file.write_text(json.dumps([{"id": key.replace("__", "-"), "finding": text} for key, text in findings.items()]))
    return read_testssl(file)


testssl.__test__ = False  # type: ignore[attr-defined]  # the scanner's name, not a test


@pytest.mark.parametrize(
    ("verdict", "orders"),
    [
        ("server", {ALL: "server"}),
        ("NOT a cipher order configured", {ALL: "client"}),
        ("server -- TLS 1.3 client determined", {"TLSv1.2": "server", "TLSv1.3": "client"}),
        ("Could not determine server cipher order", {}),
    ],
)
def test_testssl_has_words_for_orders(verdict: str, orders: dict[str, str], tmp_path: Path) -> None:
    facts = testssl(tmp_path, TLS1_2="offered", TLS1_3="offered with final", SSLv3="not offered", cipher_order=verdict)
    assert facts.protocols == {"TLSv1.2": True, "TLSv1.3": True, "SSLv3": False}
    assert facts.orders == orders


def test_testssl_runs_names_together(tmp_path: Path) -> None:
    assert testssl(tmp_path, ALPN="http/1.1grpc-exp", ALPN_HTTP2="h2").alpn == frozenset({"h2", "http/1.1", "grpc-exp"})
    assert testssl(tmp_path, ALPN="not offered").alpn == frozenset()
    assert testssl(tmp_path).alpn is None


def test_testssl_groups_and_primes(tmp_path: Path) -> None:
    named = testssl(tmp_path, PFS_ECDHE_curves="prime256v1 X25519", DH_groups="ffdhe2048 ffdhe3072")
    assert named.groups == {ALL: {"secp256r1", "x25519", "ffdhe2048", "ffdhe3072"}}
    assert named.dh_bits is None
    own = testssl(tmp_path, PFS_ECDHE_curves="X448", DH_groups="Unknown DH group (1024 bits)")
    assert own.groups == {ALL: {"x448"}}
    assert own.dh_bits == frozenset({1024})


EXTENSIONS = {
    "TLS_extensions": "'renegotiation info/#65281' 'extended master secret/#23'",
    "secure_renego": "supported",
    "fallback_SCSV": "no protocol below TLS 1.2 offered",
    "heartbleed": "not vulnerable, no heartbeat extension",
    "OCSP_stapling": "not offered",
}


@pytest.mark.parametrize(
    ("suite", "told"),
    [
        ("tls1_3_x1301", {}),
        ("tls1_2_xc02f", {"extended_master_secret": True, "session_tickets": False, "heartbeat": False}),
        (
            "tls1_2_x2f",
            {
                "encrypt_then_mac": False,
                "extended_master_secret": True,
                "session_tickets": False,
                "heartbeat": False,
            },
        ),
    ],
)
def test_testssl_tells_of_extensions_where_a_suite_can_have_them(
    suite: str, told: dict[str, bool], tmp_path: Path
) -> None:
    facts = testssl(tmp_path, **EXTENSIONS, **{f"cipher__{suite}": ""})
    assert facts.extensions == {"secure_renegotiation": True, "ocsp_stapling": False} | told


def test_testssl_suites_by_number(tmp_path: Path) -> None:
    facts = testssl(tmp_path, cipher__tls1_2_xc02f="", CRIME_TLS="not vulnerable")
    assert facts.suites == {"TLSv1.2": {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}}
    assert facts.compression is False


def test_testssl_that_reached_nothing_gives_no_facts(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="cannot connect"):
        testssl(tmp_path, TLS1_2="test failed", scanProblem="cannot connect")
