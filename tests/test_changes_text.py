"""What a change means, in words."""

from typing import Any

import pytest

from exporter.changes_text import Direction, change_text
from exporter.store.history import StateChange, StateKey, What
from tests.support.facts import CBC_RSA, GCM, TLS13_AES
from tests.support.targets import NOW

BETTER, WORSE, NEUTRAL = Direction.BETTER, Direction.WORSE, Direction.NEUTRAL
OLD = {"fingerprint_sha256": "ab" * 32, "subject": "CN=a", "issuer": "CN=b", "not_after": "2026-12-30T23:59:59+00:00"}
NEW = OLD | {"fingerprint_sha256": "cd" * 32, "not_after": "2027-03-01T01:00:00+02:00"}


def text(what: What, before: Any, after: Any, subject: str = "") -> Any:  # noqa: ANN401 - values of states
    return change_text(StateChange("a", None, StateKey(what, subject), before, after, NOW))


@pytest.mark.parametrize(
    ("before", "after", "words", "direction"),
    [
        ("pass", "fail", "fails now; passed before", WORSE),
        ("fail", "pass", "passes now; failed before", BETTER),
        ("not_applicable", "fail", "fails now; was not applicable before", WORSE),
        ("fail", "not_applicable", "is not applicable now; failed before", BETTER),
        ("unknown", "fail", "fails now; was unknown before", NEUTRAL),
        ("fail", "unknown", "is unknown now; failed before", NEUTRAL),
        ("pass", "unknown", "is unknown now; passed before", NEUTRAL),
        ("unknown", "pass", "passes now; was unknown before", NEUTRAL),
        ("pass", "not_applicable", "is not applicable now; passed before", NEUTRAL),
        (None, "fail", "fails now; was not known before", NEUTRAL),
        ("of a later version", "pass", "passes now; was not known before", NEUTRAL),
    ],
)
def test_verdicts(before: str, after: str, words: str, direction: Direction) -> None:
    found = text(What.VERDICT, before, after, "kopano-checklist/protocols")
    assert found.sentence == f"check `protocols` of `kopano-checklist` {words}"
    assert (found.direction, found.details) == (direction, ())


@pytest.mark.parametrize(
    ("before", "after", "words", "direction"),
    [
        ("A+", "B", "grade is B now; was A+ before", WORSE),
        ("F", "A-", "grade is A- now; was F before", BETTER),
        ("A", "T", "grade is T now; was A before", WORSE),
        ("T", "F", "grade is F now; was T before", NEUTRAL),
        ("A", None, "grade is not known now; was A before", NEUTRAL),
        (None, "F", "grade is F now; was not known before", NEUTRAL),
    ],
)
def test_grades(before: str, after: str, words: str, direction: Direction) -> None:
    found = text(What.GRADE, before, after)
    assert (found.sentence, found.direction) == (words, direction)


@pytest.mark.parametrize(
    ("protocol", "before", "after", "words", "direction"),
    [
        ("TLSv1.0", False, True, "is accepted now; was refused before", WORSE),
        ("TLSv1.0", True, False, "is refused now; was accepted before", BETTER),
        ("TLSv1.3", False, True, "is accepted now; was refused before", BETTER),
        ("TLSv1.3", True, False, "is refused now; was accepted before", WORSE),
        ("TLSv1.2", False, True, "is accepted now; was refused before", NEUTRAL),
        ("TLSv1.0", None, True, "is accepted now; was not known before", NEUTRAL),
        ("TLSv1.0", True, None, "is not known now; was accepted before", NEUTRAL),
    ],
)
def test_protocols(protocol: str, before: Any, after: Any, words: str, direction: Direction) -> None:  # noqa: ANN401
    found = text(What.PROTOCOL, before, after, protocol)
    assert (found.sentence, found.direction) == (f"`{protocol}` {words}", direction)


@pytest.mark.parametrize(
    ("before", "after", "words", "details", "direction"),
    [
        ([GCM], [GCM, CBC_RSA], "changed: 1 added", (f"+ {CBC_RSA}",), WORSE),
        ([GCM, CBC_RSA], [GCM], "changed: 1 removed", (f"- {CBC_RSA}",), BETTER),
        ([CBC_RSA], [TLS13_AES], "changed: 1 added, 1 removed", (f"+ {TLS13_AES}", f"- {CBC_RSA}"), BETTER),
        ([GCM], ["a suite of tomorrow"], "changed: 1 added, 1 removed", ("+ a suite of tomorrow", f"- {GCM}"), NEUTRAL),
        ([GCM], None, "are not known now", (), NEUTRAL),
        (None, [CBC_RSA], "are known now; were not known before", (CBC_RSA,), NEUTRAL),
        ([GCM, CBC_RSA], [CBC_RSA, GCM], "changed: others in the list", (), NEUTRAL),
    ],
)
def test_suites(before: Any, after: Any, words: str, details: tuple[str, ...], direction: Direction) -> None:  # noqa: ANN401
    found = text(What.SUITES, before, after, "TLSv1.2")
    assert found.sentence == f"cipher suites of `TLSv1.2` {words}"
    assert (found.details, found.direction) == (details, direction)


@pytest.mark.parametrize(
    ("before", "after", "words", "marks"),
    [
        ([OLD], [NEW], "certificate replaced: the old one ends 2026-12-30, the new one 2027-02-28", "+-"),
        ([OLD], [OLD, NEW], "certificates changed: 1 added", "+"),
        ([OLD, NEW], [], "certificates changed: 2 removed", "--"),
        ([OLD], None, "the certificate is not known now", ""),
        (None, [OLD], "the certificate is known now", "C"),
        ([OLD], [OLD | {"subject": "CN=c"}], "certificates changed: others in the list", ""),
        (
            [OLD],
            [{}],
            "certificate replaced: the old one ends 2026-12-30, the new one at a time that is not known",
            "+-",
        ),
    ],
)
def test_certificates(before: Any, after: Any, words: str, marks: str) -> None:  # noqa: ANN401
    found = text(What.CERTIFICATE, before, after)
    assert found.sentence == words
    assert "".join(one[0] for one in found.details) == marks
    assert found.direction is NEUTRAL


def test_a_replaced_certificate_is_named() -> None:
    assert text(What.CERTIFICATE, [OLD], [NEW]).details == (
        "+ CN=a, issued by CN=b, ends 2027-02-28, SHA-256 cdcdcdcdcdcdcdcd",
        "- CN=a, issued by CN=b, ends 2026-12-30, SHA-256 abababababababab",
    )


@pytest.mark.parametrize("what", What)
def test_any_values_have_a_text(what: What) -> None:
    """Another version, or a damaged file, may have written them."""
    values: tuple[Any, ...] = (None, True, "x`<b>", [], ["x"], [{"fingerprint_sha256": "1"}], [{"not_after": "never"}])
    for before in values:
        for after in values:
            found = text(what, before, after, "no slash")
            assert found.sentence
            assert isinstance(found.direction, Direction)
