"""From the bytes of a file to data with positions; hostile files soon end in `ConfigError`."""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from exporter.errors import ConfigError, Problem
from exporter.model import Severity
from exporter.yamlfile import MAX_DEPTH, Document, dotted, read_document, validate

Reader = Callable[[str | bytes], Document]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """Reads this text as a file."""
    file = tmp_path_factory.mktemp("yaml") / "file.yaml"

    def reader(content: str | bytes) -> Document:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_document(file)

    return reader


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("null", None),
        ("~", None),
        ("", None),
        ("true", True),
        ("False", False),
        ("tRUE", "tRUE"),
        ("0", 0),
        ("-17", -17),
        ("+1", 1),
        ("017", "017"),
        ("999999999999999999", 999_999_999_999_999_999),
        ("9" * 19, "9" * 19),
        ("1.5", 1.5),
        ("-.5e3", -500.0),
        ("1.", "1."),
        ("1.5.2", "1.5.2"),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("!!int '1'", 1),
        ("no", "no"),
        ("12:30", "12:30"),
        ("2026-11-22", "2026-11-22"),
        ("<<", "<<"),
        ("[a, [], {}]", ["a", [], {}]),
        ("{a: {b: c}}", {"a": {"b": "c"}}),
        ("{'443': a, 'true': b}", {"443": "a", "true": "b"}),
        ("{no: a, 12:30: b}", {"no": "a", "12:30": "b"}),
        ("a: |\n  b\n  c\n", {"a": "b\nc\n"}),
        ("\ufeffa: b", {"a": "b"}),
        ("a: b\r\nc: d\r\n", {"a": "b", "c": "d"}),
        ("%YAML 1.2\n---\na: b\n...\n", {"a": "b"}),
    ],
)
def test_scalars_are_those_of_yaml_1_2(read: Reader, text: str, data: object) -> None:
    document = read(text)
    assert document.data == data
    assert type(document.data) is type(data)
    assert document.problems == []


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("[&a {x: 1}, *a]", [{"x": 1}, {"x": 1}]),
        ("[&a {x: 1, y: 2}, {<<: *a, x: 3}]", [{"x": 1, "y": 2}, {"x": 3, "y": 2}]),
        ("[&a {x: 1, y: 2}, {x: 3, <<: *a}]", [{"x": 1, "y": 2}, {"x": 3, "y": 2}]),
        ("[&a {x: 1}, &b {x: 2, y: 2}, {<<: [*a, *b]}]", [{"x": 1}, {"x": 2, "y": 2}, {"x": 1, "y": 2}]),
        ("[&a {x: 1}, &b {<<: *a}, {<<: *b}]", [{"x": 1}, {"x": 1}, {"x": 1}]),
        ("{<<: {x: 1}}", {"x": 1}),
        ("{'<<': {x: 1}}", {"<<": {"x": 1}}),
    ],
)
def test_aliases_and_merge_keys_are_followed_own_keys_first(read: Reader, text: str, data: object) -> None:
    document = read(text)
    assert document.data == data
    assert document.problems == []


@pytest.mark.parametrize(
    ("path", "at_key", "place"),
    [
        ((), False, (1, 1)),
        (("a",), False, (1, 4)),
        (("b",), True, (2, 1)),
        (("b",), False, (3, 3)),
        (("b", 0), False, (3, 5)),
        (("b", 1, "é"), True, (4, 5)),
        (("b", 1, "é"), False, (4, 8)),
        (("b", 1, "missing"), False, (4, 5)),
        (("b", 1, "missing", 7), True, (4, 5)),
        (("nowhere",), False, (1, 1)),
        (("c", "x"), False, (5, 13)),
        (("c", "y"), False, (5, 19)),
    ],
)
def test_a_problem_stands_where_its_value_or_key_is_or_else_above(
    read: Reader, path: tuple[str | int, ...], at_key: bool, place: tuple[int, int]
) -> None:
    document = read("a: 1\nb:\n  - x\n  - é: y\nc: {<<: {x: 1, y: 2}, z: 3}\n")
    problem = document.problem(path, "is wrong", at_key=at_key)
    assert (problem.line, problem.column) == place
    assert (problem.path, problem.message) == (dotted(path), "is wrong")


def test_a_place_in_a_merged_mapping_is_where_it_was_written(read: Reader) -> None:
    document = read("- &a\n  x: 1\n- <<: *a\n")
    assert document.problem((1, "x"), "").line == 2


