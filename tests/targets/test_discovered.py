"""What becomes of the labels that sources find: targets, one list without repetitions, and clear refusals."""

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from exporter.config import Config
from exporter.model import Addresses, IpProtocol, Target
from exporter.targets.discovered import CONFIGURED, Lister, TargetList
from exporter.targets.groups import Group

POLICIES = {"kopano-checklist": "kopano-checklist", "own": "/etc/policies/own.yaml"}
SOURCE = "file_sd_configs.0"


def listed(*groups: Group, config: Mapping[str, Any] | None = None) -> TargetList:
    return Lister(Config.model_validate(config or {}), POLICIES).make({SOURCE: groups})


def group(*targets: Mapping[str, str], **labels: str) -> Group:
    return Group("list.yaml", targets, labels)


def target(**labels: str) -> Target:
    (one,) = listed(group({"__address__": "www.example.com", **labels})).targets
    return one


def problem(**labels: str) -> str:
    found = listed(group({"__address__": "www.example.com", **labels}))
    assert not found.targets
    (one,) = found.rejected
    assert found.outcomes[SOURCE] == {"used": 0, "merged": 0, "dropped": 0, "rejected": 1}
    return one.problem


@pytest.mark.parametrize(
    ("address", "name", "protocol", "starttls"),
    [
        ("www.example.com", "www.example.com:443", "https", None),
        ("www.example.com:8443", "www.example.com:8443", "https", None),
        ("mail.example.com:993", "mail.example.com:993", "imaps", None),
        ("[2001:db8::1]:443", "[2001:db8::1]:443", "https", None),
        ("192.0.2.1:9443", "192.0.2.1:9443", "https", None),
        ("ldaps://directory.example.com", "directory.example.com:636", "ldaps", None),
        ("smtp+starttls://mail.example.com:587", "mail.example.com:587", "smtp", "smtp"),
    ],
)
def test_an_address_is_what_a_target_of_the_file_can_be(
    address: str, name: str, protocol: str, starttls: str | None
) -> None:
    one = target(__address__=address)
    assert (one.name, one.protocol, one.starttls) == (name, protocol, starttls)


