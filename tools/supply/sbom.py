"""Writes a bill of materials (SBOM) in CycloneDX 1.6: of a wheel and what the lock pins, or of an image from inside.

    python -m tools.supply.sbom wheel dist/NAME.whl > NAME.whl.cdx.json
    python -m tools.supply.sbom image > sbom.cdx.json

SOURCE_DATE_EPOCH is the time of the bill; without it the bill has none. The same parts lead to the same bytes. What is
not known, such as the licence of a distribution that is not installed here, is left out.
"""

import hashlib
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.contact import OrganizationalContact
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from exporter import __version__
from tools.supply.debian import Package, packages
from tools.supply.licences import LOCK, licence
from tools.supply.lock import ROOT, Pinned, read_lock

_OPENSSL = re.compile(rb"OpenSSL (\d+\.\d+\.\d+[a-z]*) +\d+ \w{3} \d{4}")
"""As the library says of itself, in its binary."""
_LICENCES = LicenseFactory()
_AUTHOR = OrganizationalContact(name="The maintainers of TLS Posture Exporter")


def of_wheel(wheel: Path, made_at: datetime | None, lock: Mapping[str, Pinned]) -> Bom:
    """The bill of a wheel, and of what the lock installs with it."""
    content = wheel.read_bytes()
    digest = HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(content).hexdigest())
    return _bom(_program(wheel.name, [digest]), lock.values(), [], made_at)


def of_image(root: Path, made_at: datetime | None, lock: Mapping[str, Pinned]) -> Bom:
    """The bill of this environment: what of the lock is installed, and the Debian packages below `root`.

    Raises:
        ValueError: something is installed in another version than the lock has.
    """
    return _bom(_program("image", []), [*filter(_is_installed, lock.values())], packages(root), made_at)


def _is_installed(pinned: Pinned) -> bool:
    try:
        version = distribution(pinned.name).version
    except PackageNotFoundError:
        return False
    if version != pinned.version:
        raise ValueError(f"{pinned.name} {version} is installed, and the lock has {pinned.version}")
    return True


def _program(what: str, hashes: Sequence[HashType]) -> Component:
    return Component(
        type=ComponentType.APPLICATION,
        name=ROOT,
        version=__version__,
        bom_ref=f"{ROOT}@{__version__}",
        description=f"Prometheus exporter for the transport security of TLS services: {what}",
        licenses=[_LICENCES.make_from_string("AGPL-3.0-or-later")],
        purl=PackageURL("pypi", None, ROOT, __version__),
        hashes=hashes,
    )


def _bom(program: Component, pinned: Iterable[Pinned], debian: Iterable[Package], made_at: datetime | None) -> Bom:
    pinned = [*pinned]
    parts = {one.name: _distribution(one) for one in pinned}
    systems = [_package(one) for one in debian]
    bom = Bom(components=[*parts.values(), *systems], metadata=BomMetaData(component=program, authors=[_AUTHOR]))
    bom.metadata.timestamp = made_at  # the constructor would replace None by the time of now
    for name, component in {ROOT: program, **parts}.items():
        bom.register_dependency(component, [parts[one.name] for one in pinned if name in one.wanted_by])
    described = repr([(str(one.bom_ref), one.hashes, one.licenses) for one in (program, *bom.components)])
    bom.serial_number = uuid5(NAMESPACE_URL, f"{made_at} {described}")
    return bom


def _distribution(pinned: Pinned) -> Component:
    purl, stated = PackageURL("pypi", None, pinned.name, pinned.version), licence(pinned)
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(str(purl)),
        comment="the files that may be installed",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one) for one in pinned.hashes],
    )
    return Component(
        type=ComponentType.LIBRARY,
        name=pinned.name,
        version=pinned.version,
        bom_ref=str(purl),
        purl=purl,
        licenses=[] if stated is None else [_LICENCES.make_from_string(stated)],
        external_references=[files],
        properties=[Property(name=f"{ROOT}:marker", value=pinned.marker)] if pinned.marker else [],
        components=[_openssl(pinned, version) for version in _openssl_releases(pinned)],
    )


def _openssl(inside: Pinned, version: str) -> Component:
    return Component(
        type=ComponentType.LIBRARY,
        name="openssl",
        version=version,
        bom_ref=f"{inside.name}/openssl@{version}",
        purl=PackageURL("generic", None, "openssl", version),
        licenses=[_LICENCES.make_from_string("OpenSSL" if version.startswith("1.") else "Apache-2.0")],
    )


@lru_cache
def _openssl_releases(pinned: Pinned) -> tuple[str, ...]:
    """The releases of OpenSSL in the binaries of what is installed here."""
    try:
        installed = distribution(pinned.name)
    except PackageNotFoundError:
        return ()
    if installed.version != pinned.version:
        return ()
    binaries = [Path(str(one.locate())) for one in installed.files or () if ".so" in one.suffixes]
    return tuple(sorted({found.decode() for one in binaries for found in _OPENSSL.findall(one.read_bytes())}))


def _package(package: Package) -> Component:
    qualifiers = {"arch": package.architecture, "distro": package.release}
    purl = PackageURL("deb", "debian", package.name, package.version, qualifiers)
    return Component(
        type=ComponentType.LIBRARY,
        name=package.name,
        version=package.version,
        bom_ref=str(purl),
        purl=purl,
        licenses=[_LICENCES.make_with_name(one) for one in package.licences],
    )


def document(bom: Bom) -> str:
    """The bill as JSON."""
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2) + "\n"


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """What is printed. Errors leave the program with a message."""
    seconds = environment.get("SOURCE_DATE_EPOCH")
    made_at = datetime.fromtimestamp(int(seconds), UTC) if seconds else None
    match arguments:
        case ["wheel", wheel]:
            return document(of_wheel(Path(wheel), made_at, read_lock(LOCK)))
        case ["image"]:
            return document(of_image(Path("/"), made_at, read_lock(LOCK)))
        case _:
            sys.exit("usage: python -m tools.supply.sbom wheel WHEEL | image")


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:], os.environ))
