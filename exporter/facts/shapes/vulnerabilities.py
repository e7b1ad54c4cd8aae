"""How the answers of tried attacks are shown: JSON. What they come to has its metric in `exporter.derived`."""

from exporter.facts.shape import Shape
from exporter.facts.vulnerabilities import VulnerabilityFacts


def _document(facts: VulnerabilityFacts) -> dict[str, object]:
    return {
        "attacks_tried": {
            name: {"vulnerable": one.vulnerable, "detail": one.detail, "at": one.at.isoformat()}
            for name, one in facts.tried.items()
        }
    }


SHAPE = Shape(VulnerabilityFacts, _document)
