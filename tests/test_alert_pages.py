"""The annotation `page` of alerts leads to pages that there are, for every name that a target can have."""

import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from exporter.web.pages import PAGES
from tests.test_rules import ALERTS, promtool

URL = "https://tls.example.com/posture"
TEMPLATES = {alert.name: alert.rule["annotations"].get("page") for alert in ALERTS}
DISTINCT = sorted({template for template in TEMPLATES.values() if template is not None})
WITHOUT_PAGE = {"TLSPostureExporterDown", "TLSPostureZoneWorkerDown", "TLSPostureShardsWrong"}
"""Who does not answer has no page, nor has a worker. Shards are several exporters."""
ANCHORS = {"", "check-hsts", "grade", "addresses", "protocols", "attacks", "http", "dns", "software", "certificate"}
"""Places of a target's page."""
NAMES = ("shop", "a b+c/d?e#f%g&h=i", "q\"\\'`<script>", "größe.例え", "host.example:443", "{{ . }}", "%2B+%20")


def test_every_alert_has_a_page() -> None:
    assert {name for name, template in TEMPLATES.items() if template is None} == WITHOUT_PAGE


def test_alerts_about_the_exporter_lead_to_its_state_and_others_to_the_target() -> None:
    for alert in ALERTS:
        template = TEMPLATES[alert.name]
        if template is not None:
            is_about_target = "$labels.target" in alert.rule["annotations"]["description"]
            assert ("/status{{" in template, "/targets/{{" in template) == (not is_about_target, is_about_target)


def test_paths_are_those_of_pages() -> None:
    assert "/status" in {page.path for page in PAGES}


def evaluated(folder: Path, template: str, name: str, *, has_url: bool) -> str:
    """What Prometheus makes of the template for a target of this name."""
    labels = {"job": "tls", "instance": "a:1", "target": name, "check": "hsts"}
    selector = ",".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in labels.items())
    rule = {"alert": "X", "expr": "x == 0", "annotations": {"page": template}}
    info = f'tls_posture_exporter_web_info{{job="tls",instance="a:1",external_url="{URL}"}}'
    series = {f"x{{{selector}}}": "0 0", **({info: "1 1"} if has_url else {})}
    expected = {"exp_labels": labels, "exp_annotations": {"page": "?"}}
    test = {
        "interval": "1m",
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "alert_rule_test": [{"eval_time": "1m", "alertname": "X", "exp_alerts": [expected]}],
    }
    (folder / "rules.json").write_text(json.dumps({"groups": [{"name": "g", "rules": [rule]}]}), encoding="utf-8")
    (folder / "test.json").write_text(json.dumps({"rule_files": ["rules.json"], "tests": [test]}), encoding="utf-8")
    _, said = promtool("test", "rules", "test.json", folder=folder)
    found = re.search(r'got:\[.*Annotations:\{page="(.*)"\}', said, re.DOTALL)
    assert found, said
    return found[1]


@pytest.mark.real
@pytest.mark.parametrize("name", NAMES)
def test_the_name_is_one_segment_of_the_path(name: str, tmp_path: Path) -> None:
    template = next(one for one in DISTINCT if "#check-" in one)
    url = urlsplit(evaluated(tmp_path, template, name, has_url=True))
    path = url.path.removeprefix("/posture/targets/")
    assert "/" not in path
    assert "+" not in path
    assert unquote(path) == name
    assert (url.netloc, url.query, url.fragment) == ("tls.example.com", "", "check-hsts")


@pytest.mark.real
@pytest.mark.parametrize("template", DISTINCT, ids=lambda one: re.sub(r"\{\{.*?\}\}", "", one))
def test_every_template_leads_to_a_page_or_is_empty_without_the_metric(template: str, tmp_path: Path) -> None:
    url = evaluated(tmp_path, template, "a b", has_url=True)
    path, _, anchor = url.removeprefix(URL).partition("#")
    assert path in {"/status", "/targets/a%20b"}
    assert anchor in ANCHORS
    assert evaluated(tmp_path, template, "a b", has_url=False) == ""
