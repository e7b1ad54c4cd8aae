"""Whether the CAA records allow the issuer, and when that is unknown."""

from pathlib import Path

import pytest

from exporter.derived.caa import DERIVATION, NAMELESS, CaaIssuer, CaaState
from exporter.facts.certificate import CertificateFacts
from exporter.facts.dns import CaaSet, DnsFacts
from exporter.model import TrustFailure
from exporter.pki.authorities import authority_of, table
from exporter.pki.caa import CaaRecord
from exporter.probes.certificate.reading import read_chain
from tests.support.certificates import DAY, Issued, dns, issue, p256, pem_file
from tests.support.facts import caa, case, certificate, certificates, deployment
from tests.support.targets import NOW

HOST, PARENT = "www.test.example", "test.example"
LETTER = "C=US,O=Let's Encrypt,CN=E7"
GOOGLE = "C=US,O=Google Trust Services,CN=WE1"
OWN = "O=Test,CN=Test CA"

OURS = ("issue", "letsencrypt.org")
THEIRS = ("issue", "ca.example.net")
NOBODY = ("issue", ";")


def state(*parts: object, host: str = HOST) -> tuple[CaaState, bool | None] | None:
    derived = DERIVATION.derive(case(*parts, host=host))
    return None if derived is None else (derived.worst.state, derived.authorized)


STATES: list[tuple[str, str, DnsFacts | None, CaaState, bool | None]] = [
    ("allowed", LETTER, caa(OURS), CaaState.AUTHORISED, True),
    ("not allowed", GOOGLE, caa(OURS), CaaState.NOT_AUTHORISED, False),
    ("nobody is", LETTER, caa(NOBODY), CaaState.NOT_AUTHORISED, False),
    ("nothing restricts", LETTER, caa(("iodef", "mailto:a@b")), CaaState.AUTHORISED, True),
    ("no records", LETTER, caa(), CaaState.NO_CAA, True),
    ("no records and an issuer of one's own", OWN, caa(), CaaState.NO_CAA, None),
    ("an issuer that is not in the table", OWN, caa(OURS), CaaState.UNKNOWN_ISSUER, None),
    ("the same where nobody may", OWN, caa(NOBODY), CaaState.UNKNOWN_ISSUER, None),
    ("no lookup", LETTER, None, CaaState.LOOKUP_FAILED, None),
]


@pytest.mark.parametrize(
    ("issuer", "records", "expected", "value"), [one[1:] for one in STATES], ids=[one[0] for one in STATES]
)
def test_records_and_issuer_make_the_state(
    issuer: str, records: DnsFacts | None, expected: CaaState, value: bool | None
) -> None:
    parts = [certificate(issuer=issuer)] + ([records] if records else [])
    assert state(*parts) == (expected, value)


@pytest.mark.parametrize("failure", TrustFailure)
def test_a_name_counts_only_where_the_chain_was_verified_to_be_of_its_bearer(failure: TrustFailure) -> None:
    seen = certificate(issuer=LETTER, trusted=False, failures=(failure,))
    expected = CaaState.UNKNOWN_ISSUER if failure in NAMELESS else CaaState.AUTHORISED
    got = state(seen, caa(OURS))
    assert got is not None
    assert got[0] is expected


def test_without_a_trust_store_no_issuer_is_known() -> None:
    assert state(certificate(issuer=LETTER, trusted=None), caa(OURS)) == (CaaState.UNKNOWN_ISSUER, None)


def test_a_name_of_an_authority_that_the_operator_has_added_is_not_believed() -> None:
    """Whoever runs a private authority can give it any organisation; a public one is in the system's store."""
    derived = DERIVATION.derive(case(certificate(issuer=LETTER), caa(THEIRS), ca_file="/etc/private/ca.pem"))
    assert derived is not None
    assert derived.worst.state is CaaState.UNKNOWN_ISSUER
    assert derived.worst.issuer is None


