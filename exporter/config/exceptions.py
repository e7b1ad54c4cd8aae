"""Accepted failures: `exceptions:` of the configuration file."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from exporter.config.section import Section
from exporter.config.values import one_of
from exporter.errors import Problem
from exporter.model import Severity
from exporter.nearest import suggestion
from exporter.quoting import quoted, shown
from exporter.selectors import Selector, SelectorError, parse_selector
from exporter.yamlfile import Day, Document


def _one_or_several(value: object) -> object:
    """A list. A single entry is short for a list of one."""
    if value == []:
        raise ValueError("is empty")
    return value if isinstance(value, list) else [value]


def _selector(text: object) -> Selector:
    if isinstance(text, dict):
        raise ValueError("""is a mapping; put the selector in quotes: '{team="web"}'""")
    if not isinstance(text, str):
        raise ValueError(f"""{shown(text)} is not a selector of targets, such as '{{team="web"}}'""")
    try:
        return parse_selector(text)
    except SelectorError as error:
        raise ValueError(
            f"""{quoted(text)} is not a selector of targets, such as '{{team="web"}}': {error}"""
        ) from None


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    return text.strip()


Name = Annotated[str, Field(min_length=1)]
Selectors = Annotated[list[Annotated[Selector, PlainValidator(_selector)]], BeforeValidator(_one_or_several)]
Names = Annotated[list[Name], BeforeValidator(_one_or_several)]
Severities = Annotated[list[Annotated[Severity, BeforeValidator(one_of(Severity))]], BeforeValidator(_one_or_several)]


class ExceptionSettings(Section):
    """Failures that are accepted for some time.

    Attributes:
        match: selectors of targets by labels; any of them selects the target.
        check: names of checks.
        policy: own names of policies; None for all.
        severity: of the failed demand; None for all.
        until: the last day (UTC) on which they are accepted.
        reason: why, for people.
        accepted_by: who, for people.
    """

    match: Selectors
    check: Names
    policy: Names | None = None
    severity: Severities | None = None
    until: Day
    reason: Annotated[str, Field(max_length=1000), AfterValidator(_said)]
    accepted_by: Annotated[str, Field(max_length=200), AfterValidator(_said)]


def unknown_names(
    exceptions: Sequence[ExceptionSettings], document: Document, checks: Sequence[str], policies: Sequence[str]
) -> list[Problem]:
    """Checks and policies that there are not, each with its place."""
    problems = []
    for index, one in enumerate(exceptions):
        for key, named, known in (("check", one.check, checks), ("policy", one.policy or (), policies)):
            for place, name in enumerate(named):
                if name not in known:
                    below = (place,) if _is_list(document, index, key) else ()
                    problems.append(document.problem(("exceptions", index, key, *below), _unknown(key, name, known)))
    return problems


def _is_list(document: Document, index: int, key: str) -> bool:
    data = document.data
    return isinstance(data, dict) and isinstance(data["exceptions"][index][key], list)


def _unknown(what: str, name: str, known: Sequence[str]) -> str:
    hint = suggestion(name, known) or f"; known are {', '.join(known)}"
    return f"unknown {what} {quoted(name)}{hint}"
