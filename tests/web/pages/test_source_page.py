"""`/source`, and the link to it that all pages have."""

import json
from urllib.parse import urljoin

import pytest

from exporter.source import NAME, archive
from exporter.web.pages import PAGES
from tests.support.html import found, parse_html
from tests.support.targets import make_target
from tests.web.pages.test_pages import ask


def test_it_is_the_archive_of_the_running_version() -> None:
    answer = ask("/source")
    assert (answer.status, answer.body) == (200, archive())
    assert answer.all("content-type") == ["application/gzip"]
    assert answer.all("content-disposition") == [f'attachment; filename="{NAME}.tar.gz"']


def test_it_is_there_before_all_targets_are_known() -> None:
    assert ask("/source", ready=False).status == 200


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("POST", 405)])
def test_other_methods(method: str, status: int) -> None:
    assert ask("/source", method=method).status == status


@pytest.mark.parametrize("path", [*(page.path for page in PAGES), "/targets/unheard-of"])
def test_every_page_links_to_it(path: str) -> None:
    path = path.replace("{name}", "kopano-checklist" if "policies" in path else make_target().name)
    answer = ask(path)
    assert answer.status == (404 if "unheard-of" in path else 200)
    (footer,) = found(parse_html(answer.body), "footer")
    (link,) = (one.get("href", "") for one in footer.iter("a") if one.text == "source")
    # Behind a proxy that removes a prefix, too.
    assert urljoin(f"http://tls.example.com/prefix{path}", link) == "http://tls.example.com/prefix/source"


def test_the_description_of_the_api_leads_to_it() -> None:
    described = json.loads(ask("/api/v1/openapi.json").body)["externalDocs"]["url"]
    assert urljoin("http://tls.example.com/api/v1/openapi.json", described) == "http://tls.example.com/source"
