"""Servers with several certificates: each is found, at a known cost, and possible further ones are reported."""

import asyncio
import subprocess
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from OpenSSL import SSL

from exporter.errors import ProbeError
from exporter.facts.certificate import CertificateFacts
from exporter.facts.handshake import HandshakeFacts, ServedChain
from exporter.facts.shapes.certificate import document, samples
from exporter.model import Facts, Protocol, Reason, TrustFailure
from exporter.net import openssl
from exporter.net.openssl import restrict_signatures
from exporter.probes.certificate import PROBE
from exporter.probes.certificate.probe import MOST_DEPLOYMENTS
from tests.support.certificates import (
    DAY,
    HOST,
    Issued,
    dns,
    issue,
    p256,
    pem_file,
    probe_served,
    rsa_key,
    run_probe,
    server_context,
    with_rsa,
)
from tests.support.facts import handshake
from tests.support.plain import plain_server
from tests.support.processes import find_program, free_port, running
from tests.support.scripted import record
from tests.support.servers import apache, nginx
from tests.support.targets import NOW, make_session, make_target, read_handshake

ROOT = issue("root", ca=True, key=rsa_key(2048))
RSA = issue(HOST, ROOT, names=dns(HOST), key=rsa_key(2048), valid=(NOW - DAY, NOW + 20 * DAY))
ECDSA = issue(HOST, ROOT, names=dns(HOST), key=p256())
EXPIRED = issue(HOST, ROOT, names=dns(HOST), key=rsa_key(2048), valid=(NOW - 9 * DAY, NOW - DAY))
ED25519 = issue(HOST, ROOT, names=dns(HOST), key=ed25519.Ed25519PrivateKey.generate())
Server = Callable[[Path, str, list[Path]], AbstractContextManager[int]]


def files(folder: Path, *issued: Issued) -> list[Path]:
    return [pem_file(folder / f"{place}.pem", one, key=one) for place, one in enumerate(issued)]


def probe(folder: Path, port: int, **changes: Any) -> tuple[CertificateFacts, int]:  # noqa: ANN401 - fields of HandshakeFacts
    """The facts after a look by the handshake probe, as in a scan."""
    hellos = replace(asyncio.run(read_handshake(port))[0], **changes)
    target = make_target(port, ca_file=str(pem_file(folder / "root.pem", ROOT)))
    return run_probe(target, Facts().with_part(hellos, NOW))


def kinds(facts: CertificateFacts) -> list[str]:
    return [deployment.leaf.key_algorithm for deployment in facts.deployments]


CLASSIC = {"nginx": "ssl_ecdh_curve X25519:prime256v1;", "apache": "SSLOpenSSLConfCmd Groups X25519:P-256\n"}
"""Without ML-KEM, which OpenSSL has since 3.5: a server with it may have ML-DSA too, and is asked for that."""
BOTH = {
    "nginx": f"{CLASSIC['nginx']} ssl_protocols TLSv1.2 TLSv1.3;",
    "apache": f"{CLASSIC['apache']}SSLProtocol -all +TLSv1.2 +TLSv1.3",
}
NEW = {
    "nginx": f"{CLASSIC['nginx']} ssl_protocols TLSv1.3;",
    "apache": f"{CLASSIC['apache']}SSLProtocol -all +TLSv1.3",
}
SERVERS: dict[str, Server] = {"nginx": nginx, "apache": apache}
each_server = pytest.mark.parametrize("server", SERVERS)


@pytest.mark.real
@each_server
@pytest.mark.parametrize(
    ("lines", "has", "expected"),
    [
        (BOTH, [RSA], (["RSA"], 2)),
        (BOTH, [ECDSA], (["EC"], 2)),
        (BOTH, [RSA, ECDSA], (["EC", "RSA"], 1)),
        (NEW, [RSA], (["RSA"], 2)),
        (NEW, [ECDSA], (["EC"], 2)),
        (NEW, [RSA, ECDSA], (["EC", "RSA"], 3)),
    ],
    ids=["RSA", "ECDSA", "both", "RSA in TLS 1.3", "ECDSA in TLS 1.3", "both in TLS 1.3"],
)
def test_each_certificate_of_a_server_is_found(
    tmp_path: Path, server: str, lines: dict[str, str], has: list[Issued], expected: tuple[list[str], int]
) -> None:
    """Up to TLS 1.2 hellos have seen all of them; in TLS 1.3 the server is asked for what they cannot show."""
    with SERVERS[server](tmp_path, lines[server], files(tmp_path, *has)) as port:
        facts, connections = probe(tmp_path, port)
    assert (kinds(facts), connections) == expected
    assert facts.deployments_complete is True
    assert facts.trusted is True


