"""`prometheus` and `openmetrics`: the families of `/metrics` about targets."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from exporter.metrics import FAMILIES, Exposition, OwnMetrics, render_reports
from exporter.reports.registry import find
from tests.support.facts import KOPANO
from tests.support.report_sets import EVIL, GOOD, every_kind, good, report_set, weak


def test_openmetrics_is_read_by_its_parser_and_ends() -> None:
    text = find("openmetrics").render(every_kind())
    assert text.endswith("\n# EOF\n")
    names = {family.name for family in openmetrics_families(text)}
    assert "tls_posture_target_info" in names
    assert names <= {family.name for family in FAMILIES}


def test_nothing_at_all_is_valid_too() -> None:
    assert find("openmetrics").render(report_set()) == "# EOF\n"
    assert list(openmetrics_families("# EOF\n")) == []


def test_the_text_format_has_the_same_lines() -> None:
    text = find("prometheus").render(every_kind())
    assert f"{text}# EOF\n" == find("openmetrics").render(every_kind())
    labels = {s.labels["target"] for family in text_families(text) for s in family.samples}
    assert GOOD in labels
    assert len(labels) == 6
    assert not set(EVIL) & {"\x00"} & set(text)


@pytest.mark.parametrize(("name", "accept"), [("prometheus", ""), ("openmetrics", "application/openmetrics-text")])
def test_lines_and_content_type_are_those_of_the_page(name: str, accept: str) -> None:
    page = Exposition(OwnMetrics())
    for one in (good(), weak()):
        page.put(one.target.name, render_reports([one], [KOPANO], full=False))
    body, kind = page.render(accept)
    form = find(name)
    assert form.media_type == kind
    own = Exposition(OwnMetrics()).render("")[0].decode()
    lines = [
        line for line in body.decode().splitlines() if line.split("{")[0].startswith("tls_posture_") and line not in own
    ]
    about_targets = [line for line in lines if not line.startswith("tls_posture_exporter_")]
    rendered = form.render(report_set(good(), weak())).splitlines()
    assert sorted(about_targets) == sorted(line for line in rendered if not line.startswith("#"))
