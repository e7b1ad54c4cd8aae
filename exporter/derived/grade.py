"""The grade of the SSL Labs Server Rating Guide, from what is known now (docs/grade.md)."""

from collections.abc import Iterator

from typing_extensions import TypedDict

from exporter.case import Case
from exporter.derived.base import Derivation
from exporter.derived.material import gather
from exporter.facts.shape import Shape
from exporter.grade import REVISION, RULES, Grade, Letter, evaluate
from exporter.model import Family, Label, Sample, Unit

NO_GRADE = "when what is not known may change it, or no protocol is known to be accepted"


def _derive(case: Case) -> Grade | None:
    material = gather(case)
    return None if material is None else evaluate(material)


SCORE = Family(
    "tls_posture_grade_score",
    f"Score by the SSL Labs Server Rating Guide {REVISION}, 0 to 100, before any cap; absent where a part of it is not "
    "known (as of the last scan)",
    Unit.POINTS,
    "when a part of it is not known, or no protocol is known to be accepted",
    example=93,
)
RANK = Family(
    "tls_posture_grade_rank",
    "Grade by that guide, computed offline: A+ 7, A 6, A- 5, B 4, C 3, D 2, E 1, F, T and M 0; absent where what is "
    "not known may change it. Not looked at: POODLE against TLS, Ticketbleed, padding oracles (CVE-2016-2107, "
    "GOLDENDOODLE and its kin), keys of Debian's OpenSSL, revocation beyond stapled OCSP (as of the last scan)",
    Unit.RANK,
    NO_GRADE,
    example=6,
)
TRUST_IGNORED = Family(
    "tls_posture_grade_trust_ignored_rank",
    "The same as if all certificates were trusted and carried the name (as of the last scan)",
    Unit.RANK,
    NO_GRADE,
    example=6,
)
INFO = Family(
    "tls_posture_grade_info",
    "1, with the grade and the rule that lowered it, empty where the score did or none (as of the last scan)",
    Unit.ONE,
    NO_GRADE,
    labels=(
        Label("grade", "the letter", tuple(Letter), Letter.B),
        Label(
            "capped_by",
            "the rule that lowered it, as in docs/grade.md; empty without one",
            ("", *(rule.name for rule in RULES)),
            "tls10",
        ),
    ),
)


def _samples(grade: Grade) -> Iterator[Sample]:
    if grade.score is not None:
        yield Sample(SCORE, grade.score)
    if grade.letter is not None:
        yield Sample(RANK, grade.letter.rank)
        yield Sample(INFO, 1, {"grade": grade.letter, "capped_by": grade.capped_by})
    if grade.trust_ignored is not None:
        yield Sample(TRUST_IGNORED, grade.trust_ignored.rank)


class NoKeys(TypedDict):
    """No keys among the facts: the grade has its own key in the report, and adds nothing to the facts."""


def _document(_grade: Grade) -> NoKeys:
    return {}


DERIVATION = Derivation(
    derive=_derive,
    shape=Shape(
        Grade,
        NoKeys,
        _document,
        (SCORE, RANK, TRUST_IGNORED, INFO),
        full=(TRUST_IGNORED,),
        samples=_samples,
        title="Grade",
    ),
)
