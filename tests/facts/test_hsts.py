"""The Strict-Transport-Security field, case by case from RFC 6797 and the grammar that it uses."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.facts.hsts import MAX_SECONDS, Hsts, parse_hsts
from tests.support.facts import steady

YEAR = 31536000


def policy(seconds: int = YEAR, *, subdomains: bool = False, preload: bool = False) -> Hsts:
    return Hsts(seconds, subdomains, preload)


VALID = [
    # field, policy, source
    ("max-age=31536000", policy(), "RFC 6797, 6.2"),
    ("max-age=15768000 ; includeSubDomains", policy(15768000, subdomains=True), "RFC 6797, 6.2"),
    ('max-age="31536000"', policy(), "RFC 6797, 6.2: the quoted example"),
    ("max-age=0", policy(0), "RFC 6797, 6.1.1: zero ends the policy"),
    ("max-age=0; includeSubDomains", policy(0, subdomains=True), "RFC 6797, 6.2"),
    ("max-age=1", policy(1), "RFC 6797, 6.1.1: 1*DIGIT"),
    ("max-age=031536000", policy(), "RFC 6797, 6.1.1: 1*DIGIT, leading zeros too"),
    ("max-age=0000000000000000000000000000", policy(0), "RFC 6797, 6.1.1: many zeros are zero, not for ever"),
    ("max-age=000000000000000000000031536000", policy(), "RFC 6797, 6.1.1: zeros in front do not make it long"),
    ("max-age=999999999999999999", policy(999999999999999999), "RFC 6797, 6.1.1: no upper limit"),
    ("max-age=9223372036854775807", policy(MAX_SECONDS), "RFC 6797, 6.1.1: the largest that is kept"),
    ("max-age=9223372036854775808", policy(MAX_SECONDS), "RFC 6797, 6.1.1: one more"),
    (f"max-age={'9' * 5000}", policy(MAX_SECONDS), "RFC 6797, 6.1.1: longer than Python reads"),
    ("MAX-AGE=31536000", policy(), "RFC 6797, 6.1: names are case-insensitive"),
    ("Max-Age=31536000; INCLUDESUBDOMAINS", policy(subdomains=True), "RFC 6797, 6.1: names are case-insensitive"),
    ("max-age=31536000; includesubdomains", policy(subdomains=True), "RFC 6797, 6.1: names are case-insensitive"),
    ("includeSubDomains; max-age=31536000", policy(subdomains=True), "RFC 6797, 6.1: order is not significant"),
    ("max-age=31536000; includeSubDomains; preload", policy(subdomains=True, preload=True), "hstspreload.org"),
    ("preload; max-age=31536000", policy(preload=True), "hstspreload.org"),
    ("max-age=31536000; PreLoad", policy(preload=True), "RFC 6797, 6.1: names are case-insensitive"),
    ("max-age=31536000; preload=1", policy(), "hstspreload.org: preload has no value; RFC 6797, 6.1: ignored"),
    ('max-age=31536000; preload=""', policy(), "hstspreload.org: preload has no value; RFC 6797, 6.1: ignored"),
    ("max-age=31536000;", policy(), "RFC 6797, 6.1: an empty directive"),
    (";max-age=31536000", policy(), "RFC 6797, 6.1: an empty directive"),
    (";;; max-age=31536000 ;; ; includeSubDomains;;", policy(subdomains=True), "RFC 6797, 6.1: empty directives"),
    (" max-age=31536000 ", policy(), "RFC 2616, 2.1: implied blanks"),
    ("max-age = 31536000", policy(), "RFC 2616, 2.1: implied blanks"),
    ("max-age\t=\t31536000\t;\tincludeSubDomains", policy(subdomains=True), "RFC 2616, 2.1: tabs are blanks"),
    ('max-age = "31536000" ;', policy(), "RFC 2616, 2.1: implied blanks"),
    ("max-age=31536000; fnord", policy(), "RFC 6797, 6.1: unknown directives are ignored"),
    ("max-age=31536000; fnord=1", policy(), "RFC 6797, 6.1: unknown directives are ignored"),
    ('max-age=31536000; fnord="a;b=c, max-age=1"', policy(), "RFC 7230, 3.2.6: quoted semicolons are text"),
    (r'max-age=31536000; fnord="a\"; max-age=1; b"', policy(), "RFC 7230, 3.2.6: an escaped quote is text"),
    (r'max-age=31536000; fnord="a\\"; includeSubDomains', policy(subdomains=True), "RFC 7230, 3.2.6: quoted-pair"),
    (r'max-age="3153\6000"', policy(), "RFC 7230, 3.2.6: a quoted-pair stands for its character"),
    ('max-age=31536000; fnord=""', policy(), "RFC 7230, 3.2.6: a quoted string may be empty"),
    ('max-age=31536000; fnord="gr\xfc\xdfe"', policy(), "RFC 7230, 3.2.6: obs-text in a quoted string"),
    ('max-age=31536000; fnord="\\\xfc"', policy(), "RFC 7230, 3.2.6: obs-text in a quoted-pair"),
    ('max-age=31536000; fnord="a\tb"', policy(), "RFC 7230, 3.2.6: a tab in a quoted string"),
    ("max-age=31536000; x-max-age=1", policy(), "RFC 6797, 6.1: another directive"),
    ("max-age=31536000; max-age-2=1", policy(), "RFC 6797, 6.1: another directive"),
    ("max-age=31536000; !#$%&'*+-.^_`|~09AZaz", policy(), "RFC 7230, 3.2.6: every character of a token"),
    ("max-age=31536000; includeSubDomainsToo", policy(), "RFC 6797, 6.1: another directive"),
]

INVALID = [
    # field, source
    ("", "RFC 6797, 6.1.1: max-age is required"),
    ("   ", "RFC 6797, 6.1.1: max-age is required"),
    (";", "RFC 6797, 6.1.1: max-age is required"),
    ("includeSubDomains", "RFC 6797, 6.1.1: max-age is required"),
    ("preload; includeSubDomains", "RFC 6797, 6.1.1: max-age is required"),
    ("x-max-age=31536000", "RFC 6797, 6.1.1: max-age is required"),
    ("31536000", "RFC 6797, 6.1.1: max-age is required"),
    ("max-age", "RFC 6797, 6.1.1: max-age has a value"),
    ("max-age;", "RFC 6797, 6.1.1: max-age has a value"),
    ("max-age=", "RFC 6797, 6.1: an empty value is no token"),
    ("max-age=; includeSubDomains", "RFC 6797, 6.1: an empty value is no token"),
    ('max-age=""', "RFC 6797, 6.1.1: 1*DIGIT"),
    ("max-age=-1", "RFC 6797, 6.1.1: 1*DIGIT"),
    ("max-age=+1", "RFC 6797, 6.1.1: 1*DIGIT"),
    ("max-age=1.5", "RFC 6797, 6.1.1: 1*DIGIT"),
    ("max-age=1e9", "RFC 6797, 6.1.1: 1*DIGIT"),
    ("max-age=0x10", "RFC 6797, 6.1.1: 1*DIGIT"),
    ("max-age=1_000", "RFC 6797, 6.1.1: 1*DIGIT"),
    ("max-age=one", "RFC 6797, 6.1.1: 1*DIGIT"),
    ('max-age=" 31536000"', "RFC 6797, 6.1.1: 1*DIGIT"),
    ('max-age="31536000 "', "RFC 6797, 6.1.1: 1*DIGIT"),
    ('max-age="\u0663"', "RFC 6797, 6.1.1: DIGIT is ASCII"),
    ("max-age='31536000'", "RFC 6797, 6.1.1: apostrophes do not quote"),
    ("max-age=31536000; max-age=31536000", "RFC 6797, 6.1: a directive stands once"),
    ("max-age=31536000; MAX-AGE=0", "RFC 6797, 6.1: a directive stands once"),
    ("max-age=1; includeSubDomains; includesubdomains", "RFC 6797, 6.1: a directive stands once"),
    ("max-age=1; fnord=1; fnord=2", "RFC 6797, 6.1: an unknown directive, too, stands once"),
    ("max-age=1; includeSubDomains=true", "RFC 6797, 6.1.2: includeSubDomains has no value"),
    ('max-age=1; includeSubDomains=""', "RFC 6797, 6.1.2: includeSubDomains has no value"),
    ("max-age=31536000, max-age=0", "RFC 6797, 6.1: the field is no list"),
    ("max-age=31536000, includeSubDomains", "RFC 6797, 6.1: a comma does not separate"),
    ("max-age=31536000 includeSubDomains", "RFC 6797, 6.1: a blank does not separate"),
    ("max-age=31 536 000", "RFC 6797, 6.1: no blanks within a token"),
    ("max-age:31536000", "RFC 6797, 6.1: a colon does not assign"),
    ("max-age==31536000", "RFC 6797, 6.1: one equals sign"),
    ("=31536000", "RFC 6797, 6.1: a directive has a name"),
    ("max-age=31536000; =x", "RFC 6797, 6.1: a directive has a name"),
    ('"max-age"=31536000', "RFC 6797, 6.1: a name is a token"),
    ('max-age="31536000', "RFC 7230, 3.2.6: the quote ends nowhere"),
    ('max-age=31536000; fnord="a', "RFC 7230, 3.2.6: the quote ends nowhere"),
    ('max-age=31536000; fnord="a\\"', "RFC 7230, 3.2.6: an escaped quote ends nothing"),
    ('max-age=31536000"', "RFC 7230, 3.2.6: a quote within a token"),
    ('max-age="31536000"0', "RFC 7230, 3.2.6: a token behind a quoted string"),
    ("max-age=31536000; gr\xfc\xdfe", "RFC 7230, 3.2.6: a token is ASCII"),
    ("max-age=31536000\xa0", "RFC 7230, 3.2.3: a no-break space is no blank"),
    ('max-age=31536000; fnord="a\x00b"', "RFC 7230, 3.2.6: no control characters"),
    ('max-age=31536000; fnord="a\x7fb"', "RFC 7230, 3.2.6: no control characters"),
    ("max-age=31536000\n", "RFC 7230, 3.2: a field ends before the line does"),
    ("max-age=31536000\r\n", "RFC 7230, 3.2: a field ends before the line does"),
    ("\n", "RFC 7230, 3.2: a field ends before the line does"),
    ("<max-age=31536000>", "RFC 7230, 3.2.6: separators are no part of a token"),
    ("\x00\xff\x1b[31m", "RFC 6797, 6.1: no grammar at all"),
]


@pytest.mark.parametrize(("field", "expected", "source"), VALID)
def test_a_valid_field_gives_its_policy(field: str, expected: Hsts, source: str) -> None:
    assert parse_hsts([field]) == expected, source


@pytest.mark.parametrize(("field", "source"), INVALID)
def test_a_field_that_breaks_a_rule_is_ignored_as_a_whole(field: str, source: str) -> None:
    assert parse_hsts([field]) is None, source


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([], None),
        (["max-age=1", "max-age=2"], policy(1)),
        (["max-age=0", "max-age=31536000"], policy(0)),
        (["garbage", "max-age=31536000"], None),
        (["", "max-age=31536000"], None),
        (["max-age=31536000", "garbage"], policy()),
    ],
)
def test_only_the_first_of_several_fields_counts(fields: list[str], expected: Hsts | None) -> None:
    """RFC 6797, 8.1."""
    assert parse_hsts(fields) == expected


@pytest.mark.parametrize("blank", [" ", "\t", " \t"])
def test_a_long_run_of_blanks_costs_no_more_than_its_length(blank: str) -> None:
    started = time.process_time()
    assert parse_hsts([f"max-age=1{blank * 30000}("]) is None
    assert parse_hsts([f"{blank * 30000}("]) is None
    assert parse_hsts([f"max-age=1;{blank * 30000}"]) == policy(1)
    assert time.process_time() - started < 0.5, "quadratic time would be a minute"


_TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # noqa: S105 - a grammar
_KNOWN = {"max-age", "includesubdomains", "preload"}
tokens = st.text(_TOKEN, min_size=1, max_size=12)
blanks = st.text(" \t", max_size=3)
quotable = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters=[chr(code) for code in range(0x7F, 0x80)])
)


def quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


@st.composite
def written_policies(draw: st.DrawFn) -> tuple[str, Hsts]:
    """A policy, and one of the ways in which the grammar lets it be written."""
    seconds = draw(st.integers(0, 10**18 - 1))
    subdomains, preload = draw(st.booleans()), draw(st.booleans())
    number = "0" * draw(st.integers(0, 3)) + str(seconds)
    directives: list[tuple[str, str | None]] = [("max-age", draw(st.sampled_from([number, quoted(number)])))]
    directives += [("includeSubDomains", None)] * subdomains + [("preload", None)] * preload
    names = st.lists(tokens.filter(lambda name: name.lower() not in _KNOWN), unique_by=str.lower, max_size=3)
    values = st.one_of(st.none(), tokens, quotable.map(quoted))
    directives += [(name, draw(values)) for name in draw(names)]
    parts = []
    for name, value in draw(st.permutations(directives)):
        spelt = "".join(draw(st.sampled_from([char.lower(), char.upper()])) for char in name)
        assigned = "" if value is None else f"{draw(blanks)}={draw(blanks)}{value}"
        parts += [*draw(st.lists(blanks, max_size=2)), f"{draw(blanks)}{spelt}{assigned}{draw(blanks)}"]
    return ";".join(parts), Hsts(seconds, subdomains, preload)


@steady
@given(written_policies())
def test_what_the_grammar_writes_is_read_back(written: tuple[str, Hsts]) -> None:
    field, expected = written
    assert parse_hsts([field]) == expected


@steady
@given(st.lists(st.text(), max_size=2))
def test_any_text_is_read_without_an_error(fields: list[str]) -> None:
    found = parse_hsts(fields)
    assert found is None or 0 <= found.max_age_seconds <= MAX_SECONDS


@steady
@given(st.text('max-ge=01;" \t\\,includeSubDomains\n\x00\xfc', max_size=40))
def test_near_misses_are_read_without_an_error(field: str) -> None:
    found = parse_hsts([field])
    assert found is None or re.search("max-age", field, re.IGNORECASE)


@steady
@given(written_policies(), st.sampled_from([",", "\n", '"', "(", "\x00", "é"]))
def test_a_valid_field_with_a_foreign_character_behind_it_is_ignored(written: tuple[str, Hsts], char: str) -> None:
    assert parse_hsts([written[0] + char]) is None
