"""Documents: links and names of files lead somewhere, tables of modules are complete, some words are not used."""

import re
from pathlib import Path

import pytest

from exporter.services import STARTTLS
from tests.test_imports import ORDER

ROOT = Path(__file__).parent.parent
DOCUMENTS = {
    str(file.relative_to(ROOT)): file.read_text(encoding="utf-8")
    for file in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("*/README.md"),
        *ROOT.glob("tests/*/README.md"),
    )
}
CODE = re.compile(r"`([^`\s]+)`")
PLACEHOLDER = "NAME"
SEARCHED = ("", "exporter", "exporter/probes")
"""Folders below which documents name files."""
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")
AVOIDED = re.compile(
    r"\b(mend(?:s|ed|ing)?|besides?|likewise|anew|thereby|thereof|hence|whoever|whosoever)\b", re.IGNORECASE
)
"""A few words of CONTRIBUTING's list, all of which have a plainer one in any sentence."""

each_document = pytest.mark.parametrize("name", sorted(DOCUMENTS))


@each_document
def test_links_lead_to_files(name: str) -> None:
    missing = {link for link in LINK.findall(DOCUMENTS[name]) if not ((ROOT / name).parent / link).exists()}
    assert missing == set()


@each_document
def test_files_that_documents_name_exist(name: str) -> None:
    named = {text for text in CODE.findall(DOCUMENTS[name]) if text.endswith(".py") or text.startswith("exporter/")}
    folders = [*(ROOT / folder for folder in SEARCHED), (ROOT / name).parent]
    missing = {text for text in named if not any((folder / text).exists() for folder in folders)}
    assert {text for text in missing if PLACEHOLDER not in text} == set()


def first_column(heading: str) -> list[str]:
    """What is in backticks in the first column of the table of ARCHITECTURE.md with this heading, row after row."""
    lines = DOCUMENTS["ARCHITECTURE.md"].splitlines()
    rows = lines[lines.index(heading) + 2 :]
    cells = [row.split("|")[1] for row in rows[: next(at for at, row in enumerate(rows) if not row.startswith("|"))]]
    return [name for cell in cells for name in CODE.findall(cell)]


def test_the_table_of_packages_is_in_the_order_of_imports() -> None:
    names = first_column("| package | what it has |")
    assert tuple(name.removesuffix(".py").removesuffix("/") for name in names) == ORDER


def test_the_table_of_the_engine_has_every_file() -> None:
    files = {file.stem for file in (ROOT / "exporter" / "probes" / "handshake").glob("*.py")} - {"__init__"}
    assert sorted(first_column("| file | what it does |")) == sorted(files)


@pytest.mark.parametrize("name", ["docs/targets.md", "config.example.yaml"])
def test_the_list_of_starttls_protocols_is_complete(name: str) -> None:
    text = " ".join((ROOT / name).read_text(encoding="utf-8").split()).replace(" and ", ", ")
    assert ", ".join(STARTTLS) in text


def test_the_index_of_decisions_has_every_page() -> None:
    pages = {file.name for file in (ROOT / "docs" / "decisions").glob("*.md")} - {"README.md"}
    assert set(LINK.findall(DOCUMENTS["docs/decisions/README.md"])) & {*pages} == pages


@pytest.mark.parametrize("name", sorted(DOCUMENTS.keys() - {"CONTRIBUTING.md"}))
def test_documents_use_plain_words(name: str) -> None:
    assert set(AVOIDED.findall(DOCUMENTS[name])) == set()


def test_avoided_words_are_in_the_list_of_contributing() -> None:
    assert {"mend", "beside", "likewise", "anew", "thereby", "hence", "whoever"} <= set(
        AVOIDED.findall(DOCUMENTS["CONTRIBUTING.md"])
    )
