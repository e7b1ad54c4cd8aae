"""Trust is judged at a given time, and several verifications in one process do not affect each other."""

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest

from exporter.model import TrustFailure
from exporter.pki.parsed import Certificate
from exporter.pki.trust import verify
from tests.support.certificates import DAY, HOST, Issued, dns, issue, pem_file
from tests.support.processes import find_program
from tests.support.targets import NOW

ROOT = issue("root", ca=True, valid=(NOW - 100 * DAY, NOW + 1000 * DAY))
SHORT_MIDDLE = issue("middle", ROOT, ca=True, valid=(NOW - 50 * DAY, NOW + 20 * DAY))
FIRST = issue(HOST, ROOT, names=dns(HOST), valid=(NOW - DAY, NOW + 10 * DAY))
RENEWED = issue(HOST, ROOT, names=dns(HOST), valid=(NOW + 5 * DAY, NOW + 15 * DAY))
BELOW_MIDDLE = issue(HOST, SHORT_MIDDLE, names=dns(HOST), valid=(NOW - DAY, NOW + 100 * DAY))
EXPIRED, EARLY = (TrustFailure.EXPIRED,), (TrustFailure.NOT_YET_VALID,)
MOMENTS = [NOW - 2 * DAY, NOW, NOW + 7 * DAY, NOW + 12 * DAY, NOW + 25 * DAY]
RIGHT: list[tuple[tuple[Issued, ...], list[tuple[TrustFailure, ...]]]] = [
    ((FIRST,), [EARLY, (), (), EXPIRED, EXPIRED]),
    ((RENEWED,), [EARLY, EARLY, (), (), EXPIRED]),
    ((BELOW_MIDDLE, SHORT_MIDDLE), [EARLY, (), (), (), EXPIRED]),
]


def plain(folder: Path) -> Path:
    return pem_file(folder / "plain.pem", ROOT)


def with_trust_settings(folder: Path) -> Path:
    """As `openssl x509 -trustout` writes it, which OpenSSL alone reads."""
    file = folder / "trusted.pem"
    command: list[str | Path] = [find_program("openssl"), "x509", "-trustout", "-in", plain(folder), "-out", file]
    subprocess.run(command, check=True)
    assert b"TRUSTED CERTIFICATE" in file.read_bytes()
    return file


@pytest.fixture(params=[plain, pytest.param(with_trust_settings, marks=pytest.mark.real)])
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    write: Callable[[Path], Path] = request.param
    return str(write(tmp_path))


def failures(chain: tuple[Issued, ...], bundle: str, now: datetime) -> tuple[TrustFailure, ...]:
    certificates = [Certificate.of(one.certificate) for one in chain]
    return verify(certificates, certificates, bundle, now).failures


@pytest.mark.parametrize("order", [range(5), range(4, -1, -1), *list(permutations(range(5)))[7::31]], ids=str)
def test_each_verification_goes_by_its_own_time_in_whatever_order_they_come(bundle: str, order: list[int]) -> None:
    for place in order:
        for chain, right in RIGHT:
            assert failures(chain, bundle, MOMENTS[place]) == right[place]


def test_verifications_at_once_do_not_change_each_others_time(bundle: str) -> None:
    jobs = [(chain, MOMENTS[place], right[place]) for chain, right in RIGHT for place in range(5)] * 20
    with ThreadPoolExecutor(8) as threads:
        found = threads.map(lambda job: failures(job[0], bundle, job[1]), jobs)
        assert list(found) == [right for _, _, right in jobs]


def test_of_two_anchors_of_one_name_and_key_the_one_that_counts_at_the_time_is_taken(tmp_path: Path) -> None:
    """An authority that renews its root keeps name and key, and both are in the bundle for years."""
    old = issue("root", ca=True, key=ROOT.key, valid=(NOW - 100 * DAY, NOW + 6 * DAY))
    bundle = str(pem_file(tmp_path / "both.pem", old, ROOT))
    for days in (7, 0, 7):
        assert failures((FIRST,), bundle, NOW + timedelta(days=days)) == ()


@pytest.mark.parametrize(
    "content", [b"", b"nothing", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_bundle_without_certificates_is_no_trust_store(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bundle.pem").write_bytes(content)
    with pytest.raises(ValueError, match="holds no certificates"):
        failures((FIRST,), str(tmp_path / "bundle.pem"), NOW)
