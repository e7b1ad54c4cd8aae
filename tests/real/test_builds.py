"""Two builds of the wheel and of the source archive, from two folders: the same bytes, and the right content."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from exporter import __version__

ROOT = Path(__file__).parent.parent.parent
NAME = f"tls_posture_exporter-{__version__}"
EPOCH = "1767225600"
BUILT = [f"{NAME}-py3-none-any.whl", f"{NAME}.tar.gz"]
SECRETS = (b"PRIVATE KEY-----\nM", b"/work/", str(Path.home()).encode() + b"/.")
"""A key, and folders of machines on which this was made."""

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


def sources() -> list[Path]:
    """The files of the project: those that git knows or would add."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return [Path(name) for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def build(folder: Path, time: float) -> dict[str, bytes]:
    """What is built in a copy of the project there, whose files have this time."""
    for source in sources():
        copy = folder / source
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / source, copy)
        os.utime(copy, (time, time))
    (folder / "exporter/__pycache__").mkdir(exist_ok=True)
    (folder / "exporter/__pycache__/app.cpython-311.pyc").write_bytes(os.urandom(16))
    environment = {"PATH": os.environ["PATH"], "SOURCE_DATE_EPOCH": EPOCH, "HOME": str(folder), "TZ": f"UTC{time:+.0f}"}
    command = [sys.executable, "-m", "hatchling", "build", "--directory", "dist"]
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=200, check=True)
    return {file.name: file.read_bytes() for file in (folder / "dist").iterdir()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes], dict[str, bytes]]:
    folder = tmp_path_factory.mktemp("one")
    old = os.umask(0o022)
    try:
        first = build(folder, 1)
        os.umask(0o002)
        second = build(tmp_path_factory.mktemp("another") / "deeper", 2)
    finally:
        os.umask(old)
    return folder / "dist", first, second


def test_two_builds_are_the_same_bytes(built: tuple[Path, dict[str, bytes], dict[str, bytes]]) -> None:
    _, first, second = built
    assert sorted(first) == sorted(second) == sorted(BUILT)
    assert all(first[name] == second[name] for name in BUILT)


def test_the_wheel_has_the_program_and_nothing_else(built: tuple[Path, dict[str, bytes], dict[str, bytes]]) -> None:
    with zipfile.ZipFile(built[0] / BUILT[0]) as wheel:
        content = {name: wheel.read(name) for name in wheel.namelist()}
    tops = {PurePosixPath(name).parts[0] for name in content}
    assert tops == {"exporter", f"{NAME}.dist-info", f"{NAME}.data"}
    ours = {str(one) for one in sources() if one.parts[0] == "exporter"}
    copies = {name for name in content if name.startswith(("exporter/data/alerts/", "exporter/data/build/"))}
    assert {name for name in content if name.startswith("exporter/")} - copies == ours
    assert len(copies) > 20
    assert f"{NAME}.dist-info/licenses/LICENSE" in content
    assert {name: secret for name, data in content.items() for secret in SECRETS if secret in data} == {}


def test_the_source_archive_has_what_installs_it(built: tuple[Path, dict[str, bytes], dict[str, bytes]]) -> None:
    with tarfile.open(built[0] / BUILT[1]) as archive:
        files = {one.name.removeprefix(f"{NAME}/"): one for one in archive.getmembers()}
        assert {one.mtime for one in files.values()} == {int(EPOCH)}
        content = {name: archive.extractfile(one) for name, one in files.items() if one.isfile()}
        data = {name: file.read() for name, file in content.items() if file is not None}
    assert {str(one) for one in sources()} == data.keys() - {"PKG-INFO"}
    assert files["tools/install"].mode & 0o111
    secret = {name for name, text in data.items() for one in SECRETS if one in text}
    assert secret <= {"tests/real/test_builds.py"}
