"""How the results of tried attacks are shown: JSON. Their metric is in `exporter.derived`."""

from datetime import datetime
from typing import Annotated

from typing_extensions import TypedDict

from exporter.facts.form import Key
from exporter.facts.shape import Shape
from exporter.facts.vulnerabilities import VulnerabilityFacts


class TriedForm(TypedDict):
    """The result of trying one attack."""

    vulnerable: Annotated[bool | None, Key("null when the handshake did not get to the attack, or the answers differ")]
    detail: Annotated[str, Key("more of it, for a person")]
    at: Annotated[datetime, Key("when it was tried")]


class AttacksTriedKeys(TypedDict):
    """What is known from trying attacks."""

    # When and how it was tried; the verdict is in `vulnerabilities`.
    attacks_tried: Annotated[
        dict[str, TriedForm],
        Key(
            "attacks that had to be tried, each with its own time; the others follow from the facts above",
            compared=False,
        ),
    ]


def _document(facts: VulnerabilityFacts) -> AttacksTriedKeys:
    return {
        "attacks_tried": {
            name: {"vulnerable": one.vulnerable, "detail": one.detail, "at": one.at}
            for name, one in facts.attacks_tried.items()
        }
    }


SHAPE = Shape(VulnerabilityFacts, AttacksTriedKeys, _document)