@pytest.mark.real
def test_one_that_tls12_never_shows_is_found_in_tls13(tmp_path: Path) -> None:
    """The suites of TLS 1.2 are for ECDSA alone, and in TLS 1.3 a suite says nothing of the kind of key."""
    lines = f"{BOTH['nginx']} ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;"
    with nginx(tmp_path, lines, files(tmp_path, EXPIRED, ECDSA)) as port:
        facts, connections = probe(tmp_path, port)
    assert [(kind, one.trusted) for kind, one in zip(kinds(facts), facts.deployments, strict=True)] == [
        ("EC", True),
        ("RSA", False),
    ]
    assert facts.deployments_complete is True
    assert connections == 3


@pytest.mark.real
def test_three_kinds_are_found_in_tls13(tmp_path: Path) -> None:
    """The fourth handshake shows that there are no more."""
    with nginx(tmp_path, NEW["nginx"], files(tmp_path, RSA, ECDSA, ED25519)) as port:
        facts, connections = probe(tmp_path, port)
    assert sorted(kinds(facts)) == ["EC", "Ed25519", "RSA"]
    assert facts.deployments_complete is True
    assert connections == 4


@pytest.mark.real
@pytest.mark.parametrize("names", [("RSA", "RSA-PSS"), ("ed25519", "ed448")], ids="-".join)
def test_kinds_of_one_family_are_told_apart_in_tls13(tmp_path: Path, names: tuple[str, str]) -> None:
    """OpenSSL has a place for each."""
    command = [find_program("openssl"), "s_server", "-tls1_3", "-quiet"]
    for name, option in zip(names, ("", "d"), strict=True):
        key = ["-newkey", name, "-nodes", "-subj", f"/CN={HOST}", "-keyout", f"{name}.key", "-out", f"{name}.pem"]
        make = [find_program("openssl"), "req", "-x509", *key]
        subprocess.run(make, cwd=tmp_path, check=True, capture_output=True, timeout=20)
        command += [f"-{option}cert", str(tmp_path / f"{name}.pem"), f"-{option}key", str(tmp_path / f"{name}.key")]
    port = free_port()
    with running([*command, "-accept", f"127.0.0.1:{port}"], tmp_path / "log", port=port):
        facts, connections = probe(tmp_path, port)
    assert sorted(one.leaf.key_kind or "" for one in facts.deployments) == sorted(map(_spelt, names))
    assert facts.deployments_complete is True
    assert connections == 3


def _spelt(name: str) -> str:
    return name.capitalize() if name.startswith("ed") else name


@pytest.mark.real
def test_where_modern_clients_get_an_anonymous_suite_the_certificate_is_known_from_hellos(tmp_path: Path) -> None:
    port, (file,) = free_port(), files(tmp_path, RSA)
    command = [find_program("openssl"), "s_server", "-tls1_2", "-quiet", "-accept", f"127.0.0.1:{port}"]
    command += ["-cert", str(file), "-cipher", "AES128-SHA:ADH-AES256-SHA:@SECLEVEL=0"]
    with running(command, tmp_path / "log", port=port):
        facts, _ = probe(tmp_path, port)
    assert kinds(facts) == ["RSA"]
    assert facts.deployments_complete is True


@pytest.mark.real
def test_an_ml_dsa_certificate_is_asked_for_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And schemes that chains are signed with are always there: some servers look at them (JSSE)."""
    offered = []

    def note(context: SSL.Context, schemes: str) -> bool:
        offered.append(schemes)
        return restrict_signatures(context, schemes)

    openssl.shared_context.cache_clear()
    monkeypatch.setattr(openssl, "restrict_signatures", note)
    with nginx(tmp_path, NEW["nginx"], files(tmp_path, ECDSA)) as port:
        facts, _ = probe(tmp_path, port)
    assert facts.deployments_complete is True
    (schemes,) = offered
    assert {"?mldsa44", "?mldsa65", "?mldsa87", "rsa_pkcs1_sha256"} < set(schemes.split(":"))


@pytest.mark.real
@pytest.mark.parametrize("lines", [BOTH, NEW], ids=["TLS 1.2", "TLS 1.3"])
def test_one_that_modern_clients_never_get_is_judged_too(tmp_path: Path, lines: dict[str, str]) -> None:
    with nginx(tmp_path, lines["nginx"], files(tmp_path, EXPIRED, ECDSA)) as port:
        facts, _ = probe(tmp_path, port)
    assert [deployment.trusted for deployment in facts.deployments] == [True, False]
    assert facts.trusted is False
    assert facts.failures == (TrustFailure.EXPIRED,)
    assert facts.chain_not_after == NOW - DAY


@pytest.mark.real
@pytest.mark.parametrize(
    "unsure",
    [{"cipher_suites_incomplete": frozenset({Protocol.TLS1_2})}, {"contradictions": ("TLSv1.2: certificate",)}],
)
def test_when_hellos_may_have_missed_some_it_is_told(tmp_path: Path, unsure: dict[str, Any]) -> None:
    with nginx(tmp_path, BOTH["nginx"], files(tmp_path, RSA, ECDSA)) as port:
        facts, _ = probe(tmp_path, port, **unsure)
    assert kinds(facts) == ["EC", "RSA"]
    assert facts.deployments_complete is False


@pytest.mark.real
def test_without_a_way_to_restrict_schemes_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another pyOpenSSL may not let us: then what TLS 1.3 hides stays unknown."""
    openssl.shared_context.cache_clear()
    monkeypatch.setattr(openssl, "restrict_signatures", lambda _context, _schemes: False)
    with nginx(tmp_path, NEW["nginx"], files(tmp_path, RSA, ECDSA)) as port:
        facts, _ = probe(tmp_path, port)
    assert kinds(facts) == ["EC"]
    assert facts.deployments_complete is False


