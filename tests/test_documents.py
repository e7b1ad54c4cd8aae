"""Documents: their links are valid, every decision is in the index, and some words are not used."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = {
    str(file.relative_to(ROOT)): file.read_text(encoding="utf-8")
    for file in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md"))
}
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
