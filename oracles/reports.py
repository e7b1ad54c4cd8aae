"""The scanners' reports, read into `Facts`.

What a scanner reports without a test is left out. Results of wrong tests are kept, and explained in explanations.yaml
if they differ from ours.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from exporter.model import Protocol
from exporter.tls.parameters import group_name, scheme_name
from exporter.tls.suites import suite_name
from oracles.facts import ALL, Facts, ReportError

# --- ours ---------------------------------------------------------------------------------------------------------


def read_ours(told: Mapping[str, Any]) -> Facts:
    """Facts from the document of our handshake probe. Only this module knows its keys."""
    suites = {protocol: frozenset(names) for protocol, names in told["cipher_suites"].items() if names}
    schemes, alpn = told["signature_schemes"], told["alpn"]
    return Facts(
        protocols=_known(told["protocols"]),
        suites=suites,
        orders=_known(told["cipher_order"]),
        compression=told["compression"],
        groups=_our_groups(told),
        signatures={Protocol.TLS1_2: frozenset(schemes["names"])} if schemes else {},
        extensions=_known(told["extensions"]),
        alpn=None if alpn is None else frozenset(alpn["names"]),
        dh_bits=frozenset(prime["bits"] for prime in told["dh_primes"]),
        unknown=frozenset(_unknown(told)),
    )


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _our_groups(told: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """A protocol without groups is absent in the document. Up to TLS 1.2, finite fields are in `dh_primes`."""
    accepted = [protocol for protocol, yes in told["protocols"].items() if yes]
    groups = {protocol: frozenset(told["groups"].get(protocol, ())) for protocol in accepted}
    fields = {prime["name"] for prime in told["dh_primes"] if (prime["name"] or "").startswith("ffdhe")}
    return groups | {ALL: frozenset(fields).union(*groups.values())}


def _unknown(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from (("protocols", protocol) for protocol, accepted in told["protocols"].items() if accepted is None)
    yield from (("suites", protocol) for protocol in told["cipher_suites_incomplete"])
    for protocol, order in told["cipher_order"].items():
        if order is None and len(told["cipher_suites"].get(protocol, ())) > 1:
            yield "order", protocol
    yield from (("groups", protocol) for protocol in told["groups_incomplete"])
    if told["protocols"][Protocol.TLS1_3] and Protocol.TLS1_3 not in told["groups"]:
        yield "groups", Protocol.TLS1_3  # every handshake of TLS 1.3 has a group
    yield from (("extensions", name) for name, value in told["extensions"].items() if value is None)
    if told["compression"] is None:
        yield "compression", ""
    if told["alpn"] is None or not told["alpn"]["complete"]:
        yield "alpn", ""
    if told["signature_schemes"] is None or not told["signature_schemes"]["complete"]:
        yield "signatures", Protocol.TLS1_2


# --- sslyze -------------------------------------------------------------------------------------------------------

SSLYZE_PROTOCOLS = {
    Protocol.SSL2: "ssl_2_0_cipher_suites",
    Protocol.SSL3: "ssl_3_0_cipher_suites",
    Protocol.TLS1_0: "tls_1_0_cipher_suites",
    Protocol.TLS1_1: "tls_1_1_cipher_suites",
    Protocol.TLS1_2: "tls_1_2_cipher_suites",
    Protocol.TLS1_3: "tls_1_3_cipher_suites",
}
_SSLYZE_CURVES = {"X25519": "x25519", "X448": "x448", "prime192v1": "secp192r1", "prime256v1": "secp256r1"}
_CLASSIC = (Protocol.SSL3, Protocol.TLS1_0, Protocol.TLS1_1, Protocol.TLS1_2)


def read_sslyze(report: Path) -> Facts:
    """Facts from sslyze's JSON."""
    (server,) = json.loads(report.read_text())["server_scan_results"]
    if server["connectivity_status"] != "COMPLETED":
        raise ReportError(f"sslyze did not reach the server: {server['connectivity_error_trace']}")
    results = {key: attempt["result"] for key, attempt in server["scan_result"].items() if attempt["result"]}
    told = {protocol: results[key] for protocol, key in SSLYZE_PROTOCOLS.items() if key in results}
    suites = {p: frozenset(s["cipher_suite"]["name"] for s in r["accepted_cipher_suites"]) for p, r in told.items()}
    accepted = [protocol for protocol in Protocol if suites.get(protocol)]
    keys = [s["ephemeral_key"] for p in told if p in _CLASSIC for s in told[p]["accepted_cipher_suites"]]
    dh_bits = frozenset(key["size"] for key in keys if key and key["type_name"] == "DH")
    return Facts(
        protocols={protocol: bool(names) for protocol, names in suites.items()},
        suites={protocol: names for protocol, names in suites.items() if names},
        compression=results.get("tls_compression", {}).get("supports_compression"),
        groups=_sslyze_groups(results, accepted),
        extensions=_known(dict(_sslyze_extensions(results, accepted))),
        dh_bits=dh_bits if told else None,
    )


