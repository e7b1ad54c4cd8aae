"""Applies `relabel_configs` to the labels of a target, as Prometheus does.

Source: Prometheus, model/relabel/relabel.go. A rule is compiled once, for thousands of targets.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from exporter.config.relabelling import LABEL_NAME, RelabelAction, RelabelSettings
from exporter.errors import TargetError
from exporter.quoting import quoted
from exporter.regexes import Regex, Template, compile_regex

MAX_VALUE = 1 << 20
"""Characters of a label's value. Rules that repeat a value would otherwise fill the memory."""


class RelabelError(TargetError):
    """The rules cannot be applied to the labels of this target, because a value is too long."""


@dataclass(frozen=True, slots=True)
class RelabelRule:
    """A rule with its pattern and templates compiled."""

    action: RelabelAction
    source_labels: tuple[str, ...]
    separator: str
    regex: Regex
    modulus: int
    target: Template
    replacement: Template


def compile_rules(settings: Iterable[RelabelSettings]) -> tuple[RelabelRule, ...]:
    """The rules in the form that `relabel` needs."""
    return tuple(map(_compiled, settings))


def _compiled(rule: RelabelSettings) -> RelabelRule:
    regex = compile_regex(rule.regex)
    target, replacement = regex.template(rule.target_label), regex.template(rule.replacement)
    return RelabelRule(rule.action, tuple(rule.source_labels), rule.separator, regex, rule.modulus, target, replacement)


def relabel(labels: Mapping[str, str], rules: Sequence[RelabelRule]) -> dict[str, str] | None:
    """The labels after all rules; None if a rule drops the target. A label with an empty value is a missing one.

    Raises:
        RelabelError: a value becomes longer than `MAX_VALUE`.
    """
    result = {name: value for name, value in labels.items() if value}
    return result if all(_apply(rule, result) for rule in rules) else None


def _apply(rule: RelabelRule, labels: dict[str, str]) -> bool:
    """Change the labels by one rule, and return whether the target is kept."""
    value = rule.separator.join([labels.get(name, "") for name in rule.source_labels])
    match rule.action:
        case RelabelAction.KEEP | RelabelAction.DROP:
            return (rule.regex.match(value) is not None) == (rule.action is RelabelAction.KEEP)
        case RelabelAction.KEEPEQUAL | RelabelAction.DROPEQUAL:
            equal = labels.get(rule.target.text, "") == value
            return equal == (rule.action is RelabelAction.KEEPEQUAL)
        case RelabelAction.REPLACE:
            _replace(rule, labels, value)
        case RelabelAction.LOWERCASE | RelabelAction.UPPERCASE | RelabelAction.HASHMOD:
            _set(labels, rule.target.text, _converted(rule, value))
        case RelabelAction.LABELMAP:
            _map_names(rule, labels)
        case RelabelAction.LABELDROP | RelabelAction.LABELKEEP:
            keeps = rule.action is RelabelAction.LABELKEEP
            for name in [name for name in labels if (rule.regex.match(name) is not None) != keeps]:
                del labels[name]
        case _:
            assert_never(rule.action)
    return True


def _replace(rule: RelabelRule, labels: dict[str, str], value: str) -> None:
    groups = rule.regex.match(value)
    if groups is None:
        return
    name = rule.target.expand(groups)
    if LABEL_NAME.fullmatch(name):
        _set(labels, name, rule.replacement.expand(groups))


def _map_names(rule: RelabelRule, labels: dict[str, str]) -> None:
    """Copy labels to other names, in the order of names: of two labels that become one, the later one stays."""
    for name, value in sorted(labels.items()):
        groups = rule.regex.match(name)
        copy = groups and rule.replacement.expand(groups)
        if copy and LABEL_NAME.fullmatch(copy):
            labels[copy] = value


def _set(labels: dict[str, str], name: str, value: str) -> None:
    if len(value) > MAX_VALUE:
        raise RelabelError(f"cannot be relabelled: {quoted(name)} becomes longer than {MAX_VALUE} characters")
    if value:
        labels[name] = value
    else:
        labels.pop(name, None)


def _converted(rule: RelabelRule, value: str) -> str:
    match rule.action:
        case RelabelAction.LOWERCASE:
            return value.lower() if value.isascii() else "".join(map(_lower, value))
        case RelabelAction.UPPERCASE:
            return value.upper() if value.isascii() else "".join(map(_upper, value))
        case _:
            # The last eight bytes of the digest. A lone surrogate of a JSON document is a character like any other.
            digest = hashlib.md5(value.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
            return str(int.from_bytes(digest[8:], "big") % rule.modulus)


def _lower(char: str) -> str:
    """One character for one, as in Go: of Python's longer results, the first is Unicode's simple mapping."""
    return char.lower()[0]


def _upper(char: str) -> str:
    """One character for one, as in Go: where Python's result is longer, the title case is the simple mapping, if any.

    The sharp s has no simple upper case, and stays.
    """
    return next((text for text in (char.upper(), char.title()) if len(text) == 1), char)
