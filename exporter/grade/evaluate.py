"""From material to a grade: a letter is known only if unknown material cannot change it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from exporter.grade.letters import Letter
from exporter.grade.material import Material
from exporter.grade.rules import RULES, Rule
from exporter.grade.scores import Range, Scores, letter_of, score

OUTSIDE = (Letter.T, Letter.M)
"""Letters outside the scale. The first that applies is given: without trust, the name does not matter."""


@dataclass(frozen=True, slots=True)
class Lift:
    """One thing that keeps the letter low.

    Attributes:
        rule: its name; a category of the score where the score is too low.
        remedy: what would raise the letter, for a person.
    """

    rule: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Grade:
    """What is known of the grade.

    Attributes:
        letter: None when it depends on something unknown.
        trust_ignored: the letter as if the certificates were trusted and had the name; None as above.
        at_best, at_worst: the best and worst possible letter; both are the letter where it is known.
        at_best_trust_ignored, at_worst_trust_ignored: the same for `trust_ignored`.
        score: 0 to 100, before any rule; None when it is not known exactly.
        categories: the scores of protocols, key exchange and ciphers.
        caps: names of all rules that are known to apply, the most severe first.
        capped_by: name of the first rule that leads to this letter; empty where the score does.
        lifts: everything to fix for the next better letter.
        lifted: that next letter; None where there is none, or it is not known.
        missing: names of rules and categories that are not known and may change the letter, with or without trust.
    """

    letter: Letter | None
    trust_ignored: Letter | None
    at_best: Letter
    at_worst: Letter
    at_best_trust_ignored: Letter
    at_worst_trust_ignored: Letter
    score: float | None
    categories: Mapping[str, float | None]
    caps: tuple[str, ...]
    capped_by: str
    lifts: tuple[Lift, ...]
    lifted: Letter | None
    missing: tuple[str, ...]


def evaluate(material: Material) -> Grade:
    """The grade, as far as it is known."""
    verdicts = [(rule, rule.applies(material)) for rule in RULES]
    applying = [rule for rule, applies in verdicts if applies]
    perhaps = [rule for rule, applies in verdicts if applies is None]
    scores = score(material)
    total = scores.total
    ignoring = [[rule for rule in rules if rule.effect.on_scale] for rules in (applying, perhaps)]
    best, worst = _reach(applying, perhaps, total)
    best_ignoring, worst_ignoring = _reach(ignoring[0], ignoring[1], total)
    letter = best if best is worst else None
    lifts, lifted = _lifts(letter, applying, perhaps, total)
    return Grade(
        letter=letter,
        trust_ignored=best_ignoring if best_ignoring is worst_ignoring else None,
        at_best=best,
        at_worst=worst,
        at_best_trust_ignored=best_ignoring,
        at_worst_trust_ignored=worst_ignoring,
        score=total.exact,
        categories={name: part.exact for name, part in scores.categories.items()},
        caps=tuple(rule.name for rule in sorted(applying, key=_severity)),
        capped_by=next((rule.name for rule in applying if rule.effect is letter), ""),
        lifts=lifts,
        lifted=lifted,
        missing=tuple(
            dict.fromkeys((*_missing(applying, perhaps, scores), *_missing(ignoring[0], ignoring[1], scores)))
        ),
    )


def _severity(rule: Rule) -> tuple[bool, int]:
    """Sort key: letters outside the scale first, then the lowest letter."""
    return rule.effect.on_scale, rule.effect.rank


def _letter(rules: Iterable[Rule], total: float) -> Letter:
    """The letter if exactly these rules apply."""
    effects = {rule.effect for rule in rules}
    outside = next((letter for letter in OUTSIDE if letter in effects), None)
    return outside or min((letter_of(total), *effects), key=lambda letter: letter.rank)


def _reach(applying: Collection[Rule], perhaps: Collection[Rule], total: Range) -> tuple[Letter, Letter]:
    """The best and the worst possible letter."""
    return _letter(applying, total.high), _letter((*applying, *perhaps), total.low)


def _missing(applying: Collection[Rule], perhaps: Collection[Rule], scores: Scores) -> Iterator[str]:
    """Names of what may change the letter by itself."""
    total = scores.total
    best = _letter(applying, total.high)
    for rule in perhaps:
        if _letter((*applying, rule), total.high) is not best:
            yield rule.name
    if _letter(applying, total.low) is not best:
        yield from (name for name, part in scores.categories.items() if part.exact is None)


def _lifts(
    letter: Letter | None, applying: Collection[Rule], perhaps: Collection[Rule], total: Range
) -> tuple[tuple[Lift, ...], Letter | None]:
    """What keeps the letter, and the letter without it."""
    if letter is None or letter is Letter.A_PLUS:
        return (), None
    if not letter.on_scale:
        holding = [rule for rule in applying if not rule.effect.on_scale]
    else:
        holding = [rule for rule in applying if rule.effect is letter]
    lifts = [Lift(rule.name, rule.remedy) for rule in holding]
    if letter.on_scale and letter_of(total.high) is letter:
        lifts.append(Lift("score", f"raise the score, which is {total.high:g} at most"))
        return tuple(lifts), None
    left = [rule for rule in applying if rule not in holding]
    best, worst = _reach(left, perhaps, total)
    return tuple(lifts), best if best is worst else None
