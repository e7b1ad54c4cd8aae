"""Rules of the configuration between what sources find and targets."""

from typing import Any

from exporter.config import Config
from exporter.targets.discovered import Lister, TargetList
from exporter.targets.groups import Group

POLICIES = {"mozilla-modern": "mozilla-modern"}


def listed(labels: dict[str, str], own: list[dict[str, Any]], everywhere: list[dict[str, Any]]) -> TargetList:
    """The list of one target that the second of two sources found, with these rules."""
    config = Config.model_validate(
        {
            "file_sd_configs": [
                {"files": ["a.yaml"], "relabel_configs": [{"action": "drop"}]},
                {"files": ["b.yaml"], "relabel_configs": own},
            ],
            "relabel_configs": everywhere,
            "targets": [{"host": "configured.example.com"}],
        }
    )
    return Lister(config, POLICIES).make({"file_sd_configs.1": [Group("b", (labels,), {})]})


def test_rules_of_the_source_come_before_those_for_all() -> None:
    first = {"source_labels": ["__meta_site"], "target_label": "site"}
    second = {"source_labels": ["site"], "target_label": "__target__", "replacement": "shop in $1"}
    found = listed({"__address__": "www.example.com", "__meta_site": "Bonn"}, [first], [second])
    assert [target.name for target in found.targets] == ["configured.example.com:443", "shop in Bonn"]
    assert found.targets[1].labels == {"site": "Bonn"}


def test_rules_set_options_of_the_target() -> None:
    rules: list[dict[str, Any]] = [
        {"source_labels": ["__address__"], "regex": "(.*):25", "target_label": "__host__"},
        {"source_labels": ["__address__"], "regex": ".*:25", "target_label": "__starttls__", "replacement": "smtp"},
        {"target_label": "__port__", "replacement": 587},
        {"target_label": "__policy__", "replacement": "mozilla-modern"},
    ]
    target = listed({"__address__": "mx.example.com:25"}, rules, []).targets[1]
    assert (target.host, target.port, target.starttls) == ("mx.example.com", 587, "smtp")
    assert target.policies == ("mozilla-modern",)


def test_a_target_that_a_rule_drops_is_counted_as_dropped() -> None:
    rule = {"action": "drop", "source_labels": ["__address__"], "regex": r".*\.test"}
    found = listed({"__address__": "www.test"}, [], [rule])
    assert found.outcomes["file_sd_configs.1"] == {"used": 0, "merged": 0, "dropped": 1, "rejected": 0}


def test_configured_targets_are_not_relabelled() -> None:
    found = listed({"__address__": "www.example.com"}, [], [{"action": "drop"}])
    assert [target.name for target in found.targets] == ["configured.example.com:443"]


def test_a_value_that_becomes_too_long_rejects_the_target() -> None:
    rule = {"source_labels": ["long", "long"], "target_label": "long"}
    found = listed({"__address__": "www.example.com", "long": "x"}, [rule] * 60, [])
    (one,) = found.rejected
    assert one.problem == "cannot be relabelled: 'long' becomes longer than 1048576 characters"
