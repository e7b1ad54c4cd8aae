"""Patterns match as Go's `regexp` does, by `re` and by the program, and a hostile text takes no long time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.re2 import Regex, RegexError, TextTooLongError, compile_regex
from exporter.re2.pattern import MAX_LENGTH

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


def by_program(regex: Regex, text: str) -> Groups:
    """What the program finds, also where `match` would ask `re`."""
    return regex.program.match(text)


@pytest.mark.parametrize(("pattern", "text", "groups"), MATCHES)
def test_groups(pattern: str, text: str, groups: Groups) -> None:
    regex = compile_regex(pattern)
    assert regex.match(text) == groups
    assert by_program(regex, text) == groups


ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\w", r"\b", r"\B", "^", "$", "(?i:A)", r"\Qab\E", ""])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{2,}", "{0,3}?"])).map(
            lambda both: f"(?:{both[0]}){both[1]}"
        ),
    ),
    max_leaves=12,
)
TEXTS = st.text("abA\n", max_size=12)


@given(PATTERNS, TEXTS)
def test_re_and_the_program_find_the_same_groups(pattern: str, text: str) -> None:
    regex = compile_regex(pattern)
    assert regex.match(text) == by_program(regex, text)


@given(st.text("abA019-^$.|()[]{}?*+\\QEpPLdsuU:<>=!iPsmxé😀,", max_size=15), st.text(max_size=20))
def test_any_text_is_a_pattern_or_refused(pattern: str, text: str) -> None:
    try:
        regex = compile_regex(pattern)
    except RegexError:
        return
    assert regex.match(text) == by_program(regex, text)


HOSTILE = [
    *("(a*)*b", "(a+)+b", "(a|a)*b", "(a|aa)+b", "(?:a|a?)+b", "(.*a){20}b", "(x+x+)+y|(a+a+)+y", "([a-z]+)*!"),
    *("(.*)(.*)(.*)(.*)(.*)x", ".*.*=.*", "(.*);(.*);(.*)", "(a?){30}a{30}b", "(|a|b)*c", "(a{1,50}){1,20}b"),
    *("(([a-z])+.)+[A-Z]([a-z])+", "(?:[a-z0-9-]+\\.)+com", "(?:a*a*)*b", "((a{0,9})*)*b", "(?i)(a|A)*b"),
    *("(?:(?:a?)*)*b", "a*" * 30 + "b", "(a|b|ab)*c", "^(a?a?a?)*$b", "(?:.{1,5}){1,100}b", "(a*?)*?b", "(?:^)*a*a*b"),
]
"""Patterns for which a backtracking matcher takes exponential or polynomial time."""


@pytest.mark.parametrize("pattern", HOSTILE)
@pytest.mark.parametrize("length", [30, 200, 1000])
@pytest.mark.timeout(60)
def test_a_hostile_text_takes_no_exponential_time(pattern: str, length: int) -> None:
    """The limit is far above what each takes; `re` alone would take years for most."""
    try:
        assert compile_regex(pattern).match("a" * length) is None
    except TextTooLongError:
        assert length > 200


@pytest.mark.parametrize("pattern", ["(.*)(.*)x", "(.*)(.*)(.*)x", "(a?)(.*)(.*)(.*)(.*)x", "a*a*b|a*a*c"])
@pytest.mark.timeout(60)
def test_the_longest_text_that_re_gets_takes_no_long_time(pattern: str) -> None:
    regex = compile_regex(pattern)
    assert 0 < regex.re_length < MAX_LENGTH
    assert regex.match("a" * regex.re_length) is None


@pytest.mark.parametrize("pattern", ["(a*)*", "(?:(a)b)*", "(?:a|b)+", "(?:a?)*", "(|a){2}"])
def test_repetitions_whose_groups_differ_are_not_for_re(pattern: str) -> None:
    assert compile_regex(pattern).re_length < 0


def test_usual_patterns_are_for_re() -> None:
    for pattern in ("(.*)", "www.*", "prod|dev", "__meta_kubernetes_service_label_(.+)"):
        assert compile_regex(pattern).re_length > 10_000
    assert compile_regex(r"([^:]+)(?::\d+)?;(\d+)").re_length >= 50


def test_a_text_that_is_too_long_for_the_program_is_refused() -> None:
    with pytest.raises(TextTooLongError, match="1000000 characters are too many for this pattern"):
        compile_regex("(a|b)*").match("a" * 1_000_000)


def test_long_texts_match_simple_patterns() -> None:
    text = "x" * 100_000
    assert compile_regex("(.*)").match(text) == (text, text)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a**", "a repetition of a repetition, at character 3"),
        ("a(?=b)", "a lookahead, which is not in RE2's syntax, at character 2"),
        ("(?<!b)a", "a lookbehind, which is not in RE2's syntax, at character 1"),
        (r"(a)\1", "a backreference, which is not in RE2's syntax, at character 4"),
        ("a++", "a repetition of a repetition, at character 3"),
        ("(?>a)", "an atomic group, which is not in RE2's syntax, at character 1"),
        ("(?P<a b>c)", "a name of a group with other characters than letters, digits and _, which is not in RE2's"),
        ("(?x)a", "a group with unknown or incomplete flags, which is not in RE2's syntax, at character 1"),
        ("a)|(b", "a closing parenthesis without an opening one, at character 2"),
        (r"a\p{Greek}", r"a Unicode class that is unknown or not supported \(scripts are not\), at character 2"),
        ("(" * 101 + ")" * 101, "more than 100 groups in each other, at character 101"),
        ("(?:a{1000}b)" * 11, "a pattern of more than 10000 steps"),
        ("(" * 100_000, "more than 100 groups in each other"),
        ("\\", "a backslash at the end, at character 1"),
    ],
)
def test_what_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(RegexError, match=message):
        compile_regex(pattern)


def test_patterns_are_compiled_once() -> None:
    assert compile_regex("a(b)") is compile_regex("a(b)")
    assert compile_regex("a(b)") != compile_regex("a(c)")
