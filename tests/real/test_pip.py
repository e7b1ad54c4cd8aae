"""The wheel, installed by plain pip into an environment of its own: another cryptography than the locks have.

pip fetches what the wheel depends on, so this is the one test that needs a package registry, the one that made `.venv`.
Where pip cannot reach it, the test fails.
"""

import base64
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa

from tests.support.certificates import HOST, Issued, dns, issue, p256, rsa_key
from tests.support.odd_certificates import ODD, lengths_in_ber, odd
from tests.support.targets import NOW

ROOT = Path(__file__).parent.parent.parent
POLICIES = [file.stem for file in (ROOT / "exporter/policies").glob("*.yaml")]
READ_CHAINS = """
import base64, json, sys, warnings
from dataclasses import asdict
from datetime import datetime
from exporter.probes.certificate.reading import read_deployment
from exporter.pki.parsed import parse

def read(chain, name, roots, now):
    try:
        found = read_deployment(tuple(parse(base64.b64decode(one)) for one in chain), name, roots, now)
    except ValueError as error:
        return type(error).__name__
    return asdict(found)

warnings.simplefilter("ignore")
asked = json.load(sys.stdin)
others = asked["name"], asked["roots"], datetime.fromisoformat(asked["now"])
print(json.dumps({what: read(chain, *others) for what, chain in asked["chains"].items()}, default=str))
"""
"""A program for either environment: chains from standard input -> what is known of each."""

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


def run(command: Sequence[str | Path], folder: Path, asked: str = "") -> str:
    """What the command prints; it is to succeed, and nothing of this environment is to be found by it."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        command, cwd=folder, env=environment, input=asked, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


def install(folder: Path) -> Path:
    """The folder of the programs of a new environment that holds the wheel and what pip chose for it."""
    build = ("wheel", "--no-index", "--no-build-isolation", "--no-deps", "--wheel-dir", folder, ROOT)
    run([sys.executable, "-m", "pip", *build], folder)
    run([sys.executable, "-m", "venv", folder / "venv"], folder)
    [wheel] = folder.glob("*.whl")
    programs = folder / "venv/bin"
    run([programs / "pip", "install", "--quiet", wheel], folder)
    return programs


def test_plain_pip_installs_what_works(tmp_path: Path) -> None:
    """One test, since an installation takes twenty seconds."""
    programs = install(tmp_path)
    assert "No broken requirements" in run([programs / "pip", "check"], tmp_path)

    program = programs / "tls-posture-exporter"
    listed = run([program, "policies", "list"], tmp_path).splitlines()
    assert [line.split()[0] for line in listed] == sorted(POLICIES)

    assert "smoke: passed" in run([programs / "python", ROOT / "tools/smoke.py", program, "--short"], tmp_path)

    printed = run([program, "demo", "--once", "--web.listen-address=127.0.0.1:0"], tmp_path)
    assert "6 targets: 3 do not comply, 3 comply." in printed
    assert "old-appliance      DOES NOT COMPLY" in printed

    assert_certificates_are_read_as_here(programs / "python", tmp_path)


def test_the_lock_has_no_conflict() -> None:
    """The environment of the tests is made from the lock, by tools/setup."""
    assert "No broken requirements" in run([sys.executable, "-m", "pip", "check"], ROOT)


def chains() -> dict[str, list[bytes]]:
    """Chains of ordinary, odd and new certificates, DER."""
    key = p256()
    root = issue("Root", ca=True, key=key)
    leaf = issue(HOST, root, names=dns(HOST))
    kinds: dict[str, Callable[[], Any]] = {
        "RSA": lambda: rsa_key(2048),
        "Ed25519": ed25519.Ed25519PrivateKey.generate,
        "ML-DSA-44": mldsa.MLDSA44PrivateKey.generate,
        "ML-DSA-65": mldsa.MLDSA65PrivateKey.generate,
        "ML-DSA-87": mldsa.MLDSA87PrivateKey.generate,
    }
    found = {f"odd: {what}": [odd(leaf.der(), change, key), root.der()] for what, change in ODD.items()}
    found["odd: lengths"] = [lengths_in_ber(leaf.der()), root.der()]
    found["SHA-1"] = [leaf.with_hash("sha1", root).der(), root.der()]
    for what, make in kinds.items():
        anchor = issue("anchor", ca=True, key=make())
        middle, stranger = (issue("middle", anchor, ca=True, key=make()) for _ in range(2))
        end = issue(HOST, middle, names=dns(HOST), key=make())
        found |= {what: _ders(end, middle, anchor), f"{what}, another issuer": _ders(end, stranger, anchor)}
    return found


def _ders(*issued: Issued) -> list[bytes]:
    return [one.der() for one in issued]


def known(found: dict[str, Any] | str) -> dict[str, Any] | str:
    """Without what is in the words of a library, which change with its release."""
    if isinstance(found, str):
        return found
    served = [one | {"unreadable": [words.split(":")[0] for words in one["unreadable"]]} for one in found["chain"]]
    return found | {"chain": served, "trust_detail": bool(found["trust_detail"])}


def assert_certificates_are_read_as_here(python: Path, folder: Path) -> None:
    """The cryptography that sslyze's metadata asks for knows less than the one of the locks."""
    made, roots = chains(), folder / "roots.pem"
    roots.write_text("".join(sorted({ssl.DER_cert_to_PEM_cert(chain[-1]) for chain in made.values()})))
    asked = {
        "now": NOW.isoformat(),
        "name": HOST,
        "roots": str(roots),
        "chains": {what: [base64.b64encode(one).decode() for one in chain] for what, chain in made.items()},
    }
    pythons = [Path(sys.executable), python]
    versions = [run([one, "-c", "import cryptography as c; print(c.__version__)"], folder) for one in pythons]
    assert versions[0] != versions[1], "the comparison is of two releases"
    answers = [json.loads(run([one, "-c", READ_CHAINS], folder, json.dumps(asked))) for one in pythons]
    here, there = ({what: known(one) for what, one in answer.items()} for answer in answers)
    assert here.keys() == made.keys()
    for what, one in here.items():
        assert one == there[what], what
    assert sum(isinstance(one, dict) and one["trusted"] is True for one in here.values()) > len(ODD) / 2