def _forged(folder: Path, *, root_ended: bool) -> CertificateFacts:
    """A leaf with a forged signature, below an intermediate, or a root, that has ended."""
    ended, lasting = (NOW - 90 * DAY, NOW - DAY), (NOW - DAY, NOW + DAY)
    root = issue("Root", ca=True, organisation="ISRG", valid=ended if root_ended else lasting)
    if root_ended:
        above = issue("E7", Issued(root.certificate, p256()), ca=True, organisation="Let's Encrypt")
        leaf = issue("x", above, names=dns(HOST))
    else:
        above = issue("X3", root, ca=True, organisation="Let's Encrypt", valid=ended)
        leaf = issue("x", Issued(above.certificate, p256()), names=dns(HOST))
    store = pem_file(folder / "store.pem", root)
    return read_chain((leaf.parsed, above.parsed), HOST, str(store), NOW)


@pytest.mark.parametrize("root_ended", [True, False])
def test_a_forged_signature_behind_a_date_that_is_over_gives_no_name(tmp_path: Path, root_ended: bool) -> None:
    """OpenSSL stops at the date, before it checks the signature."""
    seen = _forged(tmp_path, root_ended=root_ended)
    assert seen.failures == (TrustFailure.EXPIRED,)
    assert state(seen, caa(THEIRS)) == (CaaState.UNKNOWN_ISSUER, None)


def test_a_critical_tag_that_the_issuer_may_not_know_leaves_it_open() -> None:
    mail = CaaRecord(128, "issuemail", ";")
    allowed = DnsFacts((mail, CaaRecord(0, *OURS)), PARENT)
    assert state(certificate(issuer=LETTER), allowed) == (CaaState.UNKNOWN_ISSUER, None)
    assert state(certificate(issuer=GOOGLE), allowed) == (CaaState.NOT_AUTHORISED, False)
    assert state(certificate(issuer=LETTER), DnsFacts((mail,), PARENT)) == (CaaState.UNKNOWN_ISSUER, None)


WILD_ALLOWED = caa(THEIRS, ("issuewild", "letsencrypt.org"))
NAMES: list[tuple[str, tuple[str, ...], DnsFacts, CaaState | None]] = [
    ("its name", (f"DNS:{HOST}",), WILD_ALLOWED, CaaState.NOT_AUTHORISED),
    ("a wildcard", (f"DNS:*.{PARENT}",), WILD_ALLOWED, CaaState.AUTHORISED),
    ("both", (f"DNS:{HOST}", f"DNS:*.{PARENT}"), WILD_ALLOWED, CaaState.NOT_AUTHORISED),
    ("in other case", ("DNS:*.TEST.example",), WILD_ALLOWED, CaaState.AUTHORISED),
    ("other names beside", (f"DNS:*.{PARENT}", "DNS:x.example", "IP:192.0.2.1"), WILD_ALLOWED, CaaState.AUTHORISED),
    ("only others", ("DNS:x.example", "DNS:*.www.test.example", "DNS:*.example"), WILD_ALLOWED, None),
    ("none", (), WILD_ALLOWED, None),
    (
        "a wildcard, and the host has records of its own",
        (f"DNS:*.{PARENT}",),
        DnsFacts((CaaRecord(0, *THEIRS),), HOST, CaaSet((CaaRecord(0, *OURS),), PARENT)),
        CaaState.AUTHORISED,
    ),
    (
        "a wildcard without records above the host's own",
        (f"DNS:*.{PARENT}",),
        DnsFacts((CaaRecord(0, *THEIRS),), HOST, CaaSet((), None)),
        CaaState.NO_CAA,
    ),
    (
        "a wildcard, for which records were not looked up",
        (f"DNS:*.{PARENT}",),
        DnsFacts((CaaRecord(0, *OURS),), HOST),
        CaaState.LOOKUP_FAILED,
    ),
]


@pytest.mark.parametrize(("names", "records", "expected"), [one[1:] for one in NAMES], ids=[one[0] for one in NAMES])
def test_wildcards_go_by_the_records_for_wildcards(
    names: tuple[str, ...], records: DnsFacts, expected: CaaState | None
) -> None:
    got = state(certificate(issuer=LETTER, subject_alternative_names=names), records)
    assert (got and got[0]) is expected


