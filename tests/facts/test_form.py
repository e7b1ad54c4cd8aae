"""Forms of facts: the meaning of their keys, and that each shape uses only its own."""

import subprocess
import sys
from collections.abc import Mapping
from typing import Annotated, Any, get_type_hints

import pytest
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from exporter.derived.registry import SHOWN
from exporter.facts.dns import MtaStsFacts, StsPolicy, StsPolicyFacts, TlsaFacts, TlsaRecord
from exporter.facts.form import DateTime, Key, entries
from exporter.facts.registry import SHAPES
from exporter.facts.shape import Shape
from exporter.probes.registry import PROBES
from tests.support.facts import report

DNS: Mapping[type, object] = {
    TlsaFacts: TlsaFacts("_443._tcp.www.test.example", (TlsaRecord(3, 1, 1, "ab"),), None),
    MtaStsFacts: MtaStsFacts("test.example", "v=STSv1; id=1", None),
    StsPolicyFacts: StsPolicyFacts("test.example", StsPolicy("enforce", 86400, ("mx.test.example",))),
}
"""What is known only where a policy asks for it."""


class Inner(TypedDict):
    """A form within a form."""

    at: Annotated[DateTime, Key("when")]
    why: Annotated[str, Key("a reason", compared=False)]


class Outer(TypedDict):
    """A form."""

    plain: Annotated[int | None, Key("a number")]
    inner: Annotated[Inner | None, Key("another form")]
    several: Annotated[list[Inner], Key("a list of forms")]


def test_keys_are_in_order_with_what_they_say() -> None:
    found = entries(Outer)
    assert [(name, one.key.text) for name, one in found.items()] == [
        *(("plain", "a number"), ("inner", "another form"), ("several", "a list of forms")),
    ]
    assert [one.form for one in found.values()] == [None, Inner, None]


def test_a_key_is_compared_where_a_part_of_it_is() -> None:
    class Nothing(TypedDict):
        why: Annotated[str, Key("a reason", compared=False)]

    class Outside(TypedDict):
        one: Annotated[Nothing, Key("nothing in it is compared")]
        other: Annotated[Inner, Key("a part is")]
        neither: Annotated[Inner, Key("no part is", compared=False)]

    assert [one.compared for one in entries(Outside).values()] == [False, True, False]


def test_the_schema_has_what_keys_say() -> None:
    schema = TypeAdapter(Outer).json_schema()
    assert schema["properties"]["plain"]["description"] == "a number"
    assert schema["properties"]["inner"]["description"] == "another form"
    assert schema["$defs"]["Inner"]["properties"]["at"] == {
        "description": "when",
        "format": "date-time",
        "title": "At",
        "type": "string",
    }


def test_a_key_that_says_nothing_is_refused() -> None:
    class Silent(TypedDict):
        name: Annotated[str, "not a key"]

    with pytest.raises(ValueError, match="unpack"):
        entries(Silent)


@pytest.mark.parametrize("shape", SHOWN, ids=lambda shape: shape.kind.__name__)
def test_a_document_has_the_keys_of_its_form(shape: Shape[Any]) -> None:
    assert get_type_hints(shape.document)["return"] is shape.form
    facts = DNS.get(shape.kind) or report().facts.get(shape.kind)
    document = shape.document(facts)
    assert list(document) == list(entries(shape.form))
    adapter: TypeAdapter[Any] = TypeAdapter(shape.form)
    assert adapter.validate_python(document) == document
    with pytest.raises(ValidationError):
        adapter.validate_python({name: object() for name in document} or None)


def test_the_shape_of_every_probe_is_registered() -> None:
    """One that is missing would leave its facts out of the JSON report, its schema and docs/metrics.md."""
    assert {probe.kind for probe in PROBES} == {shape.kind for shape in SHAPES}


def test_no_key_is_filled_by_two_facts() -> None:
    names = [name for shape in SHOWN for name in entries(shape.form)]
    assert len(names) == len(set(names))


def test_forms_are_declared_without_pydantic() -> None:
    """Metrics and comparisons need no models, which take time to build."""
    code = "import sys, exporter.facts.registry; print('pydantic' in sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    assert loaded.stdout == "False\n"
