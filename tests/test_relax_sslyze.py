"""tools/relax_sslyze.py: the limit that it removes, and metadata that it leaves alone."""

import base64
import csv
import hashlib
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tools.relax_sslyze import METADATA, relax

TEXT = "Name: sslyze\nRequires-Dist: nassl\nRequires-Dist: cryptography{limit}\nRequires-Dist: tls-parser\n\nText\n"
RECORD = '{name},sha256=AAAA,7\n"sslyze/a,b.py",sha256=BBBB,5\nsslyze-6.3.1.dist-info/RECORD,,\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / METADATA).parent.mkdir()
    (tmp_path / METADATA).write_text(TEXT.format(limit="<47,>=43"))
    (tmp_path / METADATA).with_name("RECORD").write_text(RECORD.format(name=METADATA))
    return tmp_path


def test_removes_the_limit_and_enters_the_digest_once_and_again(folder: Path) -> None:
    for _ in range(2):
        relax(folder)
        data = (folder / METADATA).read_bytes()
        assert data.decode() == TEXT.format(limit=">=43")
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        rows = list(csv.reader((folder / METADATA).with_name("RECORD").read_text().splitlines()))
        assert rows == [
            [METADATA, f"sha256={digest}", str(len(data))],
            ["sslyze/a,b.py", "sha256=BBBB", "5"],
            ["sslyze-6.3.1.dist-info/RECORD", "", ""],
        ]


@pytest.mark.parametrize("limit", ["<51,>=43", "<47,>=44", ""])
def test_leaves_metadata_alone_that_was_not_tested(limit: str, folder: Path) -> None:
    (folder / METADATA).write_text(TEXT.format(limit=limit))
    with pytest.raises(ValueError, match="no limit"):
        relax(folder)
    assert (folder / METADATA).read_text() == TEXT.format(limit=limit)


def test_is_about_the_sslyze_that_is_installed() -> None:
    assert Path(str(distribution("sslyze").locate_file(METADATA))).is_file()
