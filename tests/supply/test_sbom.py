"""Bills of materials: valid, complete, and the same for the same parts."""

import hashlib
import json
import re
import zipfile
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from exporter import __version__
from tools.supply.licences import LOCK, licence
from tools.supply.lock import ROOT, read_lock
from tools.supply.sbom import document, main, of_image, of_wheel

PINNED = read_lock(LOCK)
MADE_AT = datetime(2026, 12, 1, tzinfo=UTC)
STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9+deb12u10
Description: GNU C Library
 Package: not-one

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: adduser
Status: install ok installed
Architecture: all
Version: 3.134
"""
COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Files: *
License: LGPL-2.1+
 The text, which says License: nothing.

Files: other
License: BSD-3-clause

License: LGPL-2.1+
"""


def small_wheel(folder: Path) -> Path:
    file = folder / f"tls_posture_exporter-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as made:
        made.writestr(zipfile.ZipInfo("exporter/__init__.py"), "")
    return file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "var/lib/dpkg/status": STATUS,
        "etc/os-release": 'PRETTY_NAME="Debian"\nID=debian\nVERSION_ID="12"\n',
        "usr/share/doc/libc6/copyright": COPYRIGHT,
        "usr/share/doc/adduser/copyright": "License: for people only\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def read(text: str) -> dict[str, Any]:
    """The bill; an error if CycloneDX's own schema does not allow it."""
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill: dict[str, Any] = json.loads(text)
    return bill


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The bill of a wheel, as it is written."""
    return document(of_wheel(small_wheel(tmp_path_factory.mktemp("wheel")), MADE_AT, PINNED))


@pytest.fixture(scope="module")
def bill(text: str) -> dict[str, Any]:
    """The bill of a wheel."""
    return read(text)


def licences_of(component: dict[str, Any]) -> set[str]:
    """The names of its licences, or its expression."""
    found = component.get("licenses", [])
    return {one.get("expression") or one["license"].get("id") or one["license"]["name"] for one in found}


def test_the_bill_of_a_wheel_has_the_lock_with_hashes_and_licences(bill: dict[str, Any], tmp_path: Path) -> None:
    program = bill["metadata"]["component"]
    assert (program["name"], program["version"]) == (ROOT, __version__)
    assert licences_of(program) == {"AGPL-3.0-or-later"}
    (digest,) = program["hashes"]
    assert digest == {"alg": "SHA-256", "content": hashlib.sha256(small_wheel(tmp_path).read_bytes()).hexdigest()}

    parts = {one["name"]: one for one in bill["components"]}
    assert {name: one["version"] for name, one in parts.items()} == {n: one.version for n, one in PINNED.items()}
    for name, one in PINNED.items():
        (files,) = parts[name]["externalReferences"]
        assert {hash_["content"] for hash_ in files["hashes"]} == set(one.hashes)
        assert licences_of(parts[name]) == {licence(one)} - {None}
        assert parts[name]["purl"] == f"pkg:pypi/{name}@{one.version}"


def test_the_bill_says_what_depends_on_what(bill: dict[str, Any]) -> None:
    edges = {(one["ref"], on) for one in bill["dependencies"] for on in one.get("dependsOn", [])}
    refs = {name: f"pkg:pypi/{name}@{one.version}" for name, one in PINNED.items()} | {ROOT: f"{ROOT}@{__version__}"}
    assert edges == {(refs[by], refs[name]) for name, one in PINNED.items() for by in one.wanted_by}


def test_the_openssl_releases_inside_wheels_are_named(bill: dict[str, Any]) -> None:
    parts = {one["name"]: one for one in bill["components"]}
    installed = {one.name: one for one in distributions()}
    if "nassl" in installed and installed["nassl"].version == PINNED["nassl"].version:
        inside = [one["version"] for one in parts["nassl"]["components"]]
        assert [version[:5] for version in inside] == ["1.0.2", "1.1.1"]
    else:
        assert "components" not in parts["nassl"]
    assert "components" not in parts["starlette"]


def test_the_same_wheel_at_the_same_time_has_the_same_bill(text: str, tmp_path: Path) -> None:
    wheel = small_wheel(tmp_path)
    assert document(of_wheel(wheel, MADE_AT, PINNED)) == text
    wheel.write_bytes(wheel.read_bytes() + b"x")
    assert str(of_wheel(wheel, MADE_AT, PINNED).serial_number) not in text


def installed_versions() -> dict[str, str]:
    """Normal name -> version of what is installed here of the lock."""
    found = {re.sub(r"[-_.]+", "-", one.name).lower(): one.version for one in distributions()}
    return {name: version for name, version in found.items() if name in PINNED}


LOCKED = all(PINNED[name].version == version for name, version in installed_versions().items())
"""Whether this environment is of the lock, and not one with the oldest or the newest versions."""


@pytest.mark.skipif(not LOCKED, reason="other versions than those of the lock are installed")
def test_the_bill_of_an_image_has_what_is_installed_and_its_debian_packages(root: Path) -> None:
    bill = read(document(of_image(root, MADE_AT, PINNED)))
    packages = {one["purl"]: licences_of(one) for one in bill["components"] if one["purl"].startswith("pkg:deb")}
    assert packages == {
        "pkg:deb/debian/adduser@3.134?arch=all&distro=debian-12": set(),
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12": {"LGPL-2.1+", "BSD-3-clause"},
    }
    named = {one["name"]: one["version"] for one in bill["components"] if one["purl"].startswith("pkg:pypi")}
    assert named == installed_versions()


def test_the_bill_of_an_image_that_is_not_of_the_lock_is_an_error(root: Path, tmp_path: Path) -> None:
    text = LOCK.read_text(encoding="utf-8")
    other = tmp_path / "requirements.lock"
    other.write_text(re.sub(r"^pyyaml==\S+", "pyyaml==0.1", text, flags=re.MULTILINE), encoding="utf-8")
    with pytest.raises(ValueError, match=r"^pyyaml \S+ is installed, and the lock has 0\.1$"):
        of_image(root, MADE_AT, read_lock(other))


def test_the_time_of_the_bill_is_given_or_absent(text: str, tmp_path: Path) -> None:
    wheel = small_wheel(tmp_path)
    assert main(["wheel", str(wheel)], {"SOURCE_DATE_EPOCH": str(int(MADE_AT.timestamp()))}) == text
    without = main(["wheel", str(wheel)], {})
    assert without == main(["wheel", str(wheel)], {"SOURCE_DATE_EPOCH": ""})
    assert "timestamp" not in read(without)["metadata"]


def test_wrong_arguments_are_an_error() -> None:
    with pytest.raises(SystemExit, match="usage"):
        main(["wheel"], {})