def known(chains: Sequence[tuple[bytes, ...]], at: datetime = NOW, **changes: Any) -> Facts:  # noqa: ANN401 - fields of HandshakeFacts
    served = tuple(ServedChain(None, (Protocol.TLS1_2,), chain) for chain in chains)
    return Facts().with_part(handshake(plain_chains=served, **changes), at)


@pytest.mark.real
@pytest.mark.parametrize(("surplus", "trusted"), [(18, True), (30, None)])
def test_the_leaf_of_a_chain_that_is_too_long_is_known(tmp_path: Path, surplus: int, trusted: bool | None) -> None:
    """OpenSSL takes 100 KiB of certificates, our hellos 64; the leaf comes first."""
    filler = issue("filler", names=dns(*(f"{number:0>60}.test.example" for number in range(50))))
    chain = pem_file(tmp_path / "chain.pem", ECDSA, *[filler] * surplus, key=ECDSA)
    with nginx(tmp_path, "ssl_protocols TLSv1.2;", [chain]) as port:
        facts, _ = probe(tmp_path, port)
    assert [one.fingerprint_sha256 for one in (facts.first.leaf,)] == [sha256(ECDSA.der()).hexdigest()]
    assert len(facts.deployments) == 1
    assert facts.trusted is trusted
    assert facts.hostname_match is True
    assert facts.first.leaf.not_after == ECDSA.certificate.not_valid_after_utc


def served(folder: Path, hellos: Facts, *chain: Issued) -> CertificateFacts:
    context = server_context(pem_file(folder / "served.pem", *chain, key=chain[0]))
    return probe_served(context, hellos, ca_file=str(pem_file(folder / "root.pem", ROOT)))[0]


def test_a_chain_that_takes_too_long_to_verify_is_left_out(tmp_path: Path) -> None:
    """All its certificates have one name, so each may have issued each other, with the slowest keys."""
    slow = tuple(with_rsa(3072, 3071, serial).der for serial in range(1, 17))
    facts = served(tmp_path, known([(ECDSA.der(),), slow]), ECDSA)
    assert kinds(facts) == ["EC"]
    assert facts.deployments_complete is False


@pytest.mark.parametrize(("speaks", "complete"), [(True, True), (False, True), (None, False)])
def test_whether_tls13_hides_another_has_to_be_known(tmp_path: Path, speaks: bool | None, complete: bool) -> None:
    hellos = known([(ECDSA.der(),)]).get(HandshakeFacts)
    assert hellos is not None
    hellos = replace(hellos, protocols={**hellos.protocols, Protocol.TLS1_3: speaks})
    assert served(tmp_path, Facts().with_part(hellos, NOW), ECDSA).deployments_complete is complete


@pytest.mark.parametrize(("flaky", "complete"), [(False, True), (True, False)])
def test_a_server_that_declines_by_closing_is_asked_again(tmp_path: Path, flaky: bool, complete: bool) -> None:
    """One that closes without a look at the schemes has declined nothing: here from the second connection on."""
    behind = server_context(pem_file(tmp_path / "served.pem", ECDSA, key=ECDSA))
    connections = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        closes = connections > 1 if flaky else connections in {2, 4}
        if not closes:
            await writer.start_tls(behind)
            await reader.read()
        writer.close()

    async def run() -> CertificateFacts:
        async with plain_server(handler) as port:
            target = make_target(port, ca_file=str(pem_file(tmp_path / "root.pem", ROOT)))
            return await PROBE.run(make_session(target, known=known([(ECDSA.der(),)])))

    assert asyncio.run(run()).deployments_complete is complete
    assert connections == 4


