"""Whole scans of a real server whose TLSA records a real name server has, signed, behind a resolver that validates."""

import asyncio
from collections.abc import Iterator
from hashlib import sha256, sha512
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from dns.asyncresolver import Resolver

from exporter.facts.dns import DnsFacts, TlsaFacts
from exporter.model import Facts, Finding, Verdict
from exporter.net.records import RecordResolver
from exporter.policies import Policy, load_policy
from exporter.scan import Environment, scan
from tests.support.judging import judge_by, under
from tests.support.servers import HOST, SEED_NGINX, Pki, make_pki, nginx
from tests.support.targets import make_environment, make_target
from tests.support.zones import Zone, knot, unbound

pytestmark = pytest.mark.real

POLICY = """
name: own
title: x
version: "1"
source: x
checks:
  dnssec: {severity: info, source: x, required: true}
  dane: {severity: critical, source: x, required: true}
  caa: {severity: info, source: x, required: true}
"""


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def port(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with nginx(tmp_path_factory.mktemp("nginx"), SEED_NGINX, [pki.ecdsa, pki.rsa]) as port:
        yield port


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    file = tmp_path_factory.mktemp("policy") / "own.yaml"
    file.write_text(POLICY)
    return load_policy(str(file))


def _tlsa(file: Path) -> list[str]:
    """Records for the leaf in this file: of its key by SHA-256, of itself by SHA-512."""
    leaf = x509.load_pem_x509_certificates(file.read_bytes())[0]
    spki = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return [
        f"TLSA 3 1 1 {sha256(spki).hexdigest()}",
        f"TLSA 3 0 2 {sha512(leaf.public_bytes(Encoding.DER)).hexdigest()}",
    ]


def _scan(folder: Path, port: int, policy: Policy, pki: Pki, records: list[str], *, signed: bool) -> dict[str, Finding]:
    """Findings under a policy that asks for DNSSEC and DANE."""
    text = "\n".join([f'{HOST}. CAA 0 issue "ca.test"', *(f"_{port}._tcp.{HOST}. {record}" for record in records)])
    zones = {"example.": Zone("", signed=True), "test.example.": Zone(text, signed=signed)}
    with knot(folder, zones) as (served, anchor), unbound(folder, dict.fromkeys(zones, served), anchor) as asked:
        resolver = Resolver(configure=False)
        resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], asked, 3
        environment = Environment(now=make_environment().now, resolver=RecordResolver(resolver, validating=True))
        judge = judge_by(policy)
        target = under(make_target(port, ca_file=str(pki.bundle), timeout_seconds=3), [policy])
        target = judge.with_questions(target)
        result = asyncio.run(scan(target, environment))
    assert result.success, result.failures
    _asked_for(result.facts)
    (report,) = judge.after_scan([result], result.ended_at)
    return {finding.check: finding for finding in report.findings}


def _asked_for(facts: Facts) -> None:
    assert facts.get(DnsFacts) is not None
    assert facts.get(TlsaFacts) is not None


def _verdicts(findings: dict[str, Finding]) -> tuple[Verdict, Verdict]:
    return findings["dnssec"].verdict, findings["dane"].verdict


def test_signed_records_of_both_certificates_pass(tmp_path: Path, port: int, policy: Policy, pki: Pki) -> None:
    records = [*_tlsa(pki.ecdsa)[:1], *_tlsa(pki.rsa)[1:]]
    assert _verdicts(_scan(tmp_path, port, policy, pki, records, signed=True)) == (Verdict.PASS, Verdict.PASS)


def test_records_of_one_of_two_certificates_fail(tmp_path: Path, port: int, policy: Policy, pki: Pki) -> None:
    findings = _scan(tmp_path, port, policy, pki, _tlsa(pki.ecdsa), signed=True)
    assert _verdicts(findings) == (Verdict.PASS, Verdict.FAIL)
    assert "RSA" in findings["dane"].summary


def test_records_without_signatures_fail(tmp_path: Path, port: int, policy: Policy, pki: Pki) -> None:
    records = [*_tlsa(pki.ecdsa), *_tlsa(pki.rsa)]
    assert _verdicts(_scan(tmp_path, port, policy, pki, records, signed=False)) == (Verdict.FAIL, Verdict.FAIL)
