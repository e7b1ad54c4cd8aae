"""The handbook: complete, with links that lead somewhere, without parts from elsewhere; its generated pages."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from exporter.checks.registry import CHECKS
from exporter.manual import alerts
from tools import check_pages, configuration_page, reference_pages

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
BUILT_IN_PARTS = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}
"""Elements whose attribute is loaded with the page, without a click."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The handbook, built so that any warning is an error."""
    folder = tmp_path_factory.mktemp("handbook")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", f"--site-dir={folder}"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


class _Loaded(HTMLParser):
    """What a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        url = dict(attrs).get(BUILT_IN_PARTS.get(tag, ""))
        if url:
            self.urls.add(url)


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 100
    for page in pages:
        loaded = _Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        assert loaded.urls
        assert {url for url in loaded.urls if re.match(r"(?:[a-z]+:)?//", url)} == set(), page
    for sheet in site.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", sheet.read_text(encoding="utf-8")) == [], sheet


def test_files_outside_of_the_documents_are_in_the_handbook(site: Path) -> None:
    for name in ("config.example.yaml", "prometheus/tls-posture.rules.yaml", "ARCHITECTURE.html"):
        assert (site / "repository" / name).is_file(), name


def test_every_alert_and_every_check_has_its_page(site: Path) -> None:
    assert all((site / "runbooks" / f"{name}.html").is_file() for name in alerts())
    assert all((site / "checks" / f"{check.name}.html").is_file() for check in CHECKS)


def test_the_pages_of_checks_are_those_that_the_generator_writes() -> None:
    assert {file.name: file.read_text(encoding="utf-8") for file in (DOCS / "checks").iterdir()} == check_pages.pages()


def test_the_reference_of_the_configuration_is_that_which_the_generator_writes() -> None:
    assert configuration_page.FILE.read_text(encoding="utf-8") == configuration_page.page()


@pytest.mark.parametrize("name", ["flags.md", "api-reference.md", "report-schema.md"])
def test_the_reference_of_a_form_is_that_which_the_generator_writes(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == reference_pages.pages()[name]


def test_a_comment_of_the_example_is_the_meaning_of_the_key_below_it() -> None:
    found = configuration_page.comments(
        "# Top.\nglobal:\n  # Of\n  # policy.\n  policy: a # why\n  x: 1\n\n  # Prose, not of an option.\n\n  y: 2\n"
        "# parts:\n#   # Of name.\n#   - name: a\n#     # more: b\n"
    )
    assert found == {
        ("global",): ("Top.", ""),
        ("global", "policy"): ("Of policy.", "a"),
        ("global", "x"): ("", "1"),
        ("global", "y"): ("", "2"),
        ("parts",): ("", ""),
        ("parts", "name"): ("Of name.", ""),
    }


def test_each_key_of_a_target_and_of_the_top_has_a_meaning() -> None:
    page = configuration_page.FILE.read_text(encoding="utf-8")
    for heading in ("## Top of the file", "## `global`", "## `targets[]`", "## `probe.allow[]`"):
        rows = page.partition(f"\n{heading}\n")[2].partition("\n## ")[0].splitlines()
        rows = [row for row in rows if row.startswith("| `")]
        assert rows
        assert [row for row in rows if row.endswith("|  |")] == []


def test_the_navigation_names_each_page_once() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r"^ +- (?:[^:\n]+: )?(\S+\.md)$", text, re.MULTILINE)
    assert len(listed) == len(set(listed)) > 30


def test_the_configuration_of_the_handbook_names_no_other_host() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert yaml.compose(text) is not None
    assert "://" not in text
