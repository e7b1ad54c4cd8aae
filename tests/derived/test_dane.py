"""Which chains TLSA records bind (RFC 6698, RFC 7671)."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest

from exporter.derived.dane import bound, usable
from exporter.facts.certificate import Deployment
from exporter.facts.dns import TlsaRecord
from exporter.model import TrustFailure
from tests.support.facts import deployment, issuer, served
from tests.support.targets import NOW

LEAF_KEY, LEAF, CA_KEY, CA = "cd" * 32, "ab" * 32, "12" * 32, "ef" * 32
LONG, LONG_KEY, OTHER = "34" * 64, "56" * 64, "00" * 32
WHOLE = b"certificate"

GOOD = deployment()
WAS_LATE = {"trusted": False, "failures": (TrustFailure.EXPIRED,)}
EXPIRED = deployment(not_after=NOW - timedelta(days=1), **WAS_LATE)
ENDED_SINCE = deployment(not_after=NOW - timedelta(days=1))
OTHER_NAME = deployment(hostname_match=False)
UNTRUSTED = deployment(trusted=False)
UNJUDGED = deployment(trusted=None)
LONGER = deployment(fingerprint_sha512=LONG, spki_sha512=LONG_KEY)
LATE_CA = deployment(issuer(not_after=NOW - timedelta(days=1)), **WAS_LATE)
ALONE = Deployment(
    **{name: getattr(GOOD, name) for name in Deployment.__dataclass_fields__} | {"path": (0,), "surplus": (1,)}
)
FULL = deployment(fingerprint_sha256=sha256(WHOLE).hexdigest())

CROSS = issuer(spki_sha256="78" * 32)
ON_ANOTHER_WAY = deployment(issuer(), CROSS, path=(0, 1))
LATE_ON_ANOTHER_WAY = deployment(issuer(), replace(CROSS, not_after=NOW - timedelta(days=1)), path=(0, 1))
NO_CA = deployment(issuer(is_ca=False), CROSS)
PROFILE = deployment(trusted=False, failures=(TrustFailure.PROFILE,))

CASES: list[tuple[str, str, Deployment, bool | None, str]] = [
    # what it is, record, chain, whether it fits, where that is written
    ("the leaf's key", f"3 1 1 {LEAF_KEY}", GOOD, True, "RFC 7671, 5.1"),
    ("the leaf itself", f"3 0 1 {LEAF}", GOOD, True, "RFC 6698, 2.1.2"),
    ("another key", f"3 1 1 {OTHER}", GOOD, False, "RFC 6698, 2.1.1"),
    ("the key as if it were the certificate", f"3 0 1 {LEAF_KEY}", GOOD, False, "RFC 6698, 2.1.2"),
    ("an issuer's key for the leaf", f"3 1 1 {CA_KEY}", GOOD, False, "RFC 6698, 2.1.1"),
    ("dates do not count", f"3 1 1 {LEAF_KEY}", EXPIRED, True, "RFC 7671, 5.1"),
    ("names do not count", f"3 1 1 {LEAF_KEY}", OTHER_NAME, True, "RFC 7671, 5.1"),
    ("nor who issued it", f"3 1 1 {LEAF_KEY}", UNTRUSTED, True, "RFC 6698, 2.1.1"),
    ("SHA-512 of the key", f"3 1 2 {LONG_KEY}", LONGER, True, "RFC 6698, 2.1.3"),
    ("SHA-512 of the leaf", f"3 0 2 {LONG}", LONGER, True, "RFC 6698, 2.1.3"),
    ("another SHA-512", f"3 1 2 {'00' * 64}", LONGER, False, "RFC 6698, 2.1.3"),
    ("SHA-512 that was not taken", f"3 1 2 {LONG_KEY}", GOOD, None, ""),
    ("the whole leaf", f"3 0 0 {WHOLE.hex()}", FULL, True, "RFC 6698, 2.1.3"),
    ("another whole one", f"3 0 0 {WHOLE.hex()}", GOOD, False, "RFC 6698, 2.1.3"),
    ("an issuer's key", f"2 1 1 {CA_KEY}", GOOD, True, "RFC 7671, 5.2"),
    ("an issuer", f"2 0 1 {CA}", GOOD, True, "RFC 7671, 5.2"),
    ("the leaf as issuer", f"2 1 1 {LEAF_KEY}", GOOD, False, "RFC 7671, 5.2"),
    ("an issuer that is not served", f"2 1 1 {OTHER}", GOOD, False, "RFC 7671, 5.2.2"),
    ("an issuer that stands in the record", f"2 0 0 {WHOLE.hex()}", GOOD, None, "RFC 7671, 5.2.3"),
    ("below an anchor names count", f"2 1 1 {CA_KEY}", OTHER_NAME, False, "RFC 7671, 5.2"),
    ("below an anchor dates count", f"2 1 1 {CA_KEY}", EXPIRED, False, "RFC 7671, 5.2"),
    ("and an end since it was seen tells nothing", f"2 1 1 {CA_KEY}", ENDED_SINCE, None, "RFC 7671, 5.2"),
    ("nor does it of trust", f"1 1 1 {LEAF_KEY}", ENDED_SINCE, None, "RFC 7671, 5.3"),
    ("but of a key nothing else is asked", f"3 1 1 {LEAF_KEY}", ENDED_SINCE, True, "RFC 7671, 5.1"),
    ("dates of the anchor too", f"2 1 1 {CA_KEY}", LATE_CA, False, "RFC 7671, 5.2"),
    ("an anchor that no store has", f"2 1 1 {CA_KEY}", UNTRUSTED, True, "RFC 6698, 2.1.1"),
    ("an issuer that does not lead to the leaf", f"2 1 1 {CA_KEY}", ALONE, False, "RFC 7671, 5.2"),
    ("an issuer on another way than the public one", f"2 1 1 {'78' * 32}", ON_ANOTHER_WAY, True, "RFC 7671, 5.2"),
    ("dates on another way", f"2 1 1 {'78' * 32}", LATE_ON_ANOTHER_WAY, None, "RFC 7671, 5.2"),
    ("an issuer that is no authority", f"2 1 1 {'78' * 32}", NO_CA, None, "RFC 5280, 6.1.4 (k)"),
    ("what forbids its use", f"2 1 1 {CA_KEY}", PROFILE, None, "RFC 5280, 6.1.4"),
    ("a key that stands whole in the record", f"2 1 0 {WHOLE.hex()}", GOOD, None, "RFC 7671, 5.2.3"),
    ("the leaf, trusted", f"1 1 1 {LEAF_KEY}", GOOD, True, "RFC 7671, 5.3"),
    ("the leaf, not trusted", f"1 1 1 {LEAF_KEY}", UNTRUSTED, False, "RFC 7671, 5.3"),
    ("the leaf, of another name", f"1 1 1 {LEAF_KEY}", OTHER_NAME, False, "RFC 7671, 5.3"),
    ("the leaf, trust unknown", f"1 1 1 {LEAF_KEY}", UNJUDGED, None, "RFC 7671, 5.3"),
    ("an issuer, trusted", f"0 1 1 {CA_KEY}", GOOD, True, "RFC 7671, 5.4"),
    ("an issuer, not trusted", f"0 1 1 {CA_KEY}", UNTRUSTED, False, "RFC 7671, 5.4"),
    ("a root that need not be served", f"0 1 1 {OTHER}", GOOD, None, "RFC 7671, 5.4"),
    ("such a root, not trusted", f"0 1 1 {OTHER}", UNTRUSTED, False, "RFC 7671, 5.4"),
]


def record(text: str) -> TlsaRecord:
    usage, selector, matching, data = text.split(" ")
    return TlsaRecord(int(usage), int(selector), int(matching), data)


@pytest.mark.parametrize(("text", "chain", "fits", "source"), [one[1:] for one in CASES], ids=[one[0] for one in CASES])
def test_a_record_fits_a_chain_or_not(text: str, chain: Deployment, fits: bool | None, source: str) -> None:
    assert bound([record(text)], chain, NOW, "https") is fits, source


@pytest.mark.parametrize(
    ("texts", "fits"),
    [
        ((f"3 1 1 {OTHER}", f"3 1 1 {LEAF_KEY}"), True),
        ((f"3 1 2 {LONG_KEY}", f"3 0 1 {LEAF}"), True),
        ((f"3 0 2 {LONG_KEY}", f"3 1 1 {LEAF_KEY}"), True),
        ((f"3 1 2 {LONG_KEY}", f"3 1 1 {OTHER}"), None),
        ((f"3 1 1 {OTHER}", f"2 1 1 {OTHER}"), False),
    ],
)
def test_one_record_that_fits_is_enough(texts: tuple[str, ...], fits: bool | None) -> None:
    assert bound(map(record, texts), GOOD, NOW, "https") is fits


@pytest.mark.parametrize(
    ("texts", "fits"),
    [
        ((f"3 1 2 {LONG_KEY}", f"3 1 1 {LEAF_KEY}"), True),
        ((f"3 1 2 {LONG_KEY}", f"3 1 1 {OTHER}"), True),
        ((f"3 1 2 {'00' * 64}", f"3 1 1 {LEAF_KEY}"), None),
        ((f"3 1 2 {'00' * 64}", f"3 0 1 {LEAF}"), True),
        ((f"3 1 2 {'00' * 64}", f"2 1 1 {CA_KEY}"), True),
        ((f"3 1 2 {'00' * 64}", f"3 1 1 {OTHER}"), False),
    ],
)
def test_beside_a_stronger_digest_clients_need_not_look_at_a_weaker_one(texts: tuple[str, ...], fits: bool) -> None:
    """RFC 7671, 9: of each usage and selector the strongest counts."""
    assert bound(map(record, texts), LONGER, NOW, "https") is fits


def test_a_mail_server_may_go_by_the_name_of_the_mail_domain() -> None:
    """RFC 7672, 3.2.2: that is no wrong name to its clients, and it is not known here."""
    assert bound([record(f"2 1 1 {CA_KEY}")], OTHER_NAME, NOW, "smtp") is None


@pytest.mark.parametrize("text", ["4 1 1 ab", "255 1 1 ab", "3 2 1 ab", "3 1 3 ab", "3 255 255 ab"])
def test_unknown_numbers_are_of_no_use(text: str) -> None:
    """RFC 6698, 4.1."""
    assert usable([record(text)], "https") == ()


def test_mail_servers_have_no_use_for_the_public_authorities() -> None:
    """RFC 7672, 3.1.3."""
    records = tuple(record(f"{usage} 1 1 ab") for usage in range(4))
    assert usable(records, "https") == records
    assert usable(records, "smtp") == records[2:]


def test_a_leaf_whose_key_cannot_be_read_leaves_it_open() -> None:
    assert bound([record(f"3 1 1 {LEAF_KEY}")], deployment(spki_sha256=None), NOW, "https") is None
    assert served().fingerprint_sha512 is None