def _sslyze_groups(results: Mapping[str, Any], accepted: list[Protocol]) -> dict[str, frozenset[str]]:
    """Groups from sslyze, which tests the highest protocol only."""
    curves = results.get("elliptic_curves", {}).get("supported_curves")
    if curves is None or not accepted:
        return {}
    return {accepted[-1]: frozenset(_SSLYZE_CURVES.get(curve["name"], curve["name"]) for curve in curves)}


def _sslyze_extensions(results: Mapping[str, Any], accepted: list[Protocol]) -> Iterator[tuple[str, bool | None]]:
    classic = [protocol for protocol in _CLASSIC if protocol in accepted]
    if classic:  # otherwise it reports secure renegotiation, because there is none
        yield "secure_renegotiation", results.get("session_renegotiation", {}).get("supports_secure_renegotiation")
    if Protocol.TLS1_3 not in accepted:  # otherwise it says yes without a test
        yield "extended_master_secret", results.get("tls_extended_master_secret", {}).get("supports_ems_extension")
    if classic and classic[-1] is not _CLASSIC[0] and _CLASSIC[_CLASSIC.index(classic[-1]) - 1] in classic:
        # It tests the protocol right below the highest, and treats every refusal as a yes.
        yield "fallback_scsv", results.get("tls_fallback_scsv", {}).get("supports_fallback_scsv")
    if deployments := results.get("certificate_info", {}).get("certificate_deployments"):
        yield "ocsp_stapling", any(deployment["ocsp_response"] for deployment in deployments)


# --- sslscan ------------------------------------------------------------------------------------------------------

_ANY_SCHEME = 0xFDFF
"""Its mark for a server that signs with a scheme that was not offered."""
_SSLSCAN_WORDS = {
    "Server supports TLS Fallback SCSV": ("fallback_scsv", True),
    "Server does not support TLS Fallback SCSV": ("fallback_scsv", False),
    "No OCSP response received": ("ocsp_stapling", False),
    "OCSP Response Status: successful": ("ocsp_stapling", True),
}
"""Beginnings of lines in its output, for facts that its XML lacks."""


def read_sslscan(report: Path, output: str = "") -> Facts:
    """Facts from sslscan's XML and its output."""
    # The file is trusted: an installed program wrote it about our own server.
    test = ElementTree.parse(report).getroot().find("ssltest")  # noqa: S314
    if test is None:
        raise ReportError("sslscan did not reach the server")
    suites: dict[str, set[str]] = {}
    bits = set()
    for cipher in test.iter("cipher"):
        protocol = cipher.attrib["sslversion"]
        suites.setdefault(protocol, set()).add(suite_name(int(cipher.attrib["id"], 16)))
        if "dhebits" in cipher.attrib and protocol != Protocol.TLS1_3:
            bits.add(int(cipher.attrib["dhebits"]))
    groups: dict[str, set[str]] = {}
    for group in test.iter("group"):
        groups.setdefault(group.attrib["sslversion"], set()).add(group_name(int(group.attrib["id"], 16)))
    schemes: dict[str, set[int]] = {}
    for scheme in test.iter("connection-signature-algorithm"):
        schemes.setdefault(scheme.attrib["sslversion"], set()).add(int(scheme.attrib["id"], 16))
    compression, renegotiation = test.find("compression"), test.find("renegotiation")
    lines = [line.strip() for line in output.splitlines()]
    extensions = dict(fact for word, fact in _SSLSCAN_WORDS.items() if any(line.startswith(word) for line in lines))
    classic = suites.keys() - {Protocol.TLS1_3}
    if renegotiation is not None and Protocol.TLS1_0 in classic:  # the only protocol in which it tests this
        extensions["secure_renegotiation"] = renegotiation.attrib["secure"] == "1"
    if len(classic) < 2:  # there is no lower protocol for a fallback
        extensions.pop("fallback_scsv", None)
    return Facts(
        protocols={_sslscan_protocol(p.attrib): p.attrib["enabled"] == "1" for p in test.iter("protocol")},
        suites={protocol: frozenset(names) for protocol, names in suites.items()},
        compression=None if compression is None else compression.attrib["supported"] == "1",
        groups={protocol: frozenset(names) for protocol, names in groups.items()},
        signatures={
            protocol: frozenset(map(scheme_name, codes))
            for protocol, codes in schemes.items()
            if _ANY_SCHEME not in codes
        },
        extensions=extensions,
        dh_bits=frozenset(bits),
    )


def _sslscan_protocol(attributes: Mapping[str, str]) -> str:
    return f"{attributes['type'].upper()}v{attributes['version']}"


# --- testssl.sh ---------------------------------------------------------------------------------------------------

TESTSSL_PROTOCOLS = dict(zip(("ssl2", "ssl3", "tls1", "tls1_1", "tls1_2", "tls1_3"), Protocol, strict=True))

