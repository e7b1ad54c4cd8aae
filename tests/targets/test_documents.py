"""Documents of file_sd and http_sd are read as Prometheus reads them; mistakes are named with their place."""

import sys
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.targets.documents import read_json, read_yaml
from exporter.targets.groups import DiscoveryError, Group
from tests.support.sd_documents import JSON, YAML, Found, SdDocument

Read = Callable[[str, bytes, Mapping[str, str]], tuple[Group, ...]]


def _found(read: Read, document: SdDocument) -> Found:
    try:
        groups = read("here", document.data, {})
    except DiscoveryError:
        return None
    return [labels for group in groups for labels in group.label_sets()]


@pytest.mark.parametrize("name", YAML)
def test_yaml_is_read_as_by_prometheus(name: str) -> None:
    assert _found(read_yaml, YAML[name]) == YAML[name].expected


@pytest.mark.parametrize("name", JSON)
def test_json_is_read_as_by_prometheus(name: str) -> None:
    assert _found(read_json, JSON[name]) == JSON[name].expected


def test_each_group_has_its_own_source_and_the_labels_of_its_origin() -> None:
    text = b"- targets: [a]\n  labels: {__meta_filepath: forged}\n- targets: [b]\n"
    meta = {"__meta_filepath": "/x.yml"}
    assert read_yaml("/x.yml", text, meta) == (
        Group("/x.yml:0", ({"__address__": "a"},), meta),
        Group("/x.yml:1", ({"__address__": "b"},), meta),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- targets: [a]\n  labels:\n    x: {y: z}\n", "/t.yml:3:8: 0.labels.x: is not text"),
        ("- targets: [a]\n  label: {}\n", "/t.yml:2:10: 0.label: unknown key; known are targets and labels"),
        ("- targets: [a]\n-\n", "/t.yml:2:2: 1: is empty"),
        ("- targets: [a]\n- targets: [b", "/t.yml:3:1: not valid YAML"),
        ("- targets: [a]\n  labels: {x: 1, x: 2}", "/t.yml:2:18: 0.labels.x: duplicate key, first on line 2"),
        ("- targets: [a]\n  labels: {a-b: 1}", "/t.yml:2:17: 0.labels.a-b: 'a-b' is not a label name"),
    ],
)
def test_a_mistake_in_yaml_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(DiscoveryError) as caught:
        read_yaml("/t.yml", text.encode(), {})
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"targets": [1]}]', "there: 0.targets.0: is not text"),
        ('[{"targets": ["a"]},\n {"tar', "there:2:3: not valid JSON: Unterminated string starting at"),
        ('{"x": 1}', "there: is not a list of groups"),
        ("[" * 100_000, "there: not a list of groups: nested too deep"),
        ('[{"x\\n": 1}]', "there: 0.'x\\n': unknown key; known are targets and labels"),
    ],
)
def test_a_mistake_in_json_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(DiscoveryError) as caught:
        read_json("there", text.encode(), {})
    assert str(caught.value) == message


def test_values_are_not_quoted() -> None:
    """A document may have secrets where it should not, such as a password in the URL of a target."""
    for text in ("- targets: {a: hunter2}", "- labels: {x: [hunter2]}", "- hunter2", "hunter2", "- targets: hunter2"):
        with pytest.raises(DiscoveryError) as caught:
            read_yaml("here", text.encode(), {})
        assert "hunter2" not in str(caught.value)


def test_numbers_of_any_length_are_no_text_and_no_crash() -> None:
    digits = "9" * (sys.get_int_max_str_digits() + 1)
    with pytest.raises(DiscoveryError, match="is not text"):
        read_json("here", f'[{{"targets": [{digits}]}}]'.encode(), {})


@given(st.binary(max_size=200) | st.text(alphabet='[]{}":,-&*<!|\n targetslb1x\\u', max_size=60).map(str.encode))
def test_any_bytes_give_groups_or_an_error(content: bytes) -> None:
    for read in (read_json, read_yaml):
        try:
            groups = read("here", content, {})
        except DiscoveryError:
            continue
        for group in groups:
            for labels in group.label_sets():
                "".join([*labels, *labels.values()]).encode()  # no lone surrogates