@pytest.mark.parametrize(
    ("labels", "attribute", "value"),
    [
        ({"__host__": "other.example.com"}, "host", "other.example.com"),
        ({"__address__": "https://www.example.com/health", "__host__": "www.example.com"}, "host", "www.example.com"),
        ({"__port__": "8443"}, "port", 8443),
        ({"__protocol__": "smtps", "__port__": "465"}, "protocol", "smtps"),
        ({"__starttls__": "imap"}, "starttls", "imap"),
        ({"__address__": "imaps://mail.example.com", "__starttls__": "imap"}, "starttls", "imap"),
        ({"__server_name__": "sni.example.com"}, "server_name", "sni.example.com"),
        ({"__connect_address__": "192.0.2.1"}, "connect_address", "192.0.2.1"),
        ({"__starttls__": "smtp", "__mail_domain__": "example.com"}, "mail_domain", "example.com"),
        ({"__distribution__": "debian 13"}, "distribution", "debian 13"),
        ({"__policy__": "own"}, "policies", ("/etc/policies/own.yaml",)),
        ({"__policy__": "own, kopano-checklist"}, "policies", ("/etc/policies/own.yaml", "kopano-checklist")),
        ({"__target__": "shop"}, "name", "shop"),
        ({"__scan_interval__": "1h"}, "scan_interval", timedelta(hours=1)),
        ({"__scan_timeout__": "30s"}, "scan_timeout", timedelta(seconds=30)),
        ({"__timeout__": "3s"}, "timeout_seconds", 3.0),
        ({"__max_age__": "7h"}, "max_age", timedelta(hours=7)),
        ({"__vulnerability_interval__": "never"}, "vulnerability_interval", None),
        ({"__starttls__": "smtp", "__ehlo_name__": "scanner.example.com"}, "ehlo_name", "scanner.example.com"),
        ({"__connections_per_host__": "2"}, "connections_per_host", 2),
        ({"__connection_gap__": "1s"}, "connection_gap_seconds", 1.0),
        ({"__addresses__": "all"}, "addresses", Addresses.ALL),
        ({"__ip_protocol__": "ip6"}, "ip_protocol", IpProtocol.IP6),
        ({"__trust_store__": "system"}, "ca_file", None),
        ({"__scheme__": "https", "__metrics_path__": "/metrics", "__param_module": "x"}, "labels", {}),
        ({"team": "web", "empty": ""}, "labels", {"team": "web"}),
        ({"job": "node", "instance": "a:1"}, "labels", {"exported_job": "node", "exported_instance": "a:1"}),
        ({"job": "a", "exported_job": "b"}, "labels", {"exported_exported_job": "a", "exported_job": "b"}),
        ({"__ca_file__": "/etc/passwd", "__proxy_url__": "http://x.example:1", "__tls_config__": "x"}, "ca_file", None),
    ],
    ids=str,
)
def test_labels_are_options_and_labels_of_the_target(labels: dict[str, str], attribute: str, value: object) -> None:
    assert getattr(target(**labels), attribute) == value


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"__address__": ""}, "there is neither __address__ nor __host__"),
        ({"__address__": "a b"}, "'a b' is not a target; write host, host:port or a URL without a path"),
        ({"__address__": "https://www.example.com/metrics"}, "is not a target"),
        ({"__address__": "user@www.example.com"}, "'user@www.example.com' is not a target"),
        ({"__port__": "0"}, "port: 0 is not a port (1 to 65535)"),
        ({"__port__": "https"}, "port: 'https' is not a port (1 to 65535)"),
        ({"__starttls__": "gopher"}, "starttls: 'gopher' is not one of"),
        (
            {"__policy__": "/etc/shadow"},
            "__policy__: '/etc/shadow' is neither a shipped policy nor one of policy_files",
        ),
        ({"__policy__": ","}, "__policy__: '' is neither"),
        ({"__scan_interval__": "1 hour"}, "scan_interval: '1 hour' is not a duration"),
        ({"__scan_interval__": "1ms"}, "too short for an interval"),
        ({"__scan_timeout__": "7h"}, "scan_timeout: is longer than the global scan_interval"),
        ({"__trust_store__": "internal"}, "trust_store: unknown trust store 'internal'"),
        ({"__protocol__": "imaps", "__starttls__": "imap"}, "protocol and starttls exclude each other"),
        ({"__ip_protocol__": "ip6", "__address__": "192.0.2.1"}, "is an IPv4 address, but ip_protocol is ip6"),
        ({"team-name": "web"}, "'team-name' is not a label name"),
    ],
    ids=str,
)
def test_what_cannot_be_a_target_is_refused_with_the_reason(labels: dict[str, str], message: str) -> None:
    found = problem(**labels)
    assert message in found
    assert "Value error" not in found


def test_one_bad_target_does_not_keep_others_out() -> None:
    found = listed(group({"__address__": "a.example.com"}, {"__address__": "::::"}, {"__address__": "b.example.com"}))
    assert [one.name for one in found.targets] == ["a.example.com:443", "b.example.com:443"]
    assert found.outcomes[SOURCE]["rejected"] == 1


def test_a_service_that_is_found_twice_is_one_target_with_the_labels_of_both() -> None:
    config = Config.model_validate(
        {"targets": [{"host": "www.example.com", "name": "shop", "labels": {"team": "web"}, "scan_interval": "1h"}]}
    )
    first = group(
        {"__address__": "www.example.com:443", "team": "other", "__scan_interval__": "2h"}, environment="test"
    )
    second = group({"__address__": "WWW.example.com", "environment": "production", "tier": "1"})
    found = Lister(config, POLICIES).make({SOURCE: [first], "http_sd_configs.0": [second]})
    (one,) = found.targets
    assert (one.name, one.scan_interval) == ("shop", timedelta(hours=1))
    assert one.labels == {"team": "web", "environment": "test", "tier": "1"}
    assert found.found_in == {"shop": (CONFIGURED, SOURCE, "http_sd_configs.0")}
    assert found.outcomes[SOURCE]["merged"] == found.outcomes["http_sd_configs.0"]["merged"] == 1


