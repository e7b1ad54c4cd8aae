"""The lock as a list of distributions."""

import re
from pathlib import Path

import pytest

from tools.supply.licences import LOCK
from tools.supply.lock import ROOT, Pinned, read_lock

TEXT = """\
one==1.0 \\
    --hash=sha256:{0} \\
    --hash=sha256:{1}
    # via tls-posture-exporter (pyproject.toml)
two==2.0.post1 ; sys_platform == 'win32' and python_version < '3.12' \\
    --hash=sha256:{0}
    # via
    #   tls-posture-exporter (pyproject.toml)
    #   one
""".format("0" * 64, "1" * 64)


def lock(folder: Path, text: str) -> Path:
    file = folder / "requirements.lock"
    file.write_text(text, encoding="utf-8")
    return file


def test_each_entry_with_all_that_it_says(tmp_path: Path) -> None:
    marker = "sys_platform == 'win32' and python_version < '3.12'"
    assert [*read_lock(lock(tmp_path, TEXT)).values()] == [
        Pinned("one", "1.0", "", ("0" * 64, "1" * 64), (ROOT,)),
        Pinned("two", "2.0.post1", marker, ("0" * 64,), (ROOT, "one")),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        TEXT + "three @ file:///x \\\n    --hash=sha256:00\n    # via one\n",
        TEXT + "three==1\n    # via one\n",
        TEXT + "three==1 \\\n    # via one\n",
        TEXT + f"three==1 \\\n    --hash=sha256:{'0' * 64}\n",
    ],
)
def test_an_entry_that_is_not_understood_is_an_error(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ValueError, match=r"three|not all entries"):
        read_lock(lock(tmp_path, wrong))


def test_all_of_ours_is_read() -> None:
    text, found = LOCK.read_text(encoding="utf-8"), read_lock(LOCK)
    assert sum(len(one.hashes) for one in found.values()) == text.count("--hash=sha256:")
    assert len(found) == len(re.findall(r"^\S+==", text, re.MULTILINE))
    assert {name for one in found.values() for name in one.wanted_by} <= {ROOT, *found}
