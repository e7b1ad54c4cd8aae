"""The grade of the SSL Labs Server Rating Guide, computed from facts alone. docs/grade.md has its rules and decisions.

`material` is the input, `scores` has the numeric tables, `rules` has the rest of the guide as one table, and `evaluate`
combines them.
"""

from exporter.grade.evaluate import Grade, Lift, evaluate
from exporter.grade.letters import Letter
from exporter.grade.material import HstsRating, Material
from exporter.grade.rules import NOT_LOOKED_AT, REVISION, RULES, Rule

__all__ = [
    "NOT_LOOKED_AT",
    "REVISION",
    "RULES",
    "Grade",
    "HstsRating",
    "Letter",
    "Lift",
    "Material",
    "Rule",
    "evaluate",
]
