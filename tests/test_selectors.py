"""Selectors of targets: Prometheus' syntax and semantics, exact errors, and no expression that takes long."""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter import selectors
from exporter.selectors import MOST_CHARACTERS, MOST_MATCHERS, SelectorError, parse_selector, parse_selectors
from tests.support.facts import steady

LABELS = {"team": "web", "target": "mail.example.com:25", "text": 'a"b\\c\n'}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("{}", True),
        (" { } ", True),
        ('{team="web"}', True),
        ('{team="web",}', True),
        ('{ team = "web" , target =~ "mail.*" }', True),
        ('{team="web",target="other"}', False),
        ('{team="we"}', False),
        ('{team!="web"}', False),
        ('{team!="mail"}', True),
        ('{team=~"we"}', False),
        ('{team=~"we|web"}', True),
        ('{team!~"we|web"}', False),
        ('{team!~"we"}', True),
        ('{team=~"(?i)WEB"}', True),
        ('{text=~"a.*"}', True),
        ("{team='web'}", True),
        ("{team=`web`}", True),
        ("{text='a\"b\\\\c\\n'}", True),
        ('{text="a\\"b\\x5cc\\012"}', True),
        ('{team="\\u0077e\\U00000062"}', True),
        ('{other=""}', True),
        ('{other!=""}', False),
        ('{other=~".*"}', True),
        ('{other=~".+"}', False),
        ('{team=~""}', False),
    ],
)
def test_a_selector_selects_as_in_prometheus(text: str, selected: bool) -> None:
    assert parse_selector(text).matches(LABELS) is selected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "at character 1: expected {"),
        ("up", "at character 1: expected {"),
        ("{", "at character 2: expected the name of a label"),
        ("{,}", "at character 2: expected the name of a label"),
        ('{1="a"}', "at character 2: expected the name of a label"),
        ("{team}", "at character 6: expected one of =, !=, =~, !~"),
        ('{team=="web"}', "at character 7: expected a string in quotes"),
        ("{team=web}", "at character 7: expected a string in quotes"),
        ('{team="web}', "at character 7: expected a string in quotes"),
        ('{team="web"', "at character 12: expected } or ,"),
        ('{team="web" site="x"}', "at character 13: expected } or ,"),
        ("{}x", "at character 3: expected the end"),
        ('{team="\\q"}', "at character 11: there is no escape \\q"),
        ('{team="\\xff"}', "at character 13: \\xff is not a character"),
        ('{team="\\ud800"}', "at character 15: \\ud800 is not a character"),
        ('{team=~"("}', "at character 8: RE2 does not accept it: missing ): ("),
        ('{team=~"(a)\\\\1"}', "at character 8: RE2 does not accept it: invalid escape sequence: \\1"),
        ('{team=~"(?=a)"}', "at character 8: RE2 does not accept it: invalid perl operator: (?="),
        ('{team=~"' + "\\\\pL" * 9 + '"}', "at character 8: more than 8 classes of Unicode"),
        ('{team=~"a{9999}"}', "at character 8: RE2 does not accept it: invalid repetition size: {9999}"),
        ("{" + " " * MOST_CHARACTERS + "}", f"it has more than {MOST_CHARACTERS} characters"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse_selector(text)
    assert str(caught.value) == problem


def test_an_expression_that_needs_much_memory_is_refused() -> None:
    with pytest.raises(SelectorError, match="RE2 does not accept it"):
        parse_selector('{team=~"((a{100}){100}){100}"}')


def test_an_expression_that_backtracks_for_years_elsewhere_ends() -> None:
    """Python's `re` takes 2^60 steps for this."""
    assert not parse_selector('{team=~"(a|a)*b"}').matches({"team": "a" * 60})


@steady
@given(st.text(st.sampled_from("{}=!~\"'`\\(),a1*+? \n")))
def test_any_text_is_a_selector_or_names_a_mistake(text: str) -> None:
    with contextlib.suppress(SelectorError):
        assert parse_selector(text).matches(LABELS) in {True, False}


def test_no_more_expressions_are_compiled_than_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []

    def compile_one(pattern: str, *, wanted: bool) -> Callable[[str], bool]:
        compiled.append(pattern)
        return lambda _value: wanted

    monkeypatch.setattr(selectors, "_expression", compile_one)
    many = "{" + ",".join(["a=~`x`"] * 500) + "}"
    for texts in ([many], ["{a=~`x`}"] * 500, ["{a=~`x`}", many, many]):
        compiled.clear()
        with pytest.raises(SelectorError, match=f"more than {MOST_MATCHERS} matchers"):
            parse_selectors(texts)
        assert len(compiled) == MOST_MATCHERS
