"""The direction of data: a module imports only from packages to its left."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "exporter"

ORDER = (
    *(
        "text",
        "nearest",
        "quoting",
        "regexes",
        "files",
        "ternary",
        "garbage",
        "logs",
        "moments",
        "model",
        "errors",
        "listen_address",
        "shortage",
        "services",
    ),
    *("formkeys", "yamlfile"),
    *("threads", "reading", "software", "tls", "pki", "facts", "clients", "credentials", "selectors", "config"),
    *("lanes", "monotonic", "clock", "dispatch", "schedule"),
    *("case", "simulation", "grade", "derived", "fleet", "remedies", "judging", "checks", "policies"),
    *("net", "workers", "probes", "scan", "backends", "environment", "targets"),
    *(
        "sharding",
        "agreement",
        "exceptions",
        "judge",
        "store",
        "changes_text",
        "certificate_summaries",
        "metrics",
        "ranking",
        "summaries",
        "shown",
        "publisher",
        "loading",
        "agenda",
        "freshness",
        "looplag",
        "scan_process",
        "scan_log",
    ),
    *("probing", "querying", "overview", "certificate_lists", "policy_counts", "scan_requests", "report", "html"),
    *("manual", "comparison", "source"),
    *("terminal", "terminal_overview", "reports", "reloading", "status", "web", "signals", "stopping", "systemd"),
    *("app", "daemon", "demo"),
    *("cli", "__main__"),
)
"""Modules and packages from left to right; within a package imports are free, as long as they run in no circle."""

FILES = sorted(PACKAGE.rglob("*.py"))


def module(file: Path) -> str:
    """`exporter.net.dial`; a package has its own name."""
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module(file): file for file in FILES}


def imported(source: str) -> set[str]:
    """Our own modules that a source imports, wherever in it; what is no module of ours is a name of one."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "exporter"}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            if node.module and node.module.split(".")[0] == "exporter":
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= (inner & MODULES.keys()) | ({node.module} if inner - MODULES.keys() else set())
    return found


def part(name: str) -> str:
    """The module or package right below ours: `exporter.net.dial` is of `net`; the package itself is of none."""
    return ".".join(name.split(".")[1:2])


@cache
def imports() -> dict[str, set[str]]:
    """Module -> what it imports. It takes a second, so it is not done where this file is only imported."""
    return {name: imported(file.read_text(encoding="utf-8")) for name, file in MODULES.items()}


def test_imports_are_found_in_every_form() -> None:
    source = (
        "import exporter.app\nfrom exporter import __version__\nfrom exporter.net import gate\n"
        "from exporter.model import Facts\nimport os\ndef f():\n    import exporter.web\n"
    )
    assert imported(source) == {"exporter.app", "exporter", "exporter.net.gate", "exporter.model", "exporter.web"}


def test_every_module_has_its_place_in_the_order() -> None:
    assert {part(name) for name in MODULES} - {""} == {*ORDER}


@pytest.mark.parametrize("name", [name for name in MODULES if part(name) in ORDER])
def test_a_module_imports_only_from_its_left(name: str) -> None:
    place = ORDER.index(part(name))
    to_the_left = {*ORDER[:place], "", part(name)}
    assert {one for one in imports()[name] if part(one) not in to_the_left} == set()


@pytest.mark.parametrize(
    "name",
    [
        *("exporter", "exporter.ternary", "exporter.moments", "exporter.lanes", "exporter.monotonic"),
        *("exporter.threads", "exporter.text"),
    ],
)
def test_these_import_nothing_of_ours(name: str) -> None:
    assert imports()[name] == set()


def test_the_vocabulary_imports_only_what_times_are() -> None:
    assert imports()["exporter.model"] == {"exporter.moments"}


def test_imports_run_in_no_circle() -> None:
    left = {name: set(those) for name, those in imports().items()}
    while free := {name for name, those in left.items() if not those & left.keys()}:
        left = {name: those for name, those in left.items() if name not in free}
    assert set(left) == set()


NEEDS_A_SERVER = ("exporter.net", "exporter.workers", "exporter.probes", "OpenSSL.SSL", "h2", "dns.asyncresolver")
"""What opens connections, or is only needed by what does."""
PURE = [
    *(
        "exporter.checks.registry",
        "exporter.derived.registry",
        "exporter.policies",
        "exporter.grade",
        "exporter.remedies.attacks",
    ),
    *("exporter.facts.registry", "exporter.simulation.connect", "exporter.fleet"),
]


@pytest.mark.parametrize("name", PURE)
def test_what_judges_loads_nothing_that_opens_connections(name: str) -> None:
    code = f"import sys, {name}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100
    ).stdout
    assert {one for one in loaded.split() if one.startswith(tuple(f"{start}." for start in NEEDS_A_SERVER))} == set()
    assert not set(loaded.split()) & set(NEEDS_A_SERVER)
