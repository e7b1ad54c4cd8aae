"""The source that the daemon offers: all that a wheel is built from, also where the program is installed from one."""

import io
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from exporter.source import COPIES, NAME, archive

ROOT = Path(__file__).parent.parent


def built(source: Path, folder: Path) -> Path:
    """The wheel of a folder of sources."""
    options = ("--quiet", "--no-index", "--no-build-isolation", "--no-deps", "--wheel-dir", str(folder))
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(source)], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_it_has_the_files_of_the_repository_and_nothing_that_python_made() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive())) as opened:
        names = opened.getnames()
        (module,) = (opened.extractfile(name) for name in names if name == f"{NAME}/exporter/source.py")
        assert module is not None
        assert module.read() == (ROOT / "exporter/source.py").read_bytes()
    assert names == sorted(names)
    inside = {name.removeprefix(f"{NAME}/") for name in names}
    assert {one for one in inside if not (ROOT / one).is_file()} == set()
    assert {one for one in COPIES if not any(name == one or name.startswith(f"{one}/") for name in inside)} == set()
    assert not any("__pycache__" in name or name.endswith(".pyc") for name in names)


def test_a_wheel_has_copies_of_all_that_is_outside_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert {name: inside.removeprefix("exporter/") for name, inside in included.items()} == COPIES


@pytest.mark.timeout(300)
def test_the_source_that_an_installed_wheel_offers_makes_the_same_wheel(tmp_path: Path) -> None:
    for name in ("first", "second", "installed"):
        (tmp_path / name).mkdir()
    first = built(ROOT, tmp_path / "first")
    for name, content in contents(first).items():
        place = tmp_path / "installed" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    program = (
        "import exporter.source as s, sys; print(s.__file__, file=sys.stderr); sys.stdout.buffer.write(s.archive())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "installed"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=True,
    )
    assert done.stderr.decode().startswith(str(tmp_path / "installed"))
    assert done.stdout == archive()

    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as source:
        source.extractall(tmp_path)  # noqa: S202 - it is our own, and Python 3.11.2 has no filters
    assert contents(built(tmp_path / NAME, tmp_path / "second")) == contents(first)