@pytest.mark.parametrize(
    "labels",
    [{"__port__": "444"}, {"__starttls__": "imap"}, {"__server_name__": "b.example"}, {"__connect_address__": "::1"}],
    ids=str,
)
def test_another_service_is_another_target(labels: dict[str, str]) -> None:
    found = listed(group({"__address__": "a.example"}, {"__address__": "a.example", "__target__": "other", **labels}))
    assert len(found.targets) == 2


def test_another_service_of_a_known_name_is_refused() -> None:
    found = listed(group({"__address__": "a.example"}, {"__address__": "b.example", "__target__": "a.example:443"}))
    assert [one.host for one in found.targets] == ["a.example"]
    assert found.rejected[0].problem == "the name 'a.example:443' belongs to another service, a.example port 443"


def test_the_place_of_what_is_rejected_has_its_file() -> None:
    found = listed(group({"__address__": "a b", "__meta_filepath": "/etc/lists/web.yaml"}, {"__address__": "c d"}))
    assert [one.place for one in found.rejected] == ["file_sd_configs.0: /etc/lists/web.yaml", "file_sd_configs.0"]


def test_labels_of_one_target_are_limited_in_all() -> None:
    assert len(target(team="x" * 4000).labels["team"]) == 4000
    too_long = "the labels of the target have more than 4096 characters in all"
    assert problem(team="x" * 4096) == too_long
    found = listed(*(group({"__address__": "a.example"}, **{f"label_{one}": "x" * 1000}) for one in range(9)))
    assert [len(one.labels) for one in found.targets] == [4]
    assert found.outcomes[SOURCE] == {"used": 1, "merged": 3, "dropped": 0, "rejected": 5}
    assert found.rejected[0].problem == f"{too_long}, together with those of 'a.example:443'"


def test_bytes_of_file_names_that_are_not_utf_8_are_replaced() -> None:
    name_it = {"action": "lowercase", "source_labels": ["__meta_filepath"], "target_label": "__target__"}
    rules = {"relabel_configs": [{"action": "labelmap", "regex": "__meta_(filepath)"}, name_it]}
    config = {"file_sd_configs": [{"files": ["a.yaml"]}], **rules}
    path = os.fsdecode(b"/targets/\xff.json")
    (one,) = listed(group({"__address__": "a.example"}, __meta_filepath=path), config=config).targets
    assert (one.name, one.labels) == ("/targets/\ufffd.json", {"filepath": "/targets/\ufffd.json"})


def test_configured_targets_of_one_service_stay_several() -> None:
    config = {"targets": [{"host": "a.example", "name": "one"}, {"host": "a.example", "name": "two"}]}
    found = listed(group({"__address__": "a.example", "team": "web"}), config=config)
    assert [(one.name, one.labels) for one in found.targets] == [("one", {"team": "web"}), ("two", {})]


def test_labels_of_the_group_are_those_of_its_targets_unless_they_have_their_own() -> None:
    found = listed(group({"__address__": "a.example", "team": "db"}, {"__address__": "b.example"}, team="web"))
    assert [one.labels for one in found.targets] == [{"team": "db"}, {"team": "web"}]


def test_targets_that_have_not_changed_are_the_same_objects() -> None:
    lister = Lister(Config(), POLICIES)
    names = [f"host{number}.example" for number in range(5)]

    def found(names: Sequence[str], tier: str) -> dict[str, Target]:
        first, second = (group(*({"__address__": name} for name in names), **labels) for labels in ({}, {"tier": tier}))
        return {one.host: one for one in lister.make({SOURCE: [first, second]}).targets}

    before = found(names, "1")
    after = found(names[1:], "1")
    assert after.keys() == set(names[1:])
    assert all(after[name] is before[name] for name in after)
    assert {name: one.labels for name, one in found(names, "2").items()} == {name: {"tier": "2"} for name in names}
