"""Templates of `regexp.Expand`. The table has the cases of Go's own tests, and broken variables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.re2 import compile_regex

REGEX = compile_regex("(?P<first>a)(?P<both>b)?(?P<both>c)(?P<d>d)?(?P<2x>e)")


@pytest.mark.parametrize(
    ("template", "result"),
    [
        *(("", ""), ("x", "x"), ("$0", "ace"), ("$1", "a"), ("${1}", "a"), ("$1x", ""), ("${1}x", "ax"), ("$1-", "a-")),
        *(("$2", ""), ("$3", "c"), ("$9", ""), ("$01", ""), ("$00", ""), ("$5$1", "ea"), ("$99999999999", "")),
        *(("$first", "a"), ("${first}", "a"), ("$first_", ""), ("${first}_", "a_"), ("$both", "c"), ("$none", "")),
        *(("$$", "$"), ("$$1", "$1"), ("$$$1", "$a"), ("$$$$", "$$"), ("$", "$"), ("a$", "a$"), ("$ $1", "$ a")),
        *(("${", "${"), ("${}", "${}"), ("${1", "${1"), ("${1 }", "${1 }"), ("${a-b}", "${a-b}"), ("$-1", "$-1")),
        *(("$é", ""), ("$1é", ""), ("${2x}", "e"), ("$2x", "e"), ("$1½", "a½"), ("$1٣", ""), ("${1}$", "a$")),
    ],
)
def test_expansion(template: str, result: str) -> None:
    groups = REGEX.match("ace")
    assert groups is not None
    assert REGEX.template(template).expand(groups) == result


@given(st.text())
def test_a_template_without_dollar_is_its_own_result(text: str) -> None:
    template = REGEX.template(text.replace("$", "$$"))
    assert template.fixed == text


@given(st.text("$ {}12ab"))
def test_no_template_fails(text: str) -> None:
    groups = REGEX.match("ace")
    assert groups is not None
    assert isinstance(REGEX.template(text).expand(groups), str)
