"""Parsers of lists of targets: documents of file_sd and http_sd."""

from exporter.targets.documents import read_json, read_yaml
from exporter.targets.groups import DiscoveryError


def target_lists(data: bytes) -> None:
    """The bytes as JSON and as YAML. All text of what is found can be written as UTF-8."""
    for read in (read_json, read_yaml):
        try:
            groups = read("list", data, {"__meta_url": "origin"})
        except DiscoveryError:
            continue
        for number, group in enumerate(groups):
            assert group.source == f"list:{number}"
            assert group.labels["__meta_url"] == "origin"
            for labels in group.label_sets():
                "".join([*labels, *labels.values()]).encode()