def test_a_key_path_never_breaks_the_line() -> None:
    assert dotted(("targets", 0, "host")) == "targets.0.host"
    assert dotted(("a\nb", "é")) == r"'a\nb'.é"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 300_000, f"nested deeper than {MAX_DEPTH} levels"),
        ("- " * 300_000, f"nested deeper than {MAX_DEPTH} levels"),
        ("? " * 300_000, f"nested deeper than {MAX_DEPTH} levels"),
        ("{a: " * 300_000, f"nested deeper than {MAX_DEPTH} levels"),
        ("&a [*a]", f"nested deeper than {MAX_DEPTH} levels"),
        ("&a {b: *a}", f"nested deeper than {MAX_DEPTH} levels"),
        ("&a {<<: *a}", f"nested deeper than {MAX_DEPTH} levels"),
        ("&a {<<: [*a, *a, *a]}", f"nested deeper than {MAX_DEPTH} levels"),
        ("a: \x00", "not valid YAML: control characters are not allowed"),
        ("a: [", "not valid YAML: "),
        ("*a", "not valid YAML: "),
        ("%YAML 3.0\n---\n", "not valid YAML: "),
        ('"\\ud800"', "not valid YAML: "),
        ("[&a b, &a c]", "not valid YAML: "),
        ("a\n---\nb", "not valid YAML: "),
        (b"\xff\xfea\x00", "is not UTF-8"),
    ],
    ids=lambda value: repr(value[:12]),
)
@pytest.mark.timeout(10)
def test_what_is_not_yaml_or_would_exhaust_us_is_refused(read: Reader, text: str | bytes, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    (problem,) = caught.value.problems
    assert problem.message.startswith(message)


@pytest.mark.parametrize(
    "line", ["&{name} [{nine}]", "&{name} {{<<: [{nine}]}}", "&{name} {{k: [{nine}]}}"], ids=["lists", "merges", "maps"]
)
@pytest.mark.timeout(10)
def test_aliases_that_multiply_are_refused(read: Reader, line: str) -> None:
    names = ["a", *"bcdefghijklm"]
    lines = ["- &a {x: 1}"]
    for before, name in pairwise(names):
        lines.append("- " + line.format(name=name, nine=", ".join([f"*{before}"] * 9)))
    with pytest.raises(ConfigError, match="aliases make the file too large"):
        read("\n".join(lines))


def test_a_large_honest_file_is_read(read: Reader) -> None:
    document = read("- &web {a: 1, b: 2}\n" + "- {<<: *web, c: [1, 2]}\n" * 20_000)
    assert isinstance(document.data, list)
    assert document.data[-1] == {"a": 1, "b": 2, "c": [1, 2]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{a: 1, a: 2}", [(1, 8, "a", "duplicate key, first on line 1")]),
        ("{a: 1, 'a': 2}", [(1, 8, "a", "duplicate key, first on line 1")]),
        ("{<<: {}, <<: {}}", [(1, 10, "<<", "duplicate key, first on line 1")]),
        ("[&x {a: 1, a: 2}, {<<: *x}, {<<: *x}]", 3),
        ("{443: a}", [(1, 2, "", "the key '443' is not text; put it in quotes")]),
        ("{1.5: a}", [(1, 2, "", "the key '1.5' is not text; put it in quotes")]),
        ("{true: a}", [(1, 2, "", "the key 'true' is not text; put it in quotes")]),
        ("{~: a}", [(1, 2, "", "the key '~' is not text; put it in quotes")]),
        ("{!!python/tuple x: a}", [(1, 2, "", "the key 'x' is not text; put it in quotes")]),
        ("{[a]: b}", [(1, 2, "", "a key is text; this one is a list or a mapping")]),
        ("{{a: b}: c}", [(1, 2, "", "a key is text; this one is a list or a mapping")]),
        ("b: &x [*x]\n", None),
        ("{<<: a}", [(1, 6, "<<", "is not a mapping")]),
        ("{<<: [[]]}", [(1, 7, "<<", "is not a mapping")]),
        ("{<<: }", [(1, 6, "<<", "is not a mapping")]),
        ("{a: !!python/object:os.system x}", [(1, 5, "a", "python/object:os.system")]),
        ("{a: !!python/object/apply:os.system [id]}", [(1, 5, "a", "python/object/apply:os.system")]),
        ("{a: !!set {b}}", [(1, 5, "a", "set")]),
        ("{a: !!omap [b: c]}", [(1, 5, "a", "omap")]),
        ("{a: !!pairs [b: c]}", [(1, 5, "a", "pairs")]),
        ("{a: !!binary '*'}", [(1, 5, "a", "binary")]),
        ("{a: !!timestamp b}", [(1, 5, "a", "timestamp")]),
        ("{a: !!int b}", [(1, 5, "a", "int")]),
        ("{a: !!int ''}", [(1, 5, "a", "int")]),
        ("{a: !!float b}", [(1, 5, "a", "float")]),
        ("{a: !!bool b}", [(1, 5, "a", "bool")]),
        ("{a: !!null b}", [(1, 5, "a", "null")]),
        ("{a: !!str [b]}", [(1, 5, "a", "str")]),
        ("{a: !!seq b}", [(1, 5, "a", "seq")]),
        ("{a: !!map [b]}", [(1, 5, "a", "map")]),
    ],
)
def test_what_is_yaml_but_not_for_us_is_named(
    read: Reader, text: str, expected: list[tuple[int, int, str, str]] | int | None
) -> None:
    match expected:
        case None:
            with pytest.raises(ConfigError):
                read(text)
        case int():
            assert len(read(text).problems) == expected
        case _:
            wordings = [
                (
                    *place,
                    f"tag !!{what} is unknown, or not for this value" if "!!" in text and " " not in what else what,
                )
                for *place, what in expected
            ]
            found = [(p.line, p.column, p.path, p.message) for p in read(text).problems]
            assert found == wordings


