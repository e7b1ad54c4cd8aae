"""Client certificates on disk: errors are reported, without the contents of the files."""

import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from exporter.credentials import read_credentials
from tests.support.certificates import issue, pem_file, rsa_key

ROOT = issue("root", ca=True)
OURS, OTHER = issue("ours", ROOT), issue("other", ROOT)
PKCS8 = serialization.PrivateFormat.PKCS8
LOCKED = OURS.key.private_bytes(serialization.Encoding.PEM, PKCS8, serialization.BestAvailableEncryption(b"secret"))


def test_one_file_may_hold_both_and_the_chain(tmp_path: Path) -> None:
    file = str(pem_file(tmp_path / "both.pem", OURS, ROOT, key=OURS))
    read = read_credentials(file, file)
    assert read.chain == (OURS.certificate, ROOT.certificate)
    assert read.key.public_key() == OURS.key.public_key()


@pytest.mark.parametrize(
    ("certificate", "key", "told"),
    [
        (OURS.pem(), OTHER.key_pem(), "{key} is not the key of the certificate in {certificate}"),
        (ROOT.pem() + OURS.pem(), OURS.key_pem(), "{key} is not the key of the certificate in {certificate}"),
        (OURS.pem(), LOCKED, "the key in {key} needs a passphrase, and none can be given"),
        (OURS.pem(), OURS.pem(), "{key} holds no private key in PEM form"),
        (OURS.pem(), OURS.key_pem()[:-40], "{key} holds no private key in PEM form"),
        (OURS.pem(), b"", "{key} holds no private key in PEM form"),
        (b"", OURS.key_pem(), "{certificate} holds no certificate in PEM form"),
        (OURS.pem()[:-40], OURS.key_pem(), "{certificate} holds no certificate in PEM form"),
    ],
    ids=["mismatch", "issuer first", "passphrase", "no key", "broken key", "empty key", "empty", "broken"],
)
def test_files_of_no_use_are_named_without_what_they_hold(
    tmp_path: Path, certificate: bytes, key: bytes, told: str
) -> None:
    cert_file, key_file = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert_file.write_bytes(certificate)
    key_file.write_bytes(key)
    with pytest.raises(ValueError, match="pem") as caught:
        read_credentials(str(cert_file), str(key_file))
    assert str(caught.value) == told.format(certificate=cert_file, key=key_file)


def test_a_large_key_is_read_at_once(tmp_path: Path) -> None:
    """Nothing else runs meanwhile: a proof that its factors are primes would take half a second."""
    large = issue("large", key=rsa_key(4096))
    file = str(pem_file(tmp_path / "large.pem", large, key=large))
    started = time.thread_time()
    assert read_credentials(file, file).key.public_key() == large.key.public_key()
    assert time.thread_time() - started < 0.1


def test_a_file_that_is_gone_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_credentials(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