_SERVER, _CLIENT = "server", "client"
_TESTSSL_ORDERS = {
    # Its words -> whose order decides up to TLS 1.2, and in TLS 1.3.
    "server": (_SERVER, _SERVER),
    "server (TLS 1.3)": (_SERVER, _SERVER),
    "NOT a cipher order configured": (_CLIENT, _CLIENT),
    "not a cipher order for TLS 1.3 configured": (_CLIENT, _CLIENT),
    "server -- TLS 1.3 client determined": (_SERVER, _CLIENT),
    "server -- < TLS 1.3 client determined": (_CLIENT, _SERVER),
}
_TESTSSL_CURVES = {"X25519": "x25519", "X448": "x448", "prime192v1": "secp192r1", "prime256v1": "secp256r1"}
_TESTSSL_ALPN = ("h2-fb", "h2", "spdy/3.1", "spdy/3", "spdy/2", "spdy/1", "http/1.1", "grpc-exp")
_TESTSSL_EXTENSIONS = {"extended master secret": "extended_master_secret", "session ticket": "session_tickets"}


def read_testssl(report: Path) -> Facts:
    """Facts from testssl.sh's flat JSON."""
    findings: list[dict[str, Any]] = json.loads(report.read_text())
    told: dict[str, str] = {finding["id"]: finding["finding"] for finding in findings}
    protocols, suites = {}, dict[str, set[str]]()
    for key, text in told.items():
        protocol = TESTSSL_PROTOCOLS.get(key.lower().replace("sslv", "ssl"))
        if protocol and text.startswith(("offered", "not offered")):
            protocols[protocol.value] = text.startswith("offered")
        if suite := re.fullmatch(r"cipher-([a-z0-9_]+)_x([0-9a-f]+)", key):
            suites.setdefault(TESTSSL_PROTOCOLS[suite[1]], set()).add(suite_name(int(suite[2], 16)))
    if not protocols:
        raise ReportError(f"testssl.sh did not reach the server: {told.get('scanProblem', 'no protocols reported')}")
    classic = [name for protocol, names in suites.items() if protocol in _CLASSIC for name in names]
    crime = told.get("CRIME_TLS", "")
    return Facts(
        protocols=protocols,
        suites={protocol: frozenset(names) for protocol, names in suites.items()},
        orders=_testssl_orders(
            told.get("cipher_order", ""), [name for name, accepted in protocols.items() if accepted]
        ),
        compression=crime.startswith("VULNERABLE") if crime.startswith(("VULNERABLE", "not vulnerable")) else None,
        groups=_testssl_groups(told),
        extensions=dict(_testssl_extensions(told, classic)),
        alpn=_testssl_alpn(told),
        dh_bits=_testssl_dh_bits(told),
    )


def _testssl_orders(verdict: str, accepted: list[str]) -> dict[str, str]:
    if verdict not in _TESTSSL_ORDERS:
        return {}
    classic, newest = _TESTSSL_ORDERS[verdict]
    if classic == newest:
        return {ALL: classic}
    return {protocol: newest if protocol == Protocol.TLS1_3 else classic for protocol in accepted}


def _testssl_groups(told: Mapping[str, str]) -> dict[str, frozenset[str]]:
    curves, fields = told.get("PFS_ECDHE_curves"), told.get("DH_groups", "")
    if curves is None:
        return {}
    names = {_TESTSSL_CURVES.get(name, name) for name in curves.split()}
    return {ALL: frozenset(names | set(re.findall(r"\bffdhe\d+", fields)))}


def _testssl_dh_bits(told: Mapping[str, str]) -> frozenset[int] | None:
    """Only for a prime that the server chose. It does not report groups of RFC 7919 for each protocol."""
    bits = re.search(r"\((\d+) bits\)", told.get("DH_groups", ""))
    return frozenset({int(bits[1])}) if bits else None


def _testssl_alpn(told: Mapping[str, str]) -> frozenset[str] | None:
    words = [told[key] for key in ("ALPN", "ALPN_HTTP2") if key in told]
    if not words:
        return None
    text = "".join(words).replace("not offered", "")
    names = set()
    for name in _TESTSSL_ALPN:  # it writes them without a separator
        if name in text:
            names.add(name)
            text = text.replace(name, "")
    return frozenset(names)


def _testssl_extensions(told: Mapping[str, str], classic: list[str]) -> Iterator[tuple[str, bool]]:
    """`classic` has the suites up to TLS 1.2. Without any, it lists only the few unencrypted extensions of TLS 1.3."""
    if classic and (seen := told.get("TLS_extensions")) is not None:
        yield from ((name, word in seen) for word, name in _TESTSSL_EXTENSIONS.items())
        if any("_CBC_" in name for name in classic):
            yield "encrypt_then_mac", "encrypt-then-mac" in seen
    renegotiation = told.get("secure_renego", "")
    if renegotiation in {"supported", "VULNERABLE"}:
        yield "secure_renegotiation", renegotiation == "supported"
    fallback = told.get("fallback_SCSV", "")
    if fallback == "supported" or fallback.startswith("NOT supported"):
        yield "fallback_scsv", fallback == "supported"
    if classic and (heartbleed := told.get("heartbleed")):
        yield "heartbeat", "no heartbeat extension" not in heartbleed
    stapling = [text for key, text in told.items() if key.startswith("OCSP_stapling")]
    if stapling:
        yield "ocsp_stapling", any(text.startswith("offered") for text in stapling)
