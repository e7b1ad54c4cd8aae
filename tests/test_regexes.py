"""Patterns match as in Go, and a hostile text takes no long time; templates are filled in as by `regexp.Expand`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.regexes import RegexError, compile_regex

Groups = tuple[str | None, ...] | None

MATCHES: list[tuple[str, str, Groups]] = [
    ("", "", ("",)),
    ("", "a", None),
    ("a|ab", "ab", ("ab",)),
    ("(a|ab)(c|bcd)(d*)", "abcd", ("abcd", "a", "bcd", "")),
    ("(a+)(b+)?", "aa", ("aa", "aa", None)),
    (".", "\n", ("\n",)),
    ("(?-s).", "\n", None),
    ("(?-s:.)|b.", "b\n", ("b\n",)),
    ("a$", "a\n", None),
    ("(?m)a$.^b", "a\nb", ("a\nb",)),
    (r"a\z", "a\n", None),
    (r"\w+", "é", None),
    (r"\d", "٣", None),
    (r"\s", "\v", None),
    (r"[[:space:]]", "\v", ("\v",)),
    (r"\B", "", ("",)),
    (r"é\b.", "éa", ("éa",)),
    ("(?i)k", "\u212a", ("\u212a",)),
    ("(?i)ß", "ẞ", ("ẞ",)),
    ("(?i)i", "İ", None),
    ("(?i)i", "ı", None),
    (r"(?i)\W", "ſ", None),
    ("(?i)[^k]", "\u212a", None),
    ("(?i)[a-c]+(?-i)d", "AbCd", ("AbCd",)),
    ("a(?i)b|c", "C", ("C",)),
    ("(?:a(?i)b)c", "aBC", None),
    ("(?U)(a+)(a*)", "aaa", ("aaa", "a", "aa")),
    ("(?U)(a+?)(a*)", "aaa", ("aaa", "aaa", "")),
    (r"\Q.*\E+", ".***", (".***",)),
    (r"\x{1F600}\101\x41\07", "😀AA\a", ("😀AA\a",)),
    (r"[\x{3b1}-\x{3c9}]+", "αβγ", ("αβγ",)),
    (r"\p{^L}\PL\pN\p{Nd}", "..½٣", ("..½٣",)),
    (r"\p{Any}", "\U0010ffff", ("\U0010ffff",)),
    (r"[^\x00-\x{10ffff}]", "a", None),
    (r"\pC", "\u0378", None),  # it is not assigned
    ("a{2}", "aa", ("aa",)),
    ("a{,2}", "a{,2}", ("a{,2}",)),
    ("(a){0}b", "b", ("b", None)),
    ("(?:(a)|b)*", "ab", ("ab", "a")),
    ("(|a)*", "aa", ("aa", "a")),
    ("(|a)+", "aa", ("aa", "a")),
    ("(a*)*", "", ("", "")),
    ("(a*)+", "b", None),
    ("(?:a|(b)|())*c", "abc", ("abc", "b", None)),
    ("(^)*a", "a", ("a", "")),
    ("[]-a]+", "]^a", ("]^a",)),
    ("[a&&b]+", "&a&b", ("&a&b",)),
    ("(?P<1>a)(?<x>b)", "ab", ("ab", "a", "b")),
]


@pytest.mark.parametrize(("pattern", "text", "groups"), MATCHES)
def test_groups(pattern: str, text: str, groups: Groups) -> None:
    assert compile_regex(pattern).match(text) == groups


@given(st.text("abA019-^$.|()[]{}?*+\\QEpPLdsuU:<>=!iPsmxéC😀,", max_size=15), st.text(max_size=20))
def test_any_text_is_a_pattern_or_refused(pattern: str, text: str) -> None:
    try:
        regex = compile_regex(pattern)
    except RegexError:
        return
    groups = regex.match(text)
    assert groups is None or groups[0] == text


HOSTILE = [
    *("(a*)*b", "(a+)+b", "(a|a)*b", "(a|aa)+b", "(?:a|a?)+b", "(.*a){20}b", "(x+x+)+y|(a+a+)+y", "([a-z]+)*!"),
    *("(.*)(.*)(.*)(.*)(.*)x", ".*.*=.*", "(.*);(.*);(.*)", "(a?){30}a{30}b", "(|a|b)*c", "(a{1,50}){1,20}b"),
    *("(([a-z])+.)+[A-Z]([a-z])+", "(?:[a-z0-9-]+\\.)+com", "(?:a*a*)*b", "((a{0,9})*)*b", "(?i)(a|A)*b"),
    *("(?:(?:a?)*)*b", "a*" * 30 + "b", "(a|b|ab)*c", "^(a?a?a?)*$b", "(?:.{1,5}){1,100}b", "(a*?)*?b", "(?:^)*a*a*b"),
]
"""Patterns for which a backtracking matcher takes exponential or polynomial time."""


@pytest.mark.parametrize("pattern", HOSTILE)
@pytest.mark.parametrize("length", [30, 1000, 100_000])
@pytest.mark.timeout(60)
def test_a_hostile_text_takes_linear_time(pattern: str, length: int) -> None:
    """The limit is far above what each takes; Python's `re` would take years for most."""
    assert compile_regex(pattern).match("a" * length) is None


def test_half_a_character_is_read_as_go_reads_it() -> None:
    assert compile_regex("(.*)").match("a\ud800b") == ("a\ufffdb", "a\ufffdb")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a**", "bad repetition operator: **"),
        ("a(?=b)", "invalid perl operator: (?="),
        ("(?<!b)a", "invalid perl operator: (?<!"),
        (r"(a)\1", r"invalid escape sequence: \1"),
        ("(?>a)", "invalid perl operator: (?>"),
        ("(?x)a", "invalid perl operator: (?x"),
        ("a)|(b", "unexpected ): a)|(b"),
        (r"\C", r"invalid escape sequence: \C"),
        (r"\p{Nothing}", r"invalid character class range: \p{Nothing}"),
        ("a{1001}", "invalid repetition size: {1001}"),
        ("(?:a{1000}b{1000}){1000}", "invalid repetition size: {1000}"),
        ("\\", "trailing \\"),
        ("\ud800", "it is not valid Unicode"),
    ],
)
def test_what_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(RegexError) as caught:
        compile_regex(pattern)
    assert message in str(caught.value)


def test_patterns_are_compiled_once() -> None:
    assert compile_regex("a(b)") is compile_regex("a(b)")
    assert compile_regex("a(b)") != compile_regex("a(c)")


REGEX = compile_regex("(?P<first>a)(?P<none>b)?(?P<both>c)(?P<d>d)?(?P<2x>e)")


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
    assert REGEX.template(text.replace("$", "$$")).expand(("",)) == text


@given(st.text("$ {}12ab"))
def test_no_template_fails(text: str) -> None:
    groups = REGEX.match("ace")
    assert groups is not None
    assert isinstance(REGEX.template(text).expand(groups), str)