@given(st.text(alphabet=st.sampled_from("ab1.~-?:,[]{}&*!<|>'\"%#@ \n\t\\"), max_size=60) | st.text() | st.binary())
@example("!!python/object/new:os.system [id]")
@example("? ? a\n: b\n: c")
@example("{<<: &a {<<: *a}}")
@example("---\n--- a")
def test_no_file_raises_anything_but_a_config_error(read: Reader, content: str | bytes) -> None:
    if isinstance(content, str):
        content = content.encode(errors="surrogatepass")
    try:
        document = read(content)
    except ConfigError:
        return
    model, problems = validate(document, _Everything)
    assert model is not None or problems


class _Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    needed: str = ""


class _Everything(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = Field(default="aa", min_length=1, max_length=3, pattern="^a")
    flag: bool = False
    whole: int = Field(default=1, ge=1, le=9)
    number: float = 1.0
    word: Severity = Severity.INFO
    only: Literal["server"] = "server"
    items: list[str] = Field(default=["a"], min_length=1)
    group: frozenset[str] = frozenset()
    pairs: dict[str, str] = {}
    inner: _Inner = _Inner()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("text: 1", "1 is not text; put it in quotes"),
        ("text: true", "true is not text; put it in quotes"),
        ("text: [a]", "is not text"),
        ("text: {}", "is not text"),
        ("text:", "is empty"),
        ("text: ''", "is empty"),
        ("text: aaaa", "is longer than 3 characters"),
        ("text: b", "'b' does not match ^a"),
        ("flag: maybe", "is neither true nor false"),
        ("flag: []", "is neither true nor false"),
        ("whole: a", "is not a whole number"),
        ("whole: 1.5", "is not a whole number"),
        ("whole: []", "is not a whole number"),
        ("whole:", "is empty"),
        ("whole: 0", "0 is less than 1"),
        ("whole: 10", "10 is more than 9"),
        ("number: a", "is not a number"),
        ("number: []", "is not a number"),
        ("word: grave", "'grave' is not one of 'critical', 'warning' or 'info'"),
        ("only: client", "'client' is not 'server'"),
        ("items: a", "is not a list"),
        ("items: []", "is empty"),
        ("group: a", "is not a list"),
        ("pairs: a", "is not a mapping"),
        ("inner: a", "is not a mapping"),
        ("other: a", "unknown key"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_in_our_words(read: Reader, text: str, message: str) -> None:
    model, problems = validate(read(text), _Everything)
    assert model is None
    assert [problem.message for problem in problems] == [message]


class _Needs(BaseModel):
    needed: str
    inner: _Inner


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", ["needed: is required", "inner: is required"]),
        ("{needed: !!set {a}, inner: {}}", ["needed: tag !!set is unknown, or not for this value"]),
        ("{needed: a, inner: !x {}}", ["inner: tag !x is unknown, or not for this value"]),
        ("!x {}", ["tag !x is unknown, or not for this value"]),
        ("[a]", ["the file is not a mapping"]),
        ("a", ["the file is not a mapping"]),
        ("", ["the file is empty"]),
        ("# nothing", ["the file is empty"]),
    ],
)
def test_one_mistake_is_told_once(read: Reader, text: str, expected: list[str]) -> None:
    model, problems = validate(read(text), _Needs)
    assert model is None
    assert [f"{problem.path}: {problem.message}".removeprefix(": ") for problem in problems] == expected


def test_a_document_that_fits_is_the_model_though_its_problems_stay(read: Reader) -> None:
    model, problems = validate(read("{needed: a, needed: b, inner: {}}"), _Needs)
    assert isinstance(model, _Needs)
    assert model.needed == "a"
    assert [problem.message for problem in problems] == ["duplicate key, first on line 1"]


def test_problems_come_in_file_order() -> None:
    later, sooner = Problem("f", 10, 1, "a", "x"), Problem("f", 9, 2, "b", "y")
    error = ConfigError([later, sooner])
    assert error.problems == [sooner, later]
    assert str(error) == "f:9:2: b: y\nf:10:1: a: x"
