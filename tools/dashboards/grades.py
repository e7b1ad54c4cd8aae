"""The letters of the SSL Labs Server Rating Guide, as the dashboards show them."""

from collections.abc import Mapping

from tools.dashboards.panels import GREEN, RED, YELLOW, Json, steps

GRADES: Mapping[int, tuple[str, str]] = {
    7: ("A+", "super-light-green"),
    6: ("A", "green"),
    5: ("A-", "light-green"),
    4: ("B", "yellow"),
    3: ("C", "light-orange"),
    2: ("D", "orange"),
    1: ("E", "dark-orange"),
    0: ("F", "red"),
    -1: ("T", "light-red"),
    -2: ("M", "semi-dark-red"),
}
"""Code of `Selection.grade` -> letter and colour. T (not trusted) and M (name mismatch) are outside the scale."""

UNKNOWN_GRADE = 8
"""Code of an unknown grade, for tiles, which must not disappear."""

GRADE_STEPS: Json = steps(RED, (1, "orange"), (4, YELLOW), (5, GREEN), (UNKNOWN_GRADE, YELLOW))
GRADE_AND_UNKNOWN = {**GRADES, UNKNOWN_GRADE: ("unknown", YELLOW)}

MEANING = (
    "Grades by the SSL Labs Server Rating Guide, computed offline; T means that the certificate is not trusted, M that "
    "it is for another name."
)
