"""docs/metrics.md: what the program declares, compared with what the demonstration exposes."""

import re
import urllib.request
from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.metrics import FAMILIES, FULL_DETAIL, OWN_FAMILIES
from exporter.model import Family
from tools.metrics_page import FILE, example, foreign_metrics, page, sections

NOT_IN_THE_DEMO: Mapping[str, str] = {
    "tls_posture_probe_failure": "every probe can tell",
    "tls_posture_check_unknown": "every check has a result or does not apply",
    "tls_posture_certificate_verification_failure": "all of its chains verify",
    "tls_posture_http_redirects_to_https": "it is not on port 443, where port 80 would be asked as well",
    "tls_posture_exporter_web_config_last_reload_successful": "it has no web configuration file",
    "tls_posture_caa_issuer_authorized": "the CAA domain of its CA is in no table",
    "tls_posture_exporter_discovery_successful": "its targets are in its configuration",
    "tls_posture_exporter_discovery_success_timestamp_seconds": "its targets are in its configuration",
    "tls_posture_exporter_discovery_file_mtime_timestamp_seconds": "its targets are in its configuration",
    "tls_posture_exporter_discovered_targets": "its targets are in its configuration",
    "tls_posture_exporter_broker_connected": "it has no broker",
    "tls_posture_exporter_shard_info": "it has no shards",
}
"""What the demonstration rightly does not show, and why. Nor does it show what needs full detail."""
OF_SOME_TARGETS = {"address", "team"}
"""Labels that come from the configuration of a target."""
DOCUMENTED = set(re.findall(r"^(?:### |\| )`(\w+)`", FILE.read_text(encoding="utf-8"), re.MULTILINE))
KEPT_BY_THE_CLIENT = ("_bucket", "_sum", "_count", "_created")
"""Suffixes of the series that prometheus_client exposes for a counter or a histogram."""


def test_the_page_is_the_one_of_the_program() -> None:
    """Made by tools/metrics_page.py."""
    assert FILE.read_text(encoding="utf-8") == page()


def test_every_family_is_on_the_page_once() -> None:
    families = [family for title, several in sections() if title for family in several]
    assert sorted(families, key=FAMILIES.index) == list(FAMILIES)
    own = {family.name for family in OWN_FAMILIES}
    foreign = {f"{one.name}_total" if one.type == "counter" else one.name for one in foreign_metrics()}
    assert {family.name for family in FAMILIES} | own | foreign == DOCUMENTED


@pytest.mark.parametrize("family", [*FAMILIES, *OWN_FAMILIES], ids=lambda family: family.name)
def test_an_example_is_read_by_prometheus(family: Family) -> None:
    ((sample,),) = [one.samples for one in parse_text(example(family, {"target": "x"}) + "\n")]
    labels = {label.name for label in family.labels} | ({"le"} if family.kind == "histogram" else set())
    assert set(sample.labels) == labels | {"target"}
    assert sample.name.removesuffix("_bucket") == family.name


@pytest.fixture(scope="module")
def exposed(demo_address: str) -> Mapping[str, set[frozenset[str]]]:
    """Series of the demonstration by name, without what prometheus_client adds -> the sets of their labels."""
    found: dict[str, set[frozenset[str]]] = {}
    with urllib.request.urlopen(f"http://{demo_address}/metrics", timeout=10) as response:
        text = response.read().decode()
    for family in parse_text(text):
        for sample in family.samples:
            name = next(
                (sample.name.removesuffix(end) for end in KEPT_BY_THE_CLIENT if sample.name.endswith(end)), None
            )
            name = sample.name if name is None else f"{name}_total" if f"{name}_total" in DOCUMENTED else name
            found.setdefault(name, set()).add(frozenset(sample.labels) - {"le"})
    return found


@pytest.mark.real
def test_the_demonstration_exposes_what_is_documented(exposed: Mapping[str, object]) -> None:
    full = {family.name for family in FULL_DETAIL}
    assert set(exposed) == DOCUMENTED - set(NOT_IN_THE_DEMO) - full
    assert not full & set(NOT_IN_THE_DEMO)


@pytest.mark.real
def test_the_demonstration_uses_the_labels_that_are_documented(exposed: Mapping[str, set[frozenset[str]]]) -> None:
    about_targets = {family.name: {label.name for label in family.labels} | {"target"} for family in FAMILIES}
    own = {family.name: {label.name for label in family.labels} for family in OWN_FAMILIES}
    for name, labels in (about_targets | own).items():
        shown = {one - OF_SOME_TARGETS for one in exposed.get(name, {frozenset(labels)})}
        assert shown == {frozenset(labels)}, name
