import pytest

from exporter.checks.dane import CHECK, DaneDemand
from exporter.facts.certificate import CertificateFacts
from exporter.facts.dns import TlsaFacts, TlsaRecord
from exporter.model import DnsQuestion, Verdict
from tests.support.facts import case, certificate, certificates, deployment

DEMAND = DaneDemand.model_validate({"severity": "warning", "source": "test", "required": True})
NAME = "_443._tcp.www.test.example"
FITS, OTHER = TlsaRecord(3, 1, 1, "cd" * 32), TlsaRecord(3, 1, 1, "00" * 32)
UNKNOWN_USAGE = TlsaRecord(9, 1, 1, "cd" * 32)
TWO = (deployment(), deployment(key_algorithm="RSA", spki_sha256="99" * 32))


def tlsa(*records: TlsaRecord, secure: bool | None = True) -> TlsaFacts:
    return TlsaFacts(NAME, records, secure)


CASES: list[tuple[TlsaFacts | None, CertificateFacts | None, Verdict, str]] = [
    (tlsa(FITS), certificate(), Verdict.PASS, f"the TLSA records at {NAME} fit"),
    (tlsa(FITS, OTHER), certificate(), Verdict.PASS, f"the TLSA records at {NAME} fit"),
    (tlsa(OTHER), certificate(), Verdict.FAIL, "the TLSA records do not fit the certificates of EC abababab"),
    (tlsa(FITS), certificates(*TWO), Verdict.FAIL, "the TLSA records do not fit the certificates of RSA abababab"),
    (
        tlsa(FITS),
        certificates(TWO[0], complete=False),
        Verdict.UNKNOWN,
        "the TLSA records fit what was seen, and there may be other certificates",
    ),
    (
        tlsa(FITS),
        certificate(spki_sha256=None),
        Verdict.UNKNOWN,
        "it is not known whether the TLSA records fit",
    ),
    (tlsa(), certificate(), Verdict.FAIL, f"there are no TLSA records at {NAME}"),
    (tlsa(secure=None), certificate(), Verdict.FAIL, f"there are no TLSA records at {NAME}"),
    (
        tlsa(FITS, secure=False),
        certificate(),
        Verdict.FAIL,
        "the TLSA records are not signed by DNSSEC, so clients ignore them",
    ),
    (
        tlsa(FITS, secure=None),
        certificate(),
        Verdict.UNKNOWN,
        "no resolver is configured that is said to validate (resolver: validating)",
    ),
    (tlsa(UNKNOWN_USAGE), certificate(), Verdict.FAIL, "clients can use none of the TLSA records"),
    (tlsa(FITS), None, Verdict.UNKNOWN, "the certificate is not known"),
    (None, certificate(), Verdict.UNKNOWN, "the TLSA records could not be looked up"),
]


@pytest.mark.parametrize(("records", "chains", "verdict", "summary"), CASES)
def test_signed_records_must_bind_every_certificate(
    records: TlsaFacts | None, chains: CertificateFacts | None, verdict: Verdict, summary: str
) -> None:
    outcome = CHECK.judge(case(*(part for part in (records, chains) if part is not None)), DEMAND)
    assert (outcome.verdict, outcome.summary) == (verdict, summary)


@pytest.mark.parametrize("server_name", ["shop.example", None])
def test_the_certificate_for_another_name_says_nothing(server_name: str | None) -> None:
    """Clients ask for the name that the records are of (RFC 7671, 7), and a server may have another one for it."""
    for record in (FITS, OTHER):
        outcome = CHECK.judge(case(tlsa(record), certificate(), server_name=server_name), DEMAND)
        assert (outcome.verdict, outcome.summary) == (
            Verdict.UNKNOWN,
            "clients ask for the certificate of www.test.example, which was not looked at",
        )


def test_addresses_have_no_tlsa_records() -> None:
    assert CHECK.judge(case(tlsa(FITS), host="192.0.2.1"), DEMAND).verdict is Verdict.NOT_APPLICABLE


def test_only_this_check_has_them_looked_up() -> None:
    assert CHECK.questions == {DnsQuestion.TLSA}