@pytest.mark.parametrize(
    ("issuers", "expected", "value"),
    [
        ((LETTER, GOOGLE), CaaState.NOT_AUTHORISED, False),
        ((OWN, GOOGLE), CaaState.NOT_AUTHORISED, False),
        ((LETTER, OWN), CaaState.UNKNOWN_ISSUER, None),
        ((LETTER, LETTER), CaaState.AUTHORISED, True),
    ],
)
def test_all_certificates_of_a_service_count(issuers: tuple[str, ...], expected: CaaState, value: bool | None) -> None:
    several = certificates(*(deployment(issuer=one, fingerprint_sha256=f"{n}" * 64) for n, one in enumerate(issuers)))
    assert state(several, caa(OURS)) == (expected, value)


def test_without_a_certificate_or_a_name_there_is_nothing_to_say() -> None:
    assert state(caa(OURS)) is None
    assert state(certificate(issuer=LETTER), caa(OURS), host="192.0.2.1") is None


def test_the_metric_is_absent_where_nothing_is_known() -> None:
    def shown(*parts: object) -> list[float]:
        derived = DERIVATION.derive(case(*parts))
        assert isinstance(derived, CaaIssuer)
        return [sample.value for sample in DERIVATION.shape.samples(derived)]

    known: CertificateFacts = certificate(issuer=LETTER)
    assert shown(known, caa(OURS)) == [1]
    assert shown(known, caa(THEIRS)) == [0]
    assert shown(known) == shown(certificate(issuer=OWN), caa(OURS)) == []


def test_the_report_names_each_certificate_and_its_issuer() -> None:
    derived = DERIVATION.derive(case(certificate(issuer=LETTER), caa(OURS)))
    assert derived is not None
    assert DERIVATION.shape.document(derived) == {
        "caa_issuer": {
            "state": "authorised",
            "names": [
                {"name": HOST, "certificate": "EC abababab", "issuer": "Let's Encrypt", "state": "authorised"},
            ],
        }
    }


# --- the table --------------------------------------------------------------------------------------------------------


def test_each_organisation_is_of_one_authority() -> None:
    names = [name.casefold() for authority in table().authorities for name in authority.organizations]
    assert len(names) == len(set(names))


def test_each_authority_says_where_its_domains_are_from() -> None:
    assert len(table().authorities) >= 40
    assert table().as_of == "2026-11-22"
    for authority in table().authorities:
        assert set(authority.source) <= set(table().sources)
        assert all(domain == domain.lower() and "." in domain for domain in authority.domains)
        assert len(set(authority.domains)) == len(authority.domains)


@pytest.mark.parametrize("authority", table().authorities, ids=lambda one: one.name)
def test_each_organisation_is_found_as_certificates_have_it(authority: object) -> None:
    for name in authority.organizations:  # type: ignore[attr-defined]
        escaped = name.replace(",", r"\,")
        assert authority_of(f"C=XX,O={escaped},CN=Issuing CA 1") == authority


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "CN=E7",
        "O=,CN=x",
        "OU=Let's Encrypt",
        "O=Let's Encrypt Fan Club",
        "O=Let's Encrypt,O=DigiCert Inc",
        "no name",
        "O=CloudFlare\\, Inc.,OU=CloudFlare Origin SSL Certificate Authority",
        "O=TrustAsia Technologies\\, Inc.,CN=TrustAsia DV TLS RSA CA 2025",
    ],
)
def test_other_names_are_of_nobody(issuer: str) -> None:
    assert authority_of(issuer) is None


@pytest.mark.parametrize("issuer", ["O=let's encrypt", "O=LET'S  ENCRYPT", "O=Let’s Encrypt"])
def test_case_and_punctuation_do_not_count(issuer: str) -> None:
    found = authority_of(issuer)
    assert found is not None
    assert found.name == "Let's Encrypt"