def test_chains_of_an_earlier_scan_are_none_of_this_one(tmp_path: Path) -> None:
    facts = served(tmp_path, known([(RSA.der(),)], at=NOW - timedelta(seconds=1)), ECDSA)
    assert kinds(facts) == ["EC"]
    assert facts.deployments_complete is False


def test_without_hellos_there_may_be_others(tmp_path: Path) -> None:
    assert served(tmp_path, Facts(), ECDSA).deployments_complete is False


def test_a_chain_that_cannot_be_parsed_is_left_out_and_told(tmp_path: Path) -> None:
    facts = served(tmp_path, known([(RSA.der(),), (b"nonsense",)]), ECDSA)
    assert kinds(facts) == ["EC", "RSA"]
    assert facts.deployments_complete is False


def test_a_chain_with_an_extension_twice_is_judged_like_the_others(tmp_path: Path) -> None:
    usage, names = bytes.fromhex("0603551d25"), bytes.fromhex("0603551d11")
    facts = served(tmp_path, known([(RSA.der().replace(usage, names),)]), ECDSA)
    assert kinds(facts) == ["EC", "RSA"]
    assert (facts.deployments_complete, facts.trusted, facts.hostname_match) == (True, False, None)


def test_the_same_chain_counts_once(tmp_path: Path) -> None:
    facts = served(tmp_path, known([(ECDSA.der(),), (RSA.der(),), (ECDSA.der(), ROOT.der())]), ECDSA)
    assert [(kind, len(one.chain)) for kind, one in zip(kinds(facts), facts.deployments, strict=True)] == [
        ("EC", 1),
        ("RSA", 1),
        ("EC", 2),
    ]
    assert facts.deployments_complete is True


def test_of_very_many_chains_the_first_are_kept_and_that_is_told(tmp_path: Path) -> None:
    many = [(issue(HOST, ROOT, names=dns(HOST)).der(),) for _ in range(MOST_DEPLOYMENTS)]
    facts = served(tmp_path, known(many), ECDSA)
    assert len(facts.deployments) == MOST_DEPLOYMENTS
    assert facts.deployments_complete is False


def test_series_are_unique_and_show_the_leaf_that_ends_first(tmp_path: Path) -> None:
    sooner = issue(HOST, ROOT, names=dns(HOST), valid=(NOW - DAY, NOW + 3 * DAY))
    facts = served(tmp_path, known([(sooner.der(),), (RSA.der(),), (ECDSA.der(), ROOT.der())]), ECDSA)
    shown = [(sample.family.name, tuple(sorted(sample.labels.items()))) for sample in samples(facts)]
    assert len(set(shown)) == len(shown)
    ends = {
        sample.labels["key_algorithm"]: sample.value
        for sample in samples(facts)
        if sample.family.name == "tls_posture_certificate_not_after_timestamp_seconds"
    }
    assert ends == {"EC": (NOW + 3 * DAY).timestamp(), "RSA": (NOW + 20 * DAY).timestamp()}


def test_the_document_has_all_of_them_and_the_first_at_the_top(tmp_path: Path) -> None:
    told: Any = document(served(tmp_path, known([(EXPIRED.der(),)]), ECDSA))["certificate"]
    assert told["key_algorithm"] == "EC"
    assert [one["chain"][0]["key_algorithm"] for one in told["deployments"]] == ["EC", "RSA"]
    assert [one["trusted"] for one in told["deployments"]] == [True, False]
    assert told["trusted"] is False
    assert told["failures"] == ["expired"]
    assert told["deployments"][0]["chain"][0]["on_path"] is True
    assert told["deployments"][1]["valid_until"] == (NOW - DAY).isoformat()


@pytest.mark.parametrize(("hellos", "found"), [(known([(RSA.der(),)]), ["RSA"]), (Facts(), None)])
def test_what_openssl_cannot_speak_with_is_known_from_hellos(
    tmp_path: Path, hellos: Facts, found: list[str] | None
) -> None:
    """Only SSL 3 or RC4: no handshake is possible, but hellos have seen the chain in plain text."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(record(21, b"\x02\x28"))
        await writer.drain()
        await reader.read()

    async def run() -> CertificateFacts:
        async with plain_server(refuse) as port:
            target = make_target(port, ca_file=str(pem_file(tmp_path / "root.pem", ROOT)))
            return await PROBE.run(make_session(target, known=hellos))

    if found is None:
        with pytest.raises(ProbeError) as caught:
            asyncio.run(run())
        assert caught.value.reason is Reason.HANDSHAKE_ERROR
    else:
        facts = asyncio.run(run())
        assert kinds(facts) == found
        assert facts.trusted is True
        assert facts.client_authentication is None
